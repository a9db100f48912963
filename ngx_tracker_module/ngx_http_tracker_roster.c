
#include "ngx_http_tracker_roster_shm.h"
#include "ngx_http_tracker_wait.h"

#include <openssl/rand.h>


enum {
    NGX_HTTP_TRACKER_ROSTER_MIN = 64,
    NGX_HTTP_TRACKER_ROSTER_MAX = 1024,

    /* a super peer's place for so many bytes of the zone */
    NGX_HTTP_TRACKER_ROSTER_SHARE = 65536
};


static ngx_int_t ngx_http_tracker_roster_init_zone(ngx_shm_zone_t *shm_zone,
    void *data);
static uint64_t ngx_http_tracker_roster_epoch(void);


static ngx_uint_t  ngx_http_tracker_roster_reset;


ngx_uint_t
ngx_http_tracker_roster_max(ngx_http_tracker_zone_t *zone)
{
    ngx_uint_t  n;

    n = zone->size / NGX_HTTP_TRACKER_ROSTER_SHARE;
    n = ngx_max(n, NGX_HTTP_TRACKER_ROSTER_MIN);

    return ngx_min(n, NGX_HTTP_TRACKER_ROSTER_MAX);
}


static size_t
ngx_http_tracker_roster_size(ngx_http_tracker_zone_t *zone)
{
    return offsetof(ngx_http_tracker_roster_t, supers)
           + ngx_http_tracker_roster_max(zone)
             * sizeof(ngx_http_tracker_super_t);
}


ngx_int_t
ngx_http_tracker_roster_add(ngx_conf_t *cf, ngx_http_tracker_zone_t *zone,
    void *tag)
{
    size_t      size;
    ngx_str_t   name;

    name.data = ngx_pnalloc(cf->pool, zone->name.len + sizeof(".roster"));
    if (name.data == NULL) {
        return NGX_ERROR;
    }

    name.len = ngx_sprintf(name.data, "%V.roster", &zone->name) - name.data;

    size = ngx_http_tracker_roster_size(zone);
    size += size / 64 + 16 * ngx_pagesize;

    zone->roster = ngx_shared_memory_add(cf, &name, size, tag);
    if (zone->roster == NULL) {
        return NGX_ERROR;
    }

    zone->roster->init = ngx_http_tracker_roster_init_zone;
    zone->roster->data = zone;

    return NGX_OK;
}


static ngx_int_t
ngx_http_tracker_roster_init_zone(ngx_shm_zone_t *shm_zone, void *data)
{
    ngx_slab_pool_t            *shpool;
    ngx_http_tracker_zone_t    *zone = shm_zone->data;
    ngx_http_tracker_roster_t  *roster;

    if (data || shm_zone->shm.exists) {
        return NGX_OK;
    }

    shpool = (ngx_slab_pool_t *) shm_zone->shm.addr;

    roster = ngx_slab_calloc(shpool, ngx_http_tracker_roster_size(zone));
    if (roster == NULL) {
        return NGX_ERROR;
    }

    roster->max = ngx_http_tracker_roster_max(zone);
    roster->epoch = ngx_http_tracker_roster_epoch();

    shpool->data = roster;

    return NGX_OK;
}


static uint64_t
ngx_http_tracker_roster_epoch(void)
{
    uint64_t  epoch;

    do {
        if (RAND_bytes((u_char *) &epoch, sizeof(epoch)) != 1) {
            epoch = (uint64_t) ngx_time() << 32 ^ (uint64_t) ngx_random();
        }
    } while (epoch == 0);

    return epoch;
}


ngx_http_tracker_roster_t *
ngx_http_tracker_roster_lock(ngx_http_tracker_zone_t *zone)
{
    ngx_slab_pool_t            *shpool;
    ngx_http_tracker_roster_t  *roster;

    shpool = (ngx_slab_pool_t *) zone->roster->shm.addr;

    ngx_shmtx_lock(&shpool->mutex);

    roster = shpool->data;

    if (roster->busy) {

        /* generations go on, so that what swarms remember is void */

        ngx_memzero(roster->supers,
                    roster->max * sizeof(ngx_http_tracker_super_t));
        roster->n = 0;
        roster->gen++;
        roster->epoch = ngx_http_tracker_roster_epoch();

        ngx_http_tracker_roster_reset = 1;
    }

    roster->busy = 1;
    ngx_memory_barrier();

    return roster;
}


