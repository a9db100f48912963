
/*
 * What the pages of state say, as JSON; docs/operations.md describes it.
 */


#include "ngx_http_tracker_status.h"
#include "ngx_http_tracker_lines.h"
#include "ngx_http_tracker_stat.h"
#include "ngx_http_tracker_stripe.h"


#define NGX_HTTP_TRACKER_LINE  1024         /* of numbers, without strings */


static void ngx_http_tracker_status_head(ngx_http_tracker_body_t *body,
    ngx_http_tracker_zone_t *zone);
static void ngx_http_tracker_status_member(ngx_http_tracker_body_t *body,
    ngx_http_tracker_member_t *m, ngx_uint_t more);
static void ngx_http_tracker_status_busy(ngx_http_tracker_body_t *body,
    ngx_http_tracker_zone_t *zone, ngx_http_tracker_glance_t *g,
    ngx_uint_t more);
static void ngx_http_tracker_status_swarm(ngx_http_tracker_body_t *body,
    u_char *id, ngx_http_tracker_sight_t *sight, ngx_uint_t supers);


static const char  *ngx_http_tracker_status_words[] = {
    NULL, "preparing", "filling", "ready", "refused"
};


static void
ngx_http_tracker_status_put(ngx_http_tracker_body_t *body, const char *text)
{
    u_char  *p;
    size_t   len;

    len = ngx_strlen(text);

    p = ngx_http_tracker_body_room(body, len);
    if (p == NULL) {
        return;
    }

    ngx_http_tracker_body_wrote(body, ngx_cpymem(p, text, len));
}


/* Less its query, which may be a secret. */
static u_char *
ngx_http_tracker_status_url(u_char *p, u_char *url, size_t len)
{
    u_char  *query;

    query = ngx_strlchr(url, url + len, '?');

    return ngx_http_tracker_put_json(p, url, query ? (size_t) (query - url)
                                                   : len);
}


/* What it said of itself; what it did not say is left out. */
static u_char *
ngx_http_tracker_status_load(u_char *p, ngx_http_tracker_member_t *m)
{
    ngx_uint_t  i;

    struct {
        const char  *name;
        uint64_t     value;
    } said[] = {
        { "active", m->said.active },
        { "active_max", m->said.active_max },
        { "rate", m->said.rate },
        { "rate_max", m->said.rate_max },
        { "cpu", m->said.cpu },
        { "capacity", m->said.capacity },
        { "free", m->said.free }
    };

    p = ngx_sprintf(p, ",\"load\":{\"percent\":%uD", m->load);

    for (i = 0; i < sizeof(said) / sizeof(said[0]); i++) {
        if (said[i].value != (uint64_t) -1) {
            p = ngx_sprintf(p, ",\"%s\":%uL", said[i].name, said[i].value);
        }
    }

    *p++ = '}';

    return p;
}


static void
ngx_http_tracker_status_holder(ngx_http_tracker_body_t *body,
    ngx_http_tracker_zone_t *zone, ngx_http_tracker_holder_t *h,
    ngx_uint_t more)
{
    size_t   len;
    u_char  *p, name[NGX_HTTP_TRACKER_NAME_MAX];

    len = ngx_http_tracker_roster_name(zone, h->said.super, name);

    p = ngx_http_tracker_body_room(body, NGX_HTTP_TRACKER_LINE);
    if (p == NULL) {
        return;
    }

    p = ngx_sprintf(p, "%s{\"name\":\"%*s\",\"state\":\"%s\",\"alive\":%s,"
                       "\"since\":%uD",
                    more ? ",\n" : "\n", len, name,
                    ngx_http_tracker_status_words[h->said.state],
                    h->alive ? "true" : "false",
                    ngx_http_tracker_age(ngx_http_tracker_now(), h->said.at));

    if (h->said.state == NGX_HTTP_TRACKER_REFUSED) {
        p = ngx_sprintf(p, ",\"reason\":\"%V\"",
                        &ngx_http_tracker_refusal_words[h->said.reason]);
    }

    if (h->said.rooted) {
        p = ngx_http_tracker_put_lit(p, ",\"root\":\"");
        p = ngx_hex_dump(p, h->said.root, NGX_HTTP_TRACKER_ROOT_LEN);
        p = ngx_sprintf(p, "\",\"vote\":%s", h->said.vote ? "true" : "false");
    }

    *p++ = '}';

    ngx_http_tracker_body_wrote(body, p);
}


static void
ngx_http_tracker_status_peers(ngx_http_tracker_body_t *body,
    ngx_http_tracker_sight_t *sight)
{
    u_char      *p;
    ngx_uint_t   i;

    p = ngx_http_tracker_body_room(body, 8 + sight->npeers
                                   * (NGX_INET6_ADDRSTRLEN
                                      + sizeof("{\"addr\":\"[]:65535\","
                                               "\"complete\":false},\n")));
    if (p == NULL) {
        return;
    }

    for (i = 0; i < sight->npeers; i++) {
        p = i ? ngx_http_tracker_put_lit(p, ",\n{\"addr\":\"")
              : ngx_http_tracker_put_lit(p, "\n{\"addr\":\"");

        p = ngx_http_tracker_put_addr(p, &sight->peers[i].addr,
                                      sight->peers[i].port);

        p = sight->peers[i].complete
            ? ngx_http_tracker_put_lit(p, "\",\"complete\":true}")
            : ngx_http_tracker_put_lit(p, "\",\"complete\":false}");
    }

    ngx_http_tracker_body_wrote(body, p);
}


