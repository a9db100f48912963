
/*
 * What announce and scrape of BitTorrent have in common: who may ask, for
 * which torrents, and how they are told no.
 */


#ifndef _NGX_HTTP_TRACKER_TORRENT_H_INCLUDED_
#define _NGX_HTTP_TRACKER_TORRENT_H_INCLUDED_


#include "ngx_http_tracker_args.h"
#include "ngx_http_tracker_stat.h"


/**
 * ngx_http_tracker_torrent_begin(r, refusal):
 * Check method and passkey.
 *
 * Errors:     NGX_DECLINED: ${refusal} says why; else what to finalize the
 *             request with.
 */
ngx_int_t ngx_http_tracker_torrent_begin(ngx_http_request_t *r,
    ngx_http_tracker_refusal_t *refusal);

/**
 * ngx_http_tracker_torrent_fail(r, rc, refusal, bad, denied):
 * Answer with a failure reason, and count it in ${bad} or ${denied}, when
 * ${rc} is NGX_DECLINED. Returns what to finalize the request with.
 */
ngx_int_t ngx_http_tracker_torrent_fail(ngx_http_request_t *r, ngx_int_t rc,
    ngx_http_tracker_refusal_t *refusal, ngx_http_tracker_stat_e bad,
    ngx_http_tracker_stat_e denied);

/* parse() for an info-hash, an ngx_str_t */
ngx_int_t ngx_http_tracker_arg_hash(void *data, ngx_uint_t offset,
    ngx_str_t *value, ngx_http_tracker_refusal_t *refusal);


#endif /* _NGX_HTTP_TRACKER_TORRENT_H_INCLUDED_ */
