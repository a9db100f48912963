
/*
 * One slot a worker in shared memory, and one bell for each: how workers
 * tell each other that something may have changed. What waits is filed under
 * a key; a slot has a bitmap of the buckets that keys fall into.
 */


#ifndef _NGX_HTTP_TRACKER_SLOTS_H_INCLUDED_
#define _NGX_HTTP_TRACKER_SLOTS_H_INCLUDED_


#include "ngx_http_tracker.h"


enum {
    NGX_HTTP_TRACKER_SLOTS = 256,       /* workers of all generations */
    NGX_HTTP_TRACKER_WORDS = 64,
    NGX_HTTP_TRACKER_BUCKETS = 64 * NGX_HTTP_TRACKER_WORDS
};


/**
 * ngx_http_tracker_slots_zone(cf, tag):
 * Add the shared zone of the workers' slots to the configuration.
 *
 * Errors:     NULL.
 */
ngx_shm_zone_t *ngx_http_tracker_slots_zone(ngx_conf_t *cf, void *tag);

/**
 * ngx_http_tracker_slots_init_module(cycle):
 * In the master, before workers are forked: the bells that workers of all
 * generations inherit. They stay over reloads.
 *
 * Errors:     NGX_ERROR, logged.
 */
ngx_int_t ngx_http_tracker_slots_init_module(ngx_cycle_t *cycle);

/**
 * ngx_http_tracker_slots_claim(zone, log), _release():
 * Take a slot for this worker; returns what to read its bell from, or -1 when
 * none is left (logged). Give it back.
 */
ngx_int_t ngx_http_tracker_slots_claim(ngx_shm_zone_t *zone, ngx_log_t *log);
void ngx_http_tracker_slots_release(void);

/**
 * ngx_http_tracker_slots_listen(ev):
 * ${ev} is posted when this worker wakes itself.
 */
void ngx_http_tracker_slots_listen(ngx_event_t *ev);

/**
 * ngx_http_tracker_slots_take(dirty):
 * Take this worker's bits: of the words named in the result, ${dirty} gets
 * the buckets that may have news.
 */
uint64_t ngx_http_tracker_slots_take(uint64_t *dirty);

/**
 * ngx_http_tracker_slots_bit():
 * This worker's bit for the mask of what is waited for; 0 when it cannot wait.
 */
uint64_t ngx_http_tracker_slots_bit(void);

/**
 * ngx_http_tracker_slots_wake(mask, key), _wake_all():
 * Let the workers of ${mask} look again at what waits for ${key}; all workers
 * at everything. Not under a lock.
 */
void ngx_http_tracker_slots_wake(uint64_t mask, uint64_t key);
void ngx_http_tracker_slots_wake_all(void);

/**
 * ngx_http_tracker_slots_own(), ngx_http_tracker_slots_lives(slot, pid):
 * Index of this worker's slot (-1: none); is ${slot} still that process's?
 */
ngx_int_t ngx_http_tracker_slots_own(void);
ngx_uint_t ngx_http_tracker_slots_lives(ngx_int_t slot, ngx_pid_t pid);

/**
 * ngx_http_tracker_slots_alive(slot):
 * Has ${slot} an owner, and is that one still there?
 */
ngx_uint_t ngx_http_tracker_slots_alive(ngx_uint_t slot);


#endif /* _NGX_HTTP_TRACKER_SLOTS_H_INCLUDED_ */
