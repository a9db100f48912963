
#include "ngx_http_tracker_call.h"
#include "ngx_http_tracker_caller.h"
#include "ngx_http_tracker_stat.h"
#include "ngx_http_tracker_wait.h"


enum {
    NGX_HTTP_TRACKER_WAIT_MAX = 60000,  /* ms */
    NGX_HTTP_TRACKER_ARG_MAX = 64       /* longest of the small arguments */
};


static ngx_int_t ngx_http_tracker_arg_name(void *data, ngx_uint_t offset,
    ngx_str_t *value, ngx_http_tracker_refusal_t *refusal);
static ngx_int_t ngx_http_tracker_arg_session(void *data, ngx_uint_t offset,
    ngx_str_t *value, ngx_http_tracker_refusal_t *refusal);
static ngx_int_t ngx_http_tracker_arg_seq(void *data, ngx_uint_t offset,
    ngx_str_t *value, ngx_http_tracker_refusal_t *refusal);
static ngx_int_t ngx_http_tracker_arg_epoch(void *data, ngx_uint_t offset,
    ngx_str_t *value, ngx_http_tracker_refusal_t *refusal);
static ngx_int_t ngx_http_tracker_arg_scheme(void *data, ngx_uint_t offset,
    ngx_str_t *value, ngx_http_tracker_refusal_t *refusal);
static ngx_int_t ngx_http_tracker_arg_locality(void *data, ngx_uint_t offset,
    ngx_str_t *value, ngx_http_tracker_refusal_t *refusal);
static ngx_int_t ngx_http_tracker_arg_wait(void *data, ngx_uint_t offset,
    ngx_str_t *value, ngx_http_tracker_refusal_t *refusal);
static ngx_int_t ngx_http_tracker_arg_percent(void *data, ngx_uint_t offset,
    ngx_str_t *value, ngx_http_tracker_refusal_t *refusal);
static ngx_int_t ngx_http_tracker_arg_full(void *data, ngx_uint_t offset,
    ngx_str_t *value, ngx_http_tracker_refusal_t *refusal);
static ngx_int_t ngx_http_tracker_arg_stopped(void *data, ngx_uint_t offset,
    ngx_str_t *value, ngx_http_tracker_refusal_t *refusal);


#define ngx_http_tracker_call_arg(name, max, parse, field)                    \
    { ngx_string(name), max, 1, parse,                                        \
      offsetof(ngx_http_tracker_call_args_t, field) }

#define ngx_http_tracker_call_uint64(name, field)                             \
    ngx_http_tracker_call_arg(name, NGX_HTTP_TRACKER_ARG_MAX,                 \
                              ngx_http_tracker_arg_uint64, field)


static ngx_http_tracker_arg_t  ngx_http_tracker_call_args[] = {

    ngx_http_tracker_call_arg("name", NGX_HTTP_TRACKER_NAME_MAX,
                              ngx_http_tracker_arg_name, call.name),

    ngx_http_tracker_call_arg("session", NGX_HTTP_TRACKER_ARG_MAX,
                              ngx_http_tracker_arg_session, call.session),

    ngx_http_tracker_call_arg("seq", NGX_HTTP_TRACKER_ARG_MAX,
                              ngx_http_tracker_arg_seq, call.seq),

    ngx_http_tracker_call_arg("epoch", NGX_HTTP_TRACKER_ARG_MAX,
                              ngx_http_tracker_arg_epoch, call.epoch),

    ngx_http_tracker_call_arg("port", NGX_HTTP_TRACKER_ARG_MAX,
                              ngx_http_tracker_arg_port, port),

    ngx_http_tracker_call_arg("scheme", NGX_HTTP_TRACKER_ARG_MAX,
                              ngx_http_tracker_arg_scheme, port),

    ngx_http_tracker_call_arg("locality", NGX_HTTP_TRACKER_LOCALITY_MAX,
                              ngx_http_tracker_arg_locality, call.locality),

    ngx_http_tracker_call_arg("wait_ms", NGX_HTTP_TRACKER_ARG_MAX,
                              ngx_http_tracker_arg_wait, wait),

    ngx_http_tracker_call_arg("full", NGX_HTTP_TRACKER_ARG_MAX,
                              ngx_http_tracker_arg_full, call.full),

    ngx_http_tracker_call_arg("event", NGX_HTTP_TRACKER_ARG_MAX,
                              ngx_http_tracker_arg_stopped, call),

    ngx_http_tracker_call_arg("cpu", NGX_HTTP_TRACKER_ARG_MAX,
                              ngx_http_tracker_arg_percent, call.load.cpu),

    ngx_http_tracker_call_arg("got", 3 * NGX_HTTP_TRACKER_ARG_MAX,
                              ngx_http_tracker_arg_bytes,
                              call.bytes[NGX_HTTP_TRACKER_GOT_SUPER]),

    ngx_http_tracker_call_uint64("sent", call.bytes[NGX_HTTP_TRACKER_SENT]),
    ngx_http_tracker_call_uint64("cursor", call.cursor),
    ngx_http_tracker_call_uint64("capacity", call.load.capacity),
    ngx_http_tracker_call_uint64("free", call.load.free),
    ngx_http_tracker_call_uint64("active", call.load.active),
    ngx_http_tracker_call_uint64("active_max", call.load.active_max),
    ngx_http_tracker_call_uint64("rate", call.load.rate),
    ngx_http_tracker_call_uint64("rate_max", call.load.rate_max),

    ngx_http_tracker_arg_null
};