void
ngx_http_tracker_roster_unlock(ngx_http_tracker_zone_t *zone)
{
    ngx_slab_pool_t            *shpool;
    ngx_http_tracker_roster_t  *roster;

    shpool = (ngx_slab_pool_t *) zone->roster->shm.addr;
    roster = shpool->data;

    ngx_memory_barrier();
    roster->busy = 0;

    ngx_shmtx_unlock(&shpool->mutex);

    if (ngx_http_tracker_roster_reset) {
        ngx_http_tracker_roster_reset = 0;

        ngx_log_error(NGX_LOG_ERR, ngx_cycle->log, 0,
                      "tracker: a worker died in the roster of zone \"%V\", "
                      "it starts anew", &zone->name);

        ngx_http_tracker_wait_wake_all();
    }
}


void
ngx_http_tracker_roster_forget(ngx_http_tracker_zone_t *zone)
{
    uint64_t                    epoch;
    ngx_http_tracker_roster_t  *roster;

    epoch = ngx_http_tracker_roster_epoch();

    roster = ngx_http_tracker_roster_lock(zone);
    roster->epoch = epoch;
    ngx_http_tracker_roster_unlock(zone);
}


uint64_t
ngx_http_tracker_roster_key(uint32_t super)
{
    return super * 0x9e3779b97f4a7c15ull >> 20;
}


ngx_uint_t
ngx_http_tracker_roster_alive(ngx_http_tracker_super_t *super)
{
    if (!super->used) {
        return 0;
    }

    return super->slot != -1
           || (int64_t) ((uint64_t) ngx_current_msec - super->seen)
              < NGX_HTTP_TRACKER_GRACE;
}


static ngx_http_tracker_super_t *
ngx_http_tracker_roster_find_locked(ngx_http_tracker_roster_t *roster,
    ngx_str_t *name, uint32_t hash)
{
    ngx_uint_t                 i;
    ngx_http_tracker_super_t  *super;

    for (i = 0; i < roster->n; i++) {
        super = &roster->supers[i];

        if (super->hash == hash && super->name_len == name->len
            && ngx_memcmp(super->name, name->data, name->len) == 0)
        {
            return super;
        }
    }

    return NULL;
}


/* A free entry, else that of who was not seen for longest. */
static ngx_http_tracker_super_t *
ngx_http_tracker_roster_make_locked(ngx_http_tracker_roster_t *roster,
    ngx_str_t *name, uint32_t hash)
{
    ngx_uint_t                 i;
    ngx_http_tracker_super_t  *super, *s;

    super = NULL;

    if (roster->n < roster->max) {
        super = &roster->supers[roster->n++];

    } else {
        for (i = 0; i < roster->n; i++) {
            s = &roster->supers[i];

            if (!ngx_http_tracker_roster_alive(s)
                && (super == NULL || s->seen < super->seen))
            {
                super = s;
            }
        }
    }

    if (super == NULL) {
        return NULL;
    }

    ngx_memzero(super, sizeof(ngx_http_tracker_super_t));

    super->used = 1;
    super->slot = -1;
    super->hash = hash;
    super->name_len = (uint8_t) name->len;
    ngx_memcpy(super->name, name->data, name->len);

    super->born = super->gen = super->min_gen = ++roster->gen;

    return super;
}


static void
ngx_http_tracker_roster_take_locked(ngx_http_tracker_super_t *super,
    ngx_http_tracker_call_t *call)
{
    super->seen = ngx_current_msec;
    super->addr = call->addr;

    super->capacity = call->capacity;
    super->free = call->free;
    super->active = call->active;
    super->rate = call->rate;

    super->locality_len = (uint8_t) call->locality.len;
    ngx_memcpy(super->locality, call->locality.data, call->locality.len);

    if (call->url.len) {
        super->url_len = (uint16_t) call->url.len;
        ngx_memcpy(super->url, call->url.data, call->url.len);
    }
}


static void
ngx_http_tracker_roster_session_locked(ngx_http_tracker_super_t *super,
    ngx_http_tracker_call_t *call, ngx_http_tracker_turn_t *turn)
{
    if (ngx_memcmp(super->session, call->session.data,
                   NGX_HTTP_TRACKER_SESSION_LEN)
        == 0)
    {
        return;
    }

    turn->replaced = super->session[0] != '\0';

    /*
     * A poll of the old session goes on until its time is over: two agents
     * under one name would replace each other without a pause.
     */

    ngx_memcpy(super->session, call->session.data,
               NGX_HTTP_TRACKER_SESSION_LEN);

    super->seq = 0;
    super->announcing = 0;
    super->serial++;
    super->slot = -1;
}


