
/*
 * BitTorrent's announce: BEP 3, with compact lists (BEP 23) of both address
 * families (BEP 7).
 */


#include "ngx_http_tracker_answer.h"
#include "ngx_http_tracker_bencode.h"
#include "ngx_http_tracker_hashes.h"
#include "ngx_http_tracker_list.h"
#include "ngx_http_tracker_place.h"
#include "ngx_http_tracker_stripe.h"
#include "ngx_http_tracker_swarm.h"
#include "ngx_http_tracker_torrent.h"


enum {
    NGX_HTTP_TRACKER_ANNOUNCE_NUMWANT = 50,
    NGX_HTTP_TRACKER_ANNOUNCE_SMALL = 64,   /* longest of small arguments */

    /* without the peers: keys, three numbers of 32 bits, two of 64 */
    NGX_HTTP_TRACKER_ANNOUNCE_HEAD = 256
};


/* more than any "left" may be */
#define NGX_HTTP_TRACKER_ANNOUNCE_UNKNOWN  ((uint64_t) -1)


typedef struct {
    ngx_str_t                     hash;
    in_port_t                     port;
    uint64_t                      uploaded;
    uint64_t                      downloaded;
    uint64_t                      left;
    ngx_uint_t                    numwant;
    ngx_http_tracker_event_e      event;
    ngx_uint_t                    compact;
} ngx_http_tracker_announce_t;


static ngx_int_t ngx_http_tracker_announce_query(ngx_http_request_t *r,
    ngx_http_tracker_announce_t *a, ngx_http_tracker_peer_t *asker,
    ngx_http_tracker_refusal_t *refusal);
static ngx_int_t ngx_http_tracker_announce_asker(ngx_http_request_t *r,
    ngx_http_tracker_announce_t *a, ngx_http_tracker_peer_t *asker,
    ngx_http_tracker_refusal_t *refusal);
static ngx_int_t ngx_http_tracker_announce_send(ngx_http_request_t *r,
    ngx_http_tracker_announce_t *a, ngx_http_tracker_counts_t *counts,
    ngx_http_tracker_peer_t *peers, ngx_uint_t n);
static ngx_int_t ngx_http_tracker_arg_event(void *data, ngx_uint_t offset,
    ngx_str_t *value, ngx_http_tracker_refusal_t *refusal);
static ngx_int_t ngx_http_tracker_arg_numwant(void *data, ngx_uint_t offset,
    ngx_str_t *value, ngx_http_tracker_refusal_t *refusal);
static ngx_int_t ngx_http_tracker_arg_compact(void *data, ngx_uint_t offset,
    ngx_str_t *value, ngx_http_tracker_refusal_t *refusal);


/* "ip", "ipv6" and "peer_id" are not among them: see docs/protocol.md. */

static ngx_http_tracker_arg_t  ngx_http_tracker_announce_args[] = {

    { ngx_string("info_hash"), NGX_HTTP_TRACKER_ID_LEN,
      1|NGX_HTTP_TRACKER_ARG_BINARY,
      ngx_http_tracker_arg_hash,
      offsetof(ngx_http_tracker_announce_t, hash) },

    { ngx_string("port"), NGX_HTTP_TRACKER_ANNOUNCE_SMALL, 1,
      ngx_http_tracker_arg_port,
      offsetof(ngx_http_tracker_announce_t, port) },

    { ngx_string("uploaded"), NGX_HTTP_TRACKER_ANNOUNCE_SMALL, 1,
      ngx_http_tracker_arg_uint64,
      offsetof(ngx_http_tracker_announce_t, uploaded) },

    { ngx_string("downloaded"), NGX_HTTP_TRACKER_ANNOUNCE_SMALL, 1,
      ngx_http_tracker_arg_uint64,
      offsetof(ngx_http_tracker_announce_t, downloaded) },

    { ngx_string("left"), NGX_HTTP_TRACKER_ANNOUNCE_SMALL, 1,
      ngx_http_tracker_arg_uint64,
      offsetof(ngx_http_tracker_announce_t, left) },

    { ngx_string("numwant"), NGX_HTTP_TRACKER_ANNOUNCE_SMALL, 1,
      ngx_http_tracker_arg_numwant, 0 },

    { ngx_string("event"), NGX_HTTP_TRACKER_ANNOUNCE_SMALL, 1,
      ngx_http_tracker_arg_event, 0 },

    { ngx_string("compact"), NGX_HTTP_TRACKER_ANNOUNCE_SMALL, 1,
      ngx_http_tracker_arg_compact, 0 },

    ngx_http_tracker_arg_null
};