void
ngx_http_tracker_status_all(ngx_http_tracker_body_t *body,
    ngx_http_tracker_zone_t *zone, ngx_http_tracker_state_t *state)
{
    ngx_uint_t  i, n;

    ngx_http_tracker_status_head(body, zone);

    ngx_http_tracker_status_put(body, ",\n\"super\":[");

    for (i = 0, n = 0; i < state->nmembers; i++) {
        if (state->members[i].used) {
            ngx_http_tracker_status_member(body, &state->members[i], n++);
        }
    }

    ngx_http_tracker_status_put(body, "],\n\"busiest\":[");

    for (i = 0; i < state->nbusiest; i++) {
        ngx_http_tracker_status_busy(body, zone, &state->busiest[i], i);
    }

    ngx_http_tracker_status_put(body, "]}\n");
}


static void
ngx_http_tracker_status_head(ngx_http_tracker_body_t *body,
    ngx_http_tracker_zone_t *zone)
{
    u_char                     *p;
    size_t                      room, size, used;
    uint64_t                    sizes, useds, sums[NGX_HTTP_TRACKER_STATS_MAX];
    ngx_uint_t                  i;
    ngx_http_tracker_tally_t    sum, tally;
    ngx_http_tracker_census_t   census;

    sizes = 0;
    useds = 0;
    ngx_memzero(&sum, sizeof(ngx_http_tracker_tally_t));

    for (i = 0; i < NGX_HTTP_TRACKER_STRIPES; i++) {
        ngx_http_tracker_stripe_usage(zone, i, &tally, &size, &used);

        sizes += size;
        useds += used;
        sum.resources += tally.resources;
        sum.torrents += tally.torrents;
        sum.peers[0] += tally.peers[0] + tally.peers[1];
        sum.complete[0] += tally.complete[0] + tally.complete[1];
    }

    ngx_http_tracker_view_census(zone, &census);
    ngx_http_tracker_stat_sums(zone, sums);

    room = NGX_HTTP_TRACKER_LINE + ngx_http_tracker_json_len(zone->name.len);

    p = ngx_http_tracker_body_room(body, room);
    if (p == NULL) {
        return;
    }

    p = ngx_http_tracker_put_lit(p, "{\"zone\":");
    p = ngx_http_tracker_put_json(p, zone->name.data, zone->name.len);

    p = ngx_sprintf(p, ",\"version\":\"" NGX_HTTP_TRACKER_VERSION
                       "\",\"nginx\":\"" NGINX_VERSION
                       "\",\"epoch\":\"%016xL\",\"uptime\":%uL,"
                       "\"workers\":%uL,\n"
                       "\"parked\":{\"peers\":%uL,\"polls\":%uL},"
                       "\"swarms\":{\"resources\":%uL,\"torrents\":%uL},"
                       "\"peers\":{\"complete\":%uL,\"incomplete\":%uL},"
                       "\"memory\":{\"size\":%uL,\"used\":%uL}",
                    census.epoch,
                    (uint64_t) ngx_time() - ngx_min(census.started,
                                                    (uint64_t) ngx_time()),
                    census.workers, sums[NGX_HTTP_TRACKER_STAT_PARKED],
                    sums[NGX_HTTP_TRACKER_STAT_POLLS], sum.resources,
                    sum.torrents, sum.complete[0],
                    sum.peers[0] - sum.complete[0], sizes, useds);

    ngx_http_tracker_body_wrote(body, p);
}


static void
ngx_http_tracker_status_member(ngx_http_tracker_body_t *body,
    ngx_http_tracker_member_t *m, ngx_uint_t more)
{
    u_char  *p;

    p = ngx_http_tracker_body_room(body, NGX_HTTP_TRACKER_LINE
                  + ngx_http_tracker_json_len(m->url_len + m->locality_len));
    if (p == NULL) {
        return;
    }

    p = ngx_sprintf(p, "%s{\"name\":\"%*s\",\"state\":\"%s\","
                       "\"seen\":%uL.%03uL,\"session\":\"%*s\",\"url\":",
                    more ? ",\n" : "\n", (size_t) m->name_len, m->name,
                    m->alive ? "alive" : "away", m->seen / 1000,
                    m->seen % 1000,
                    (size_t) (m->session[0] ? NGX_HTTP_TRACKER_SESSION_LEN
                                            : 0), m->session);

    p = ngx_http_tracker_status_url(p, m->url, m->url_len);

    p = ngx_http_tracker_put_lit(p, ",\"address\":\"");

    if (m->addr.family) {
        p = ngx_http_tracker_put_ip(p, &m->addr);
    }

    p = ngx_http_tracker_put_lit(p, "\",\"locality\":");
    p = ngx_http_tracker_put_json(p, m->locality, m->locality_len);

    p = ngx_http_tracker_status_load(p, m);

    p = ngx_sprintf(p, ",\"sets\":{\"ready\":%uD,\"filling\":%uD,"
                       "\"preparing\":%uD,\"refused\":%uD},"
                       "\"commands\":%uL}",
                    m->sets[NGX_HTTP_TRACKER_COMPLETE],
                    m->sets[NGX_HTTP_TRACKER_FILLING],
                    m->sets[NGX_HTTP_TRACKER_PREPARING],
                    m->sets[NGX_HTTP_TRACKER_REFUSED], m->queued);

    ngx_http_tracker_body_wrote(body, p);
}


