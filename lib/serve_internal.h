/* serve_internal.h - what the block server's files share. */
#ifndef SERVE_INTERNAL_H
#define SERVE_INTERNAL_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include <microhttpd.h>

#include "aside.h"
#include "crowd.h"
#include "hold.h"
#include "pace.h"
#include "serve.h"
#include "slots.h"
#include "stall.h"
#include "ticket.h"
#include "tls.h"

enum {
    SERVE_CHUNK = 65536, /* bytes; response buffer of one connection */
    SERVE_CHUNK_SLOT =
        16384,               /* of one that holds a slot: what it sent shows */
    SERVE_UNSENT = 16384,    /* bytes in the system's hands beyond what is on
                                 its way: what is asked for next is not behind
                                 more than that */
    SERVE_CHUNK_TLS = 32768, /* a record has 16 KiB, whatever we hand over */
    SERVE_MEMORY = 10240,    /* bytes a connection: request line, headers, and
                             pieces of an answer */
    SERVE_MEMORY_STEP = 1024 /* bytes */
};

struct poll;

struct serve {
    struct MHD_Daemon *daemon;    /* NULL: it does not run yet */
    int fd;                       /* that it is to listen at; -1: it has it */
    struct serve_options options; /* as far as they hold until then */
    struct pace *pace;
    struct stall *stall;
    struct crowd *crowd;
    struct ticket_gate *gate;
    struct hold *hold;
    struct slots *slots; /* NULL: all send at once */
    struct hold *queue;  /* who waits for a slot */
    struct aside *aside; /* NULL: blocks are in no memory */
    struct tls *tls;     /* NULL: HTTP without it */
    const struct serve_ops *ops;
    void *ctx;
    struct callers *callers;
    uint16_t port;
    atomic_uint expected; /* port of a connection that is not counted */
    char epoch[17];       /* of /have; random at each start */
    atomic_uint active;
    atomic_uint_fast64_t bytes; /* that were copied */
    atomic_uint_fast64_t asked[SERVE_KINDS];
    atomic_uint_fast64_t answered[6];
    atomic_uint_fast64_t busy;
    atomic_uint_fast64_t denied;
    atomic_uint_fast64_t refused[SERVE_REFUSALS];
    atomic_uint_fast64_t handshakes_failed;
};

/* A connection, as MHD's socket context. */
struct conn {
    struct stall_conn stall;
    struct tls_conn tls;
    struct crowd_address *address;
    uint64_t told_ms; /* when it was told news last; 0: never */
    bool above_limit;
    bool uncounted; /* serve_expect()'s */
    bool head;      /* the request is a HEAD */
    bool known;     /* who it is was told to the callers */
    bool cut_off;   /* the last answer did not get to its end */
};

/* serve_conn.c; for MHD_start_daemon(), with the server as context. */
enum MHD_Result serve_let_in(void *cls, const struct sockaddr *sa,
                             socklen_t len);
void serve_connection_changed(void *cls, struct MHD_Connection *c,
                              void **context,
                              enum MHD_ConnectionNotificationCode what);

/** serve_conn_of(c): NULL when there was no memory for it. */
struct conn *serve_conn_of(struct MHD_Connection *c);

/** serve_address_of(c): whose it is; NULL: not known. */
const struct sockaddr *serve_address_of(struct MHD_Connection *c);

/** serve_answer(s, c, url, poll): the answer to a GET or HEAD; or ${*poll} is
 *  one that waits, and serve_poll_answer() comes later. */
enum MHD_Result serve_answer(struct serve *s, struct MHD_Connection *c,
                             const char *url, struct poll **poll);

/** serve_have(s, c, set, poll): the same for /have; ${set} is taken. */
enum MHD_Result serve_have(struct serve *s, struct MHD_Connection *c,
                           struct serve_set *set, struct poll **poll);

/** serve_poll_answer(p): it was woken. serve_poll_free(p): answered, or its
 *  connection is closed. */
enum MHD_Result serve_poll_answer(struct poll *p);
void serve_poll_free(struct poll *p);

/** What part of how many bytes an answer gives. */
struct serve_part {
    uint64_t off;
    uint64_t len;
    uint64_t size;
    bool partial; /* 206 */
};

/** serve_body_blocks(s, c, set, part): the answer is held blocks. ${set} is
 *  taken. */
enum MHD_Result serve_body_blocks(struct serve *s, struct MHD_Connection *c,
                                  struct serve_set *set,
                                  const struct serve_part *part);

/** serve_body_memory(s, c, memory, part): ${part->len} bytes, of malloc(),
 *  which are taken. */
enum MHD_Result serve_body_memory(struct serve *s, struct MHD_Connection *c,
                                  uint8_t *memory,
                                  const struct serve_part *part);

/** serve_send(s, c, status, r): queues and counts it, and gives up ${r}, which
 *  may be NULL: out of memory. */
enum MHD_Result serve_send(struct serve *s, struct MHD_Connection *c,
                           unsigned status, struct MHD_Response *r);

/** serve_say(s, c, status, text, name, value): one line of text; the header, if
 *  any, is ${name} with ${value}. */
enum MHD_Result serve_say(struct serve *s, struct MHD_Connection *c,
                          unsigned status, const char *text, const char *name,
                          const char *value);

/** serve_say_busy(s, c): 503. */
enum MHD_Result serve_say_busy(struct serve *s, struct MHD_Connection *c);

/** Suspend and resume connections. */
extern const struct pace_ops serve_pace_ops;
extern const struct hold_ops serve_hold_ops;
extern const struct hold_ops serve_queue_ops;

/** serve_slot_rung(w): for slots_create(). */
void serve_slot_rung(struct slots_waiter *w);

#endif