ngx_int_t
ngx_http_tracker_announce_handler(ngx_http_request_t *r)
{
    ngx_int_t                     rc;
    ngx_uint_t                    n;
    ngx_http_tracker_peer_t       asker, peers[NGX_HTTP_TRACKER_NUMWANT_MAX];
    ngx_http_tracker_counts_t     counts;
    ngx_http_tracker_refusal_t    refusal;
    ngx_http_tracker_announce_t   a;
    ngx_http_tracker_loc_conf_t  *conf;

    rc = ngx_http_tracker_torrent_begin(r, &refusal);

    if (rc == NGX_OK) {
        rc = ngx_http_tracker_announce_query(r, &a, &asker, &refusal);
    }

    if (rc != NGX_OK) {
        return ngx_http_tracker_torrent_fail(r, rc, &refusal,
                                     NGX_HTTP_TRACKER_STAT_ANNOUNCES_BAD,
                                     NGX_HTTP_TRACKER_STAT_ANNOUNCES_DENIED);
    }

    conf = ngx_http_get_module_loc_conf(r, ngx_http_tracker_module);

    ngx_http_tracker_stat_add(conf->zone,
                              NGX_HTTP_TRACKER_STAT_ANNOUNCES + a.event, 1);

    n = ngx_http_tracker_swarm_announce(conf->zone, a.hash.data, &asker,
                                        a.event, peers, a.numwant, &counts);

    if (counts.full) {
        ngx_http_tracker_stripe_full(conf->zone, r->connection->log);
    }

    return ngx_http_tracker_announce_send(r, &a, &counts, peers, n);
}


static ngx_int_t
ngx_http_tracker_announce_query(ngx_http_request_t *r,
    ngx_http_tracker_announce_t *a, ngx_http_tracker_peer_t *asker,
    ngx_http_tracker_refusal_t *refusal)
{
    ngx_int_t                     rc;
    ngx_http_tracker_loc_conf_t  *conf;

    ngx_memzero(a, sizeof(ngx_http_tracker_announce_t));

    a->left = NGX_HTTP_TRACKER_ANNOUNCE_UNKNOWN;
    a->numwant = NGX_HTTP_TRACKER_ANNOUNCE_NUMWANT;

    rc = ngx_http_tracker_args(r, ngx_http_tracker_announce_args, a, refusal);
    if (rc != NGX_OK) {
        return rc;
    }

    if (a->hash.data == NULL) {
        return ngx_http_tracker_refuse(refusal, NGX_HTTP_BAD_REQUEST,
                                       "info_hash", "missing");
    }

    if (a->port == 0) {
        return ngx_http_tracker_refuse(refusal, NGX_HTTP_BAD_REQUEST,
                                       "port", "missing");
    }

    conf = ngx_http_get_module_loc_conf(r, ngx_http_tracker_module);

    if (conf->hashes
        && !ngx_http_tracker_hashes_find(conf->hashes, a->hash.data))
    {
        return ngx_http_tracker_refuse(refusal, NGX_HTTP_FORBIDDEN,
                                       "info_hash", "not tracked here");
    }

    if (a->event == NGX_HTTP_TRACKER_STOPPED) {
        a->numwant = 0;
    }

    return ngx_http_tracker_announce_asker(r, a, asker, refusal);
}


static ngx_int_t
ngx_http_tracker_announce_asker(ngx_http_request_t *r,
    ngx_http_tracker_announce_t *a, ngx_http_tracker_peer_t *asker,
    ngx_http_tracker_refusal_t *refusal)
{
    ngx_http_tracker_place_t      place;
    ngx_http_tracker_loc_conf_t  *conf;

    conf = ngx_http_get_module_loc_conf(r, ngx_http_tracker_module);

    if (ngx_http_tracker_place(r, conf, &place) != NGX_OK) {
        return NGX_ERROR;
    }

    if (place.addr.family == 0) {
        return ngx_http_tracker_refuse(refusal, NGX_HTTP_BAD_REQUEST,
                                       "your address",
                                       "neither IPv4 nor IPv6");
    }

    asker->addr = place.addr;
    asker->port = a->port;
    asker->near = ngx_http_tracker_near(&place.locality);

    /* without "left" the event is all there is to go by */

    asker->complete = (a->left == NGX_HTTP_TRACKER_ANNOUNCE_UNKNOWN)
                      ? (a->event == NGX_HTTP_TRACKER_COMPLETED)
                      : (a->left == 0);

    /* of what it took in this session, to what it lacks */

    asker->have = (a->left <= a->downloaded / 2) ? 2
                  : (a->left <= a->downloaded * 2);

    return NGX_OK;
}


