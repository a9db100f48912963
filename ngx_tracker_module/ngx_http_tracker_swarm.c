
#include "ngx_http_tracker_swarm_shm.h"
#include "ngx_http_tracker_stat.h"


/* The seed keeps who can make ids at will from filling one bucket. */
static uint32_t
ngx_http_tracker_swarm_bucket(ngx_http_tracker_stripe_t *stripe, u_char *id)
{
    uint64_t  h;

    h = ngx_http_tracker_swarm_key(id) ^ stripe->seed;
    h = (h ^ h >> 33) * 0xff51afd7ed558ccdull;
    h = (h ^ h >> 33) * 0xc4ceb9fe1a85ec53ull;

    return h >> 32 & (stripe->nbuckets - 1);
}


uint64_t
ngx_http_tracker_swarm_key(u_char *id)
{
    uint64_t  key;

    /* the first byte chose the stripe already */

    ngx_memcpy(&key, id + 1, sizeof(key));

    return key;
}


void
ngx_http_tracker_swarm_enter(ngx_http_tracker_zone_t *zone, u_char *id,
    ngx_http_tracker_section_t *s)
{
    uint32_t    unit;
    ngx_uint_t  i;

    s->zone = zone;
    s->id = id;
    s->swarm = NULL;
    s->stripe = ngx_http_tracker_stripe_lock(zone, id, &s->shpool);

    unit = (uint32_t) 1 << zone->shift;

    for (i = 0; i < 2; i++) {
        s->px[i].shpool = s->shpool;
        s->px[i].seed = s->stripe->seed;
        s->px[i].tick = ngx_http_tracker_now() >> zone->shift;
        s->px[i].ttl = (zone->ttl + unit - 1) >> zone->shift;
        s->px[i].shift = zone->shift;
        s->px[i].alen = i ? 16 : 4;
    }
}


void
ngx_http_tracker_swarm_shift_locked(ngx_http_tracker_section_t *s,
    ngx_http_tracker_swarm_t *swarm)
{
    uint32_t  now;

    now = ngx_http_tracker_now();

    ngx_http_tracker_peerset_shift_locked(&swarm->v4, &s->px[0], now);
    ngx_http_tracker_peerset_shift_locked(&swarm->v6, &s->px[1], now);
}


void
ngx_http_tracker_swarm_seek_locked(ngx_http_tracker_section_t *s)
{
    ngx_http_tracker_swarm_t  *swarm;

    swarm = s->stripe->buckets[ngx_http_tracker_swarm_bucket(s->stripe,
                                                             s->id)];

    while (swarm
           && (ngx_memcmp(swarm->id, s->id, NGX_HTTP_TRACKER_ID_LEN) != 0
               || swarm->torrent != s->torrent))
    {
        swarm = swarm->next;
    }

    s->swarm = swarm;
}


static void
ngx_http_tracker_swarm_find_locked(ngx_http_tracker_section_t *s)
{
    uint32_t                   now;
    ngx_http_tracker_swarm_t  *swarm;

    ngx_http_tracker_swarm_seek_locked(s);

    swarm = s->swarm;

    if (swarm == NULL) {
        return;
    }

    now = ngx_http_tracker_now();

    /* once a second: its neighbours are far away in memory */

    if (swarm->used != now) {
        swarm->used = now;

        ngx_queue_remove(&swarm->lru);
        ngx_queue_insert_head(&s->stripe->lru, &swarm->lru);
    }

    ngx_http_tracker_swarm_shift_locked(s, swarm);
}


void
ngx_http_tracker_swarm_open(ngx_http_tracker_zone_t *zone, u_char *id,
    ngx_http_tracker_section_t *s)
{
    ngx_http_tracker_swarm_enter(zone, id, s);

    s->torrent = 0;
    ngx_http_tracker_swarm_find_locked(s);
}


void
ngx_http_tracker_swarm_open_torrent(ngx_http_tracker_zone_t *zone, u_char *id,
    ngx_http_tracker_section_t *s)
{
    ngx_http_tracker_swarm_enter(zone, id, s);

    s->torrent = 1;
    ngx_http_tracker_swarm_find_locked(s);
}


void
ngx_http_tracker_swarm_count_locked(ngx_http_tracker_section_t *s,
    ngx_http_tracker_swarm_t *swarm, int64_t sign)
{
    ngx_http_tracker_tally_t  *tally;

    tally = &s->stripe->tally;

    tally->peers[0] += sign * swarm->v4.n;
    tally->peers[1] += sign * swarm->v6.n;
    tally->complete[0] += sign * swarm->v4.complete;
    tally->complete[1] += sign * swarm->v6.complete;
}