ngx_int_t
ngx_http_tracker_roster_begin(ngx_http_tracker_zone_t *zone,
    ngx_http_tracker_call_t *call, ngx_http_tracker_turn_t *turn)
{
    uint32_t                    hash;
    ngx_int_t                   rc;
    ngx_http_tracker_super_t   *super;
    ngx_http_tracker_roster_t  *roster;

    ngx_memzero(turn, sizeof(ngx_http_tracker_turn_t));
    rc = NGX_OK;

    hash = ngx_murmur_hash2(call->name.data, call->name.len);

    roster = ngx_http_tracker_roster_lock(zone);

    super = ngx_http_tracker_roster_find_locked(roster, &call->name, hash);

    if (super == NULL) {

        if (call->url.len == 0) {
            rc = NGX_DECLINED;
            goto done;
        }

        super = ngx_http_tracker_roster_make_locked(roster, &call->name, hash);

        if (super == NULL) {
            rc = NGX_BUSY;
            goto done;
        }
    }

    ngx_http_tracker_roster_session_locked(super, call, turn);
    ngx_http_tracker_roster_take_locked(super, call);

    turn->super = super - roster->supers;
    turn->epoch = roster->epoch;
    turn->head = super->head;

    if (call->poll) {
        turn->serial = ++super->serial;
        turn->wake = super->mask;
        super->mask = 0;
        super->slot = -1;

    } else {
        turn->take = call->seq > super->seq;

        if (turn->take && call->full == NGX_HTTP_TRACKER_FULL_FIRST) {
            super->gen = ++roster->gen;
            super->announcing = 1;
        }
    }

    turn->gen = super->gen;

done:

    ngx_http_tracker_roster_unlock(zone);

    return rc;
}


/* The entry that a call began with, unless somebody else has it by now. */
static ngx_http_tracker_super_t *
ngx_http_tracker_roster_super_locked(ngx_http_tracker_roster_t *roster,
    ngx_http_tracker_turn_t *turn)
{
    ngx_http_tracker_super_t  *super;

    super = &roster->supers[turn->super];

    return super->used && super->born <= turn->gen ? super : NULL;
}


void
ngx_http_tracker_roster_end(ngx_http_tracker_zone_t *zone,
    ngx_http_tracker_call_t *call, ngx_http_tracker_turn_t *turn)
{
    ngx_http_tracker_super_t   *super;
    ngx_http_tracker_roster_t  *roster;

    roster = ngx_http_tracker_roster_lock(zone);

    super = ngx_http_tracker_roster_super_locked(roster, turn);

    if (super && ngx_memcmp(super->session, call->session.data,
                            NGX_HTTP_TRACKER_SESSION_LEN)
                 == 0)
    {
        super->seen = ngx_current_msec;
        super->seq = ngx_max(super->seq, call->seq);

        if (call->full == NGX_HTTP_TRACKER_FULL_LAST && super->announcing) {
            super->min_gen = super->gen;
            super->announcing = 0;
        }
    }

    ngx_http_tracker_roster_unlock(zone);
}


/* Where the commands begin that this call has not seen. */
static uint64_t
ngx_http_tracker_roster_cursor_locked(ngx_http_tracker_roster_t *roster,
    ngx_http_tracker_super_t *super, ngx_http_tracker_call_t *call)
{
    if (call->epoch != roster->epoch || call->cursor > super->head) {
        return 0;
    }

    return call->cursor;
}


ngx_uint_t
ngx_http_tracker_roster_wait(ngx_http_tracker_zone_t *zone,
    ngx_http_tracker_call_t *call, ngx_http_tracker_turn_t *turn, uint64_t bit)
{
    uint64_t                    cursor;
    ngx_uint_t                  news;
    ngx_http_tracker_super_t   *super;
    ngx_http_tracker_roster_t  *roster;

    news = 1;

    roster = ngx_http_tracker_roster_lock(zone);

    super = ngx_http_tracker_roster_super_locked(roster, turn);

    if (super == NULL || roster->epoch != turn->epoch) {
        goto done;
    }

    if (super->serial != turn->serial) {

        /* overtaken; but not at once by another session */

        news = (ngx_memcmp(super->session, call->session.data,
                           NGX_HTTP_TRACKER_SESSION_LEN) == 0);
        goto done;
    }

    cursor = ngx_http_tracker_roster_cursor_locked(roster, super, call);
    super->acked = ngx_max(super->acked, cursor);

    if (super->head > cursor) {
        goto done;
    }

    news = 0;

    if (bit) {
        super->mask |= bit;
        super->slot = ngx_http_tracker_wait_own();
        super->pid = (uint64_t) ngx_pid;
    }

done:

    ngx_http_tracker_roster_unlock(zone);

    return news;
}