ngx_int_t
ngx_http_tracker_call(ngx_http_request_t *r, ngx_http_tracker_loc_conf_t *conf,
    ngx_http_tracker_call_t *call, ngx_msec_t *wait,
    ngx_http_tracker_refusal_t *refusal)
{
    ngx_int_t                      rc;
    const char                    *missing;
    ngx_http_tracker_call_args_t   a;

    ngx_memzero(&a, sizeof(ngx_http_tracker_call_args_t));
    ngx_memset(&a.call.load, 0xff, sizeof(ngx_http_tracker_load_t));
    ngx_memset(a.call.bytes, 0xff, sizeof(a.call.bytes));
    ngx_str_set(&a.call.locality, "");

    rc = ngx_http_tracker_args(r, ngx_http_tracker_call_args, &a, refusal);
    if (rc != NGX_OK) {
        return rc;
    }

    if (conf->control_name) {
        rc = ngx_http_tracker_caller_proved(r, conf, &a.call.name, refusal);
        if (rc != NGX_OK) {
            return rc;
        }
    }

    missing = (a.call.name.len == 0) ? "name"
              : (a.call.session.len == 0) ? "session"
              : (a.call.seq == 0) ? "seq" : NULL;

    if (missing) {
        return ngx_http_tracker_refuse(refusal, NGX_HTTP_BAD_REQUEST, missing,
                                       "missing");
    }

    a.call.poll = (a.wait > 0);

    if (a.call.poll && a.call.full) {
        return ngx_http_tracker_refuse(refusal, NGX_HTTP_BAD_REQUEST, "full",
                                       "not with wait_ms");
    }

    if (a.call.stopped && (a.call.poll || a.call.full)) {
        return ngx_http_tracker_refuse(refusal, NGX_HTTP_BAD_REQUEST, "event",
                                       "not with wait_ms or full");
    }

    rc = ngx_http_tracker_caller_url(r, conf, &a, refusal);
    if (rc != NGX_OK) {
        return rc;
    }

    *call = a.call;
    *wait = (ngx_msec_t) a.wait;

    return NGX_OK;
}


ngx_int_t
ngx_http_tracker_call_begin(ngx_http_request_t *r,
    ngx_http_tracker_zone_t *zone, ngx_http_tracker_call_t *call,
    ngx_http_tracker_turn_t *turn, ngx_http_tracker_refusal_t *refusal)
{
    ngx_int_t   rc;
    ngx_uint_t  i;

    rc = ngx_http_tracker_roster_begin(zone, call, turn);

    if (rc == NGX_DECLINED) {
        return ngx_http_tracker_refuse(refusal, NGX_HTTP_BAD_REQUEST, "port",
                                       "missing");
    }

    if (rc == NGX_BUSY) {
        return ngx_http_tracker_refuse(refusal, NGX_HTTP_SERVICE_UNAVAILABLE,
                                       NULL, "too many super peers");
    }

    for (i = 0; i < NGX_HTTP_TRACKER_BYTES; i++) {
        if (turn->bytes[i]) {
            ngx_http_tracker_stat_add(zone, NGX_HTTP_TRACKER_STAT_BYTES + i,
                                      turn->bytes[i]);
        }
    }

    if (turn->stopped) {

        /* who waits for it has others chosen */

        ngx_http_tracker_slots_wake_all();

    } else if (turn->wake) {
        ngx_http_tracker_slots_wake(turn->wake,
                                   ngx_http_tracker_roster_key(turn->super));
    }

    if (turn->replaced) {
        ngx_log_error(NGX_LOG_NOTICE, r->connection->log, 0,
                      "tracker: super peer \"%V\" has a new session",
                      &call->name);
    }

    return NGX_OK;
}


static ngx_int_t
ngx_http_tracker_arg_name(void *data, ngx_uint_t offset, ngx_str_t *value,
    ngx_http_tracker_refusal_t *refusal)
{
    if (!ngx_http_tracker_caller_name_valid(value)) {
        return ngx_http_tracker_refuse(refusal, 0, NULL,
                                       "not letters, digits, \".\", \"_\", "
                                       "\"-\", at most 64");
    }

    return ngx_http_tracker_arg_str(data, offset, value, refusal);
}


static ngx_int_t
ngx_http_tracker_arg_session(void *data, ngx_uint_t offset, ngx_str_t *value,
    ngx_http_tracker_refusal_t *refusal)
{
    u_char  bytes[NGX_HTTP_TRACKER_SESSION_LEN / 2];

    if (value->len != NGX_HTTP_TRACKER_SESSION_LEN
        || ngx_http_tracker_hex(value->data, bytes, sizeof(bytes)) != NGX_OK)
    {
        return ngx_http_tracker_refuse(refusal, 0, NULL, "not 16 hex digits");
    }

    return ngx_http_tracker_arg_str(data, offset, value, refusal);
}