ngx_uint_t
ngx_http_tracker_swarm_expire_locked(ngx_http_tracker_section_t *s,
    ngx_http_tracker_swarm_t *swarm, ngx_uint_t places)
{
    ngx_uint_t  n;

    if (swarm->v4.n + swarm->v6.n == 0) {
        return 0;
    }

    ngx_http_tracker_swarm_count_locked(s, swarm, -1);

    n = ngx_http_tracker_peerset_expire_locked(&swarm->v4, &s->px[0], places);
    n += ngx_http_tracker_peerset_expire_locked(&swarm->v6, &s->px[1], places);

    ngx_http_tracker_swarm_count_locked(s, swarm, 1);
    s->stripe->tally.gone += n;

    return n;
}


void
ngx_http_tracker_swarm_drop_locked(ngx_http_tracker_section_t *s,
    ngx_http_tracker_swarm_t *swarm, ngx_http_tracker_node_t *node)
{
    ngx_http_tracker_node_t  **p;

    if (node->said.state == NGX_HTTP_TRACKER_PREPARING) {
        ngx_http_tracker_stat_add(s->zone, NGX_HTTP_TRACKER_STAT_EXPIRED, 1);
    }

    p = &swarm->holders;

    while (*p != node) {
        p = &(*p)->next;
    }

    *p = node->next;

    ngx_slab_free_locked(s->shpool, node);
}


void
ngx_http_tracker_swarm_free_locked(ngx_http_tracker_section_t *s,
    ngx_http_tracker_swarm_t *swarm)
{
    ngx_http_tracker_swarm_t  **p;

    p = &s->stripe->buckets[ngx_http_tracker_swarm_bucket(s->stripe,
                                                          swarm->id)];
    while (*p != swarm) {
        p = &(*p)->next;
    }

    *p = swarm->next;

    ngx_queue_remove(&swarm->lru);

    ngx_http_tracker_swarm_count_locked(s, swarm, -1);

    if (swarm->torrent) {
        s->stripe->tally.torrents--;

    } else {
        s->stripe->tally.resources--;
    }

    ngx_http_tracker_peerset_free_locked(&swarm->v4, s->shpool);
    ngx_http_tracker_peerset_free_locked(&swarm->v6, s->shpool);

    while (swarm->holders) {
        ngx_http_tracker_swarm_drop_locked(s, swarm, swarm->holders);
    }

    if (swarm->text) {
        ngx_http_tracker_note_free_locked(s, swarm->text->notes);
        ngx_slab_free_locked(s->shpool, swarm->text);
    }

    ngx_slab_free_locked(s->shpool, swarm);
}


ngx_int_t
ngx_http_tracker_swarm_make_locked(ngx_http_tracker_section_t *s,
    ngx_http_tracker_resource_t *res)
{
    u_char                     *p;
    size_t                      len;
    ngx_http_tracker_text_t    *text;
    ngx_http_tracker_swarm_t   *swarm, **bucket;

    if (s->swarm == NULL) {

        ngx_http_tracker_swarm_reserve_locked(s);

        swarm = ngx_http_tracker_swarm_alloc_locked(s,
                                            sizeof(ngx_http_tracker_swarm_t));
        if (swarm == NULL) {
            return NGX_DECLINED;
        }

        ngx_memcpy(swarm->id, s->id, NGX_HTTP_TRACKER_ID_LEN);
        swarm->used = ngx_http_tracker_now();
        swarm->torrent = s->torrent & 1;

        bucket = &s->stripe->buckets[ngx_http_tracker_swarm_bucket(s->stripe,
                                                                   s->id)];
        swarm->next = *bucket;
        *bucket = swarm;

        ngx_queue_insert_head(&s->stripe->lru, &swarm->lru);

        if (s->torrent) {
            s->stripe->tally.torrents++;

        } else {
            s->stripe->tally.resources++;
        }

        s->swarm = swarm;
    }

    if (res == NULL || s->swarm->text) {
        return NGX_OK;
    }

    len = offsetof(ngx_http_tracker_text_t, data) + res->url.len
          + res->version.len + res->provider.len;

    text = ngx_http_tracker_swarm_alloc_locked(s, len);
    if (text == NULL) {
        return NGX_DECLINED;
    }

    text->size = res->size;
    text->url_len = (uint16_t) res->url.len;
    text->version_len = (uint16_t) res->version.len;
    text->provider_len = (uint16_t) res->provider.len;

    p = ngx_cpymem(text->data, res->url.data, res->url.len);
    p = ngx_cpymem(p, res->version.data, res->version.len);
    ngx_memcpy(p, res->provider.data, res->provider.len);

    s->swarm->text = text;

    return NGX_OK;
}


void
ngx_http_tracker_swarm_copy_locked(ngx_http_tracker_section_t *s,
    ngx_http_tracker_view_t *view)
{
    ngx_http_tracker_node_t  *node;

    view->nholders = 0;
    view->nbad = 0;
    view->secure = 0;

    if (s->swarm == NULL) {
        return;
    }

    if (s->swarm->reported) {
        ngx_http_tracker_note_bad_locked(s, view);
    }

    for (node = s->swarm->holders; node; node = node->next) {
        view->holders[view->nholders++].said = node->said;
    }
}