/* One of the busiest; it may be gone by now. */
static void
ngx_http_tracker_status_busy(ngx_http_tracker_body_t *body,
    ngx_http_tracker_zone_t *zone, ngx_http_tracker_glance_t *g,
    ngx_uint_t more)
{
    ngx_http_tracker_sight_t  sight;

    if (ngx_http_tracker_view_swarm(zone, g->id, g->torrent, 0, &sight)
        != NGX_OK)
    {
        return;
    }

    ngx_http_tracker_status_put(body, more ? ",\n" : "\n");
    ngx_http_tracker_status_swarm(body, g->id, &sight, g->holders);
    ngx_http_tracker_status_put(body, "}");
}


void
ngx_http_tracker_status_one(ngx_http_tracker_body_t *body,
    ngx_http_tracker_zone_t *zone, u_char *id,
    ngx_http_tracker_sight_t *sight)
{
    u_char                     *p;
    ngx_uint_t                  i, n;
    ngx_http_tracker_view_t    *view;
    ngx_http_tracker_place_t    nowhere;

    view = &sight->view;

    ngx_memzero(&nowhere, sizeof(ngx_http_tracker_place_t));
    ngx_http_tracker_roster_judge(zone, id, &nowhere, view);

    ngx_http_tracker_status_swarm(body, id, sight,
                                  view->nholders - view->nstale);

    p = ngx_http_tracker_body_room(body, NGX_HTTP_TRACKER_LINE);
    if (p == NULL) {
        return;
    }

    p = ngx_sprintf(p, ",\"idle\":%uD,\n\"votes\":%ui,\"voters\":%ui,"
                       "\"root\":",
                    sight->idle, view->votes, view->voters);

    if (view->root) {
        *p++ = '"';
        p = ngx_hex_dump(p, view->root, NGX_HTTP_TRACKER_ROOT_LEN);
        *p++ = '"';

    } else {
        p = ngx_http_tracker_put_lit(p, "null");
    }

    p = ngx_http_tracker_put_lit(p, ",\n\"holders\":[");

    ngx_http_tracker_body_wrote(body, p);

    for (i = 0, n = 0; i < view->nholders; i++) {
        if (view->holders[i].valid) {
            ngx_http_tracker_status_holder(body, zone, &view->holders[i], n++);
        }
    }

    ngx_http_tracker_status_put(body, "],\n\"list\":[");
    ngx_http_tracker_status_peers(body, sight);
    ngx_http_tracker_status_put(body, "]}\n");
}


/* What is known of it in all pages; the brace stays open. */
static void
ngx_http_tracker_status_swarm(ngx_http_tracker_body_t *body, u_char *id,
    ngx_http_tracker_sight_t *sight, ngx_uint_t supers)
{
    u_char                   *p;
    ngx_http_tracker_text_t  *text;

    text = &sight->text;

    p = ngx_http_tracker_body_room(body, NGX_HTTP_TRACKER_LINE
                     + (sight->has_text
                        ? ngx_http_tracker_json_len(text->url_len
                                                    + text->version_len
                                                    + text->provider_len)
                        : 0));
    if (p == NULL) {
        return;
    }

    p = ngx_http_tracker_put_lit(p, "{\"id\":\"");
    p = ngx_hex_dump(p, id, NGX_HTTP_TRACKER_ID_LEN);

    p = sight->torrent
        ? ngx_http_tracker_put_lit(p, "\",\"type\":\"torrent\"")
        : ngx_http_tracker_put_lit(p, "\",\"type\":\"resource\"");

    if (sight->has_text) {
        p = ngx_http_tracker_put_lit(p, ",\"url\":");
        p = ngx_http_tracker_status_url(p, text->data, text->url_len);
        p = ngx_sprintf(p, ",\"size\":%uL,\"version\":",
                        (uint64_t) text->size);
        p = ngx_http_tracker_put_json(p, text->data + text->url_len,
                                      text->version_len);
        p = ngx_http_tracker_put_lit(p, ",\"provider\":");
        p = ngx_http_tracker_put_json(p, text->data + text->url_len
                                         + text->version_len,
                                      text->provider_len);
    }

    p = ngx_sprintf(p, ",\"complete\":%uD,\"incomplete\":%uD,\"super\":%ui",
                    sight->counts.complete, sight->counts.incomplete, supers);

    ngx_http_tracker_body_wrote(body, p);
}