void
ngx_http_tracker_roster_unwait(ngx_http_tracker_zone_t *zone,
    ngx_http_tracker_turn_t *turn)
{
    ngx_http_tracker_super_t   *super;
    ngx_http_tracker_roster_t  *roster;

    roster = ngx_http_tracker_roster_lock(zone);

    super = ngx_http_tracker_roster_super_locked(roster, turn);

    if (super && super->serial == turn->serial) {
        super->slot = -1;
        super->seen = ngx_current_msec;
    }

    ngx_http_tracker_roster_unlock(zone);
}


/* The same command may have come up twice. */
static void
ngx_http_tracker_roster_command(ngx_http_tracker_commands_t *commands,
    u_char *id)
{
    ngx_uint_t  i;

    for (i = 0; i < commands->n; i++) {
        if (ngx_memcmp(commands->ids[i], id, NGX_HTTP_TRACKER_ID_LEN) == 0) {
            return;
        }
    }

    ngx_memcpy(commands->ids[commands->n++], id, NGX_HTTP_TRACKER_ID_LEN);
}


void
ngx_http_tracker_roster_commands(ngx_http_tracker_zone_t *zone,
    ngx_http_tracker_call_t *call, ngx_http_tracker_turn_t *turn,
    ngx_http_tracker_commands_t *commands)
{
    uint64_t                    seq;
    ngx_http_tracker_super_t   *super;
    ngx_http_tracker_roster_t  *roster;

    commands->n = 0;
    commands->lost = 0;

    roster = ngx_http_tracker_roster_lock(zone);

    commands->epoch = roster->epoch;
    commands->cursor = 0;

    super = ngx_http_tracker_roster_super_locked(roster, turn);
    if (super == NULL) {
        goto done;
    }

    seq = ngx_http_tracker_roster_cursor_locked(roster, super, call);

    if (!call->poll || super->serial != turn->serial) {
        commands->cursor = seq;
        goto done;
    }

    if (super->head > NGX_HTTP_TRACKER_RING
        && seq < super->head - NGX_HTTP_TRACKER_RING)
    {
        seq = super->head - NGX_HTTP_TRACKER_RING;

        /* what an earlier session took is not lost */

        commands->lost = super->acked < seq;
    }

    while (seq < super->head) {
        seq++;
        ngx_http_tracker_roster_command(commands,
                                 super->ring[seq % NGX_HTTP_TRACKER_RING]);
    }

    commands->cursor = super->head;
    super->sent = super->head;

done:

    ngx_http_tracker_roster_unlock(zone);
}


void
ngx_http_tracker_roster_list(ngx_http_tracker_zone_t *zone,
    ngx_http_tracker_listed_t *listed, ngx_uint_t n)
{
    ngx_uint_t                  i;
    ngx_http_tracker_super_t   *super;
    ngx_http_tracker_roster_t  *roster;

    roster = ngx_http_tracker_roster_lock(zone);

    for (i = 0; i < n; i++) {
        super = &roster->supers[listed[i].holder->said.super];

        listed[i].len = super->url_len;
        ngx_memcpy(listed[i].url, super->url, super->url_len);
    }

    ngx_http_tracker_roster_unlock(zone);
}


size_t
ngx_http_tracker_roster_name(ngx_http_tracker_zone_t *zone, uint32_t super,
    u_char *name)
{
    size_t                      len;
    ngx_http_tracker_roster_t  *roster;

    roster = ngx_http_tracker_roster_lock(zone);

    len = roster->supers[super].name_len;
    ngx_memcpy(name, roster->supers[super].name, len);

    ngx_http_tracker_roster_unlock(zone);

    return len;
}


ngx_uint_t
ngx_http_tracker_roster_sweep(ngx_http_tracker_zone_t *zone, u_char *was)
{
    u_char                      alive;
    ngx_uint_t                  i, died;
    ngx_http_tracker_super_t   *super;
    ngx_http_tracker_roster_t  *roster;

    died = 0;

    roster = ngx_http_tracker_roster_lock(zone);

    for (i = 0; i < roster->n; i++) {
        super = &roster->supers[i];

        if (super->slot != -1
            && !ngx_http_tracker_wait_lives(super->slot,
                                            (ngx_pid_t) super->pid))
        {
            super->slot = -1;
            super->seen = ngx_current_msec;
        }

        alive = (u_char) ngx_http_tracker_roster_alive(super);
        died |= was[i] && !alive;
        was[i] = alive;
    }

    ngx_http_tracker_roster_unlock(zone);

    return died;
}