static ngx_int_t
ngx_http_tracker_announce_send(ngx_http_request_t *r,
    ngx_http_tracker_announce_t *a, ngx_http_tracker_counts_t *counts,
    ngx_http_tracker_peer_t *peers, ngx_uint_t n)
{
    u_char                       *p;
    ngx_buf_t                    *b;
    ngx_http_tracker_loc_conf_t  *conf;

    conf = ngx_http_get_module_loc_conf(r, ngx_http_tracker_module);

    b = ngx_create_temp_buf(r->pool,
                            NGX_HTTP_TRACKER_ANNOUNCE_HEAD
                            + n * (a->compact
                                   ? NGX_HTTP_TRACKER_BENCODE_COMPACT
                                   : NGX_HTTP_TRACKER_BENCODE_DICT));
    if (b == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    p = ngx_http_tracker_put_lit(b->last, "d8:completei");
    p = ngx_http_tracker_put_uint(p, counts->complete);
    p = ngx_http_tracker_put_lit(p, "e10:downloadedi");
    p = ngx_http_tracker_put_uint(p, counts->downloaded);
    p = ngx_http_tracker_put_lit(p, "e10:incompletei");
    p = ngx_http_tracker_put_uint(p, counts->incomplete);
    p = ngx_http_tracker_put_lit(p, "e8:intervali");
    p = ngx_http_tracker_put_uint(p, conf->interval);
    p = ngx_http_tracker_put_lit(p, "e12:min intervali");
    p = ngx_http_tracker_put_uint(p, (conf->interval + 1) / 2);
    p = ngx_http_tracker_put_lit(p, "e5:peers");

    p = a->compact ? ngx_http_tracker_bencode_compact(p, peers, n)
                   : ngx_http_tracker_bencode_dicts(p, peers, n);

    *p++ = 'e';
    b->last = p;

    return ngx_http_tracker_send_buf(r, b);
}


/* Whatever is none of the three is an announce in between. */
static ngx_int_t
ngx_http_tracker_arg_event(void *data, ngx_uint_t offset, ngx_str_t *value,
    ngx_http_tracker_refusal_t *refusal)
{
    ngx_uint_t                    i;
    ngx_http_tracker_announce_t  *a = data;

    static ngx_str_t  names[] = {
        ngx_string("started"), ngx_string("completed"), ngx_string("stopped")
    };

    for (i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        if (value->len == names[i].len
            && ngx_memcmp(value->data, names[i].data, value->len) == 0)
        {
            a->event = NGX_HTTP_TRACKER_STARTED + i;
        }
    }

    return NGX_OK;
}


static ngx_int_t
ngx_http_tracker_arg_numwant(void *data, ngx_uint_t offset, ngx_str_t *value,
    ngx_http_tracker_refusal_t *refusal)
{
    uint64_t                      n;
    ngx_http_tracker_announce_t  *a = data;

    /* as in BEP 15: the tracker's default */

    if (value->len == 2 && ngx_memcmp(value->data, "-1", 2) == 0) {
        return NGX_OK;
    }

    if (ngx_http_tracker_number(value->data, value->len,
                                NGX_HTTP_TRACKER_INT64_MAX, &n)
        != NGX_OK)
    {
        return ngx_http_tracker_refuse(refusal, 0, NULL, "not a number");
    }

    a->numwant = ngx_min(n, NGX_HTTP_TRACKER_NUMWANT_MAX);

    return NGX_OK;
}


static ngx_int_t
ngx_http_tracker_arg_compact(void *data, ngx_uint_t offset, ngx_str_t *value,
    ngx_http_tracker_refusal_t *refusal)
{
    ngx_http_tracker_announce_t  *a = data;

    a->compact = (value->len == 1 && value->data[0] == '1');

    return NGX_OK;
}