static ngx_int_t
ngx_http_tracker_arg_seq(void *data, ngx_uint_t offset, ngx_str_t *value,
    ngx_http_tracker_refusal_t *refusal)
{
    uint64_t  *seq = (uint64_t *) ((u_char *) data + offset);

    if (ngx_http_tracker_number(value->data, value->len,
                                NGX_HTTP_TRACKER_INT64_MAX, seq)
        != NGX_OK
        || *seq == 0)
    {
        return ngx_http_tracker_refuse(refusal, 0, NULL,
                                       "not a number from 1");
    }

    return NGX_OK;
}


static ngx_int_t
ngx_http_tracker_arg_epoch(void *data, ngx_uint_t offset, ngx_str_t *value,
    ngx_http_tracker_refusal_t *refusal)
{
    u_char      bytes[8];
    uint64_t   *epoch = (uint64_t *) ((u_char *) data + offset);
    ngx_uint_t  i;

    /* the one that an agent begins with */

    if (value->len == 0) {
        return NGX_OK;
    }

    if (value->len != 16
        || ngx_http_tracker_hex(value->data, bytes, sizeof(bytes)) != NGX_OK)
    {
        return ngx_http_tracker_refuse(refusal, 0, NULL, "not 16 hex digits");
    }

    for (i = 0; i < sizeof(bytes); i++) {
        *epoch = *epoch << 8 | bytes[i];
    }

    return NGX_OK;
}


static ngx_int_t
ngx_http_tracker_arg_scheme(void *data, ngx_uint_t offset, ngx_str_t *value,
    ngx_http_tracker_refusal_t *refusal)
{
    ngx_http_tracker_call_args_t  *a = data;

    if (value->len == 5 && ngx_memcmp(value->data, "https", 5) == 0) {
        a->tls = 1;
        return NGX_OK;
    }

    if (value->len == 4 && ngx_memcmp(value->data, "http", 4) == 0) {
        return NGX_OK;
    }

    return ngx_http_tracker_refuse(refusal, 0, NULL, "not http or https");
}


static ngx_int_t
ngx_http_tracker_arg_locality(void *data, ngx_uint_t offset,
    ngx_str_t *value, ngx_http_tracker_refusal_t *refusal)
{
    if (!ngx_http_tracker_caller_locality_valid(value)) {
        return ngx_http_tracker_refuse(refusal, 0, NULL,
                                       "not a path of labels");
    }

    return ngx_http_tracker_arg_str(data, offset, value, refusal);
}


static ngx_int_t
ngx_http_tracker_arg_wait(void *data, ngx_uint_t offset, ngx_str_t *value,
    ngx_http_tracker_refusal_t *refusal)
{
    ngx_http_tracker_call_args_t  *a = data;

    if (ngx_http_tracker_number(value->data, value->len,
                                NGX_HTTP_TRACKER_WAIT_MAX, &a->wait)
        != NGX_OK)
    {
        return ngx_http_tracker_refuse(refusal, 0, NULL,
                                       "not a number from 0 to 60000");
    }

    return NGX_OK;
}


static ngx_int_t
ngx_http_tracker_arg_percent(void *data, ngx_uint_t offset, ngx_str_t *value,
    ngx_http_tracker_refusal_t *refusal)
{
    if (ngx_http_tracker_number(value->data, value->len, 100,
                                (uint64_t *) ((u_char *) data + offset))
        != NGX_OK)
    {
        return ngx_http_tracker_refuse(refusal, 0, NULL,
                                       "not a number from 0 to 100");
    }

    return NGX_OK;
}


static ngx_int_t
ngx_http_tracker_arg_full(void *data, ngx_uint_t offset, ngx_str_t *value,
    ngx_http_tracker_refusal_t *refusal)
{
    ngx_http_tracker_call_args_t  *a = data;

    if (value->len == 5 && ngx_memcmp(value->data, "first", 5) == 0) {
        a->call.full = NGX_HTTP_TRACKER_FULL_FIRST;

    } else if (value->len == 4 && ngx_memcmp(value->data, "more", 4) == 0) {
        a->call.full = NGX_HTTP_TRACKER_FULL_MORE;

    } else if (value->len == 4 && ngx_memcmp(value->data, "last", 4) == 0) {
        a->call.full = NGX_HTTP_TRACKER_FULL_LAST;

    } else {
        return ngx_http_tracker_refuse(refusal, 0, NULL,
                                       "not first, more or last");
    }

    return NGX_OK;
}


static ngx_int_t
ngx_http_tracker_arg_stopped(void *data, ngx_uint_t offset, ngx_str_t *value,
    ngx_http_tracker_refusal_t *refusal)
{
    ngx_http_tracker_call_args_t  *a = data;

    if (value->len != 7 || ngx_memcmp(value->data, "stopped", 7) != 0) {
        return ngx_http_tracker_refuse(refusal, 0, NULL, "not stopped");
    }

    a->call.stopped = 1;

    return NGX_OK;
}
