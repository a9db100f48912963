
#include "ngx_http_tracker_list.h"
#include "ngx_http_tracker_report.h"
#include "ngx_http_tracker_roster.h"
#include "ngx_http_tracker_ticket.h"


static ngx_uint_t ngx_http_tracker_list_choose(ngx_http_tracker_view_t *view,
    ngx_uint_t filling, ngx_http_tracker_listed_t *listed);
static size_t ngx_http_tracker_list_room(ngx_http_tracker_list_t *list,
    ngx_http_tracker_listed_t *listed, ngx_uint_t n);
static u_char *ngx_http_tracker_list_head(u_char *p,
    ngx_http_tracker_list_t *list);
static u_char *ngx_http_tracker_list_supers(u_char *p,
    ngx_http_tracker_list_t *list, ngx_http_tracker_listed_t *listed,
    ngx_uint_t n);
static u_char *ngx_http_tracker_list_peers(u_char *p,
    ngx_http_tracker_list_t *list);


void
ngx_http_tracker_list_write(ngx_http_tracker_body_t *body,
    ngx_http_tracker_zone_t *zone, ngx_http_tracker_list_t *list,
    ngx_uint_t filling)
{
    u_char                     *p;
    ngx_uint_t                  n;
    ngx_http_tracker_listed_t   listed[NGX_HTTP_TRACKER_LISTED_MAX];

    n = ngx_http_tracker_list_choose(list->view, filling, listed);

    if (n) {
        ngx_http_tracker_roster_list(zone, listed, n);
        ngx_http_tracker_ticket_add(zone, list->id, listed, n);
    }

    p = ngx_http_tracker_body_room(body,
                                   ngx_http_tracker_list_room(list, listed,
                                                              n));
    if (p == NULL) {
        return;
    }

    p = ngx_http_tracker_list_head(p, list);
    p = ngx_http_tracker_list_supers(p, list, listed, n);
    p = ngx_http_tracker_list_peers(p, list);

    ngx_http_tracker_body_wrote(body, p);
}


static size_t
ngx_http_tracker_list_room(ngx_http_tracker_list_t *list,
    ngx_http_tracker_listed_t *listed, ngx_uint_t n)
{
    size_t      size;
    ngx_uint_t  i;

    /* head and brackets, with id, root and two numbers */

    size = 384;

    for (i = 0; i < n; i++) {
        size += ngx_http_tracker_json_len(listed[i].len)
                + sizeof("{\"url\":,\"state\":\"filling\"},");
    }

    for (i = 0; i < list->npeers; i++) {
        size += sizeof("{\"addr\":\"\",\"complete\":false},")
                + (list->peers[i].addr.family == 4
                   ? sizeof("255.255.255.255:65535")
                   : NGX_INET6_ADDRSTRLEN + sizeof("[]:65535"));
    }

    return size;
}


/* In the order of their ranks; see rank. */
static ngx_uint_t
ngx_http_tracker_list_choose(ngx_http_tracker_view_t *view,
    ngx_uint_t filling, ngx_http_tracker_listed_t *listed)
{
    ngx_uint_t                  i, k, n;
    ngx_http_tracker_holder_t  *h;

    n = 0;

    for (i = 0; i < view->nholders; i++) {
        h = &view->holders[i];

        if (!h->valid || !h->alive || h->outvoted) {
            continue;
        }

        if (h->said.state != NGX_HTTP_TRACKER_COMPLETE
            && !(filling && h->said.state == NGX_HTTP_TRACKER_FILLING))
        {
            continue;
        }

        if (n == NGX_HTTP_TRACKER_LISTED_MAX) {
            if (listed[n - 1].holder->rank >= h->rank) {
                continue;
            }

            n--;
        }

        for (k = n++; k > 0 && listed[k - 1].holder->rank < h->rank; k--) {
            listed[k].holder = listed[k - 1].holder;
        }

        listed[k].holder = h;
    }

    return view->nbad ? ngx_http_tracker_report_listed(listed, n) : n;
}


static u_char *
ngx_http_tracker_list_head(u_char *p, ngx_http_tracker_list_t *list)
{
    p = ngx_http_tracker_put_lit(p, "{\"id\":\"");
    p = ngx_hex_dump(p, list->id, NGX_HTTP_TRACKER_ID_LEN);
    p = ngx_http_tracker_put_lit(p, "\",\"interval\":");
    p = ngx_http_tracker_put_uint(p, list->interval);

    return ngx_http_tracker_put_digest(p, list->view->root,
                                       list->view->votes);
}


static u_char *
ngx_http_tracker_list_supers(u_char *p, ngx_http_tracker_list_t *list,
    ngx_http_tracker_listed_t *listed, ngx_uint_t n)
{
    ngx_uint_t  i, listing;

    p = ngx_http_tracker_put_lit(p, ",\"super\":[");

    listing = 0;

    for (i = 0; i < n; i++) {

        if (listed[i].len == 0) {
            continue;
        }

        if (listing++) {
            *p++ = ',';
        }

        p = ngx_http_tracker_put_lit(p, "{\"url\":");
        p = ngx_http_tracker_put_json(p, listed[i].url, listed[i].len);

        if (listed[i].holder->said.state == NGX_HTTP_TRACKER_COMPLETE) {
            p = ngx_http_tracker_put_lit(p, ",\"state\":\"ready\"}");

        } else {
            p = ngx_http_tracker_put_lit(p, ",\"state\":\"filling\"}");
        }
    }

    *p++ = ']';

    list->nsupers = listing;

    return p;
}


static u_char *
ngx_http_tracker_list_peers(u_char *p, ngx_http_tracker_list_t *list)
{
    ngx_uint_t  i;

    p = ngx_http_tracker_put_lit(p, ",\"peers\":[");

    for (i = 0; i < list->npeers; i++) {

        if (i) {
            *p++ = ',';
        }

        p = ngx_http_tracker_put_lit(p, "{\"addr\":\"");
        p = ngx_http_tracker_put_addr(p, &list->peers[i].addr,
                                      list->peers[i].port);

        if (list->peers[i].complete) {
            p = ngx_http_tracker_put_lit(p, "\",\"complete\":true}");

        } else {
            p = ngx_http_tracker_put_lit(p, "\",\"complete\":false}");
        }
    }

    return ngx_http_tracker_put_lit(p, "]}\n");
}
