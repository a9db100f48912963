
#include "ngx_http_tracker_prepare.h"
#include "ngx_http_tracker_answer.h"
#include "ngx_http_tracker_swarm.h"
#include "ngx_http_tracker_ticket.h"
#include "ngx_http_tracker_url.h"


#define NGX_HTTP_TRACKER_OTHERS_MAX  4      /* other holders in a prepare */


static ngx_uint_t ngx_http_tracker_prepare_one(ngx_http_tracker_zone_t *zone,
    ngx_http_tracker_turn_t *turn, ngx_http_tracker_place_t *place,
    ngx_http_tracker_body_t *body, u_char *id, ngx_uint_t n);
static void ngx_http_tracker_prepare_others(ngx_http_tracker_zone_t *zone,
    ngx_http_tracker_turn_t *turn, ngx_http_tracker_body_t *body, u_char *id,
    ngx_http_tracker_view_t *view);


ngx_int_t
ngx_http_tracker_prepare_send(ngx_http_request_t *r,
    ngx_http_tracker_zone_t *zone, ngx_http_tracker_call_t *call,
    ngx_http_tracker_turn_t *turn)
{
    u_char                       *p;
    ngx_uint_t                    i, n;
    ngx_http_tracker_body_t       body;
    ngx_http_tracker_place_t      place;
    ngx_http_tracker_commands_t   commands;

    place.addr = call->addr;
    place.locality = call->locality;

    ngx_memzero(&body, sizeof(ngx_http_tracker_body_t));
    body.pool = r->pool;

    ngx_http_tracker_roster_commands(zone, call, turn, &commands);

    p = ngx_http_tracker_body_room(&body, 128);
    if (p == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    p = ngx_sprintf(p, "{\"epoch\":\"%016xL\",\"cursor\":%uL%s",
                    commands.epoch, commands.cursor,
                    commands.lost ? ",\"lost\":true" : "");

    if (call->poll) {
        p = ngx_http_tracker_put_lit(p, ",\"prepare\":[");
    }

    ngx_http_tracker_body_wrote(&body, p);

    for (i = 0, n = 0; i < commands.n; i++) {
        n += ngx_http_tracker_prepare_one(zone, turn, &place, &body,
                                          commands.ids[i], n);
    }

    p = ngx_http_tracker_body_room(&body, sizeof("]}\n"));
    if (p == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    if (call->poll) {
        *p++ = ']';
    }

    p = ngx_http_tracker_put_lit(p, "}\n");
    ngx_http_tracker_body_wrote(&body, p);

    return ngx_http_tracker_send_body(r, &body);
}


/* One command, unless it has become void; returns how many were written. */
static ngx_uint_t
ngx_http_tracker_prepare_one(ngx_http_tracker_zone_t *zone,
    ngx_http_tracker_turn_t *turn, ngx_http_tracker_place_t *place,
    ngx_http_tracker_body_t *body, u_char *id, ngx_uint_t n)
{
    u_char                   *p;
    ngx_uint_t                i;
    ngx_http_tracker_text_t   text;
    ngx_http_tracker_view_t   view;

    if (ngx_http_tracker_swarm_text(zone, id, &text, &view) != NGX_OK) {
        return 0;
    }

    for (i = 0; i < view.nholders; i++) {
        if (view.holders[i].said.super == turn->super) {
            break;
        }
    }

    if (i == view.nholders
        || (view.holders[i].said.state != NGX_HTTP_TRACKER_PREPARING
            && view.holders[i].said.state != NGX_HTTP_TRACKER_FILLING))
    {
        return 0;
    }

    p = ngx_http_tracker_body_room(body, 256
                                   + ngx_http_tracker_json_len(
                                         text.url_len + text.version_len
                                         + text.provider_len));
    if (p == NULL) {
        return 0;
    }

    if (n) {
        *p++ = ',';
    }

    p = ngx_http_tracker_put_lit(p, "{\"id\":\"");
    p = ngx_hex_dump(p, id, NGX_HTTP_TRACKER_ID_LEN);
    p = ngx_http_tracker_put_lit(p, "\",\"url\":");
    p = ngx_http_tracker_put_json(p, text.data, text.url_len);
    p = ngx_http_tracker_put_lit(p, ",\"size\":");
    p = ngx_http_tracker_put_uint(p, text.size);
    p = ngx_http_tracker_put_lit(p, ",\"version\":");
    p = ngx_http_tracker_put_json(p, text.data + text.url_len,
                                  text.version_len);
    p = ngx_http_tracker_put_lit(p, ",\"provider\":");
    p = ngx_http_tracker_put_json(p,
                                  text.data + text.url_len + text.version_len,
                                  text.provider_len);

    ngx_http_tracker_body_wrote(body, p);

    view.secure = ngx_http_tracker_url_secure(text.data);

    ngx_http_tracker_roster_judge(zone, id, place, &view);

    ngx_http_tracker_prepare_others(zone, turn, body, id, &view);

    return 1;
}


/*
 * The root, and who else holds it, for copies; neither where voters disagree,
 * so that the next one votes.
 */
static void
ngx_http_tracker_prepare_others(ngx_http_tracker_zone_t *zone,
    ngx_http_tracker_turn_t *turn, ngx_http_tracker_body_t *body, u_char *id,
    ngx_http_tracker_view_t *view)
{
    u_char                     *p;
    ngx_uint_t                  i, n, listing;
    ngx_http_tracker_holder_t  *h;
    ngx_http_tracker_listed_t   others[NGX_HTTP_TRACKER_OTHERS_MAX];

    n = 0;

    for (i = 0; i < view->nholders && n < NGX_HTTP_TRACKER_OTHERS_MAX; i++) {
        h = &view->holders[i];

        if (h->valid && h->alive && !h->outvoted && !h->reported
            && !view->split && h->said.super != turn->super
            && (h->said.state == NGX_HTTP_TRACKER_COMPLETE
                || h->said.state == NGX_HTTP_TRACKER_FILLING))
        {
            others[n++].holder = h;
        }
    }

    if (n) {
        ngx_http_tracker_roster_list(zone, others, n);
        ngx_http_tracker_ticket_add(zone, id, others, n);
    }

    p = ngx_http_tracker_body_room(body, 256 + n
                     * (ngx_http_tracker_json_len(NGX_HTTP_TRACKER_SUPER_MAX)
                        + 1));
    if (p == NULL) {
        return;
    }

    p = ngx_http_tracker_put_digest(p, view->root, view->votes);
    p = ngx_http_tracker_put_lit(p, ",\"super\":[");

    listing = 0;

    for (i = 0; i < n; i++) {

        if (others[i].len == 0) {
            continue;
        }

        if (listing) {
            *p++ = ',';
        }

        listing = 1;

        p = ngx_http_tracker_put_json(p, others[i].url, others[i].len);
    }

    p = ngx_http_tracker_put_lit(p, "]}");

    ngx_http_tracker_body_wrote(body, p);
}
