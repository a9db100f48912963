
/*
 * Tickets: what the URLs of super peers have behind them, so that these serve
 * only who got it from here (docs/protocol.md "Tickets").
 */


#ifndef _NGX_HTTP_TRACKER_TICKET_H_INCLUDED_
#define _NGX_HTTP_TRACKER_TICKET_H_INCLUDED_


#include "ngx_http_tracker.h"
#include "ngx_http_tracker_roster.h"


/**
 * ngx_http_tracker_ticket_set(cf, cmd, conf):
 * tracker_ticket_key ZONE FILE [time=TIME]; the file is read now.
 *
 * Errors:     NGX_CONF_ERROR, logged with the file's name and line, never with
 *             what stands there.
 */
char *ngx_http_tracker_ticket_set(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);

/**
 * ngx_http_tracker_ticket_check(cf, zone):
 * All directives are read: do tickets last until clients ask again? Errors:
 * NGX_ERROR, logged.
 */
ngx_int_t ngx_http_tracker_ticket_check(ngx_conf_t *cf,
    ngx_http_tracker_zone_t *zone);

/**
 * ngx_http_tracker_ticket_add(zone, id, listed, n):
 * Where the zone has a key, give the URLs of the ${n} super peers a ticket for
 * the resource ${id}. They become empty should libcrypto fail: a URL without
 * would be refused.
 */
void ngx_http_tracker_ticket_add(ngx_http_tracker_zone_t *zone, u_char *id,
    ngx_http_tracker_listed_t *listed, ngx_uint_t n);


#endif /* _NGX_HTTP_TRACKER_TICKET_H_INCLUDED_ */
