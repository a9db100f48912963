
#include "ngx_http_tracker_swarm.h"
#include "ngx_http_tracker_stripe.h"


enum {
    NGX_HTTP_TRACKER_EVICT_MAX = 16,    /* tried for one allocation */
    NGX_HTTP_TRACKER_EXPIRE_BUCKETS = 2,
    NGX_HTTP_TRACKER_IDLE = 300,        /* s until an empty swarm goes */
    NGX_HTTP_TRACKER_WAITED = 60        /* s for which a mask is believed */
};


typedef struct ngx_http_tracker_node_s  ngx_http_tracker_node_t;

struct ngx_http_tracker_node_s {
    ngx_http_tracker_node_t      *next;
    ngx_http_tracker_said_t       said;
};


struct ngx_http_tracker_swarm_s {
    ngx_http_tracker_swarm_t     *next;
    ngx_queue_t                   lru;
    uint64_t                      mask;        /* workers that have waiters */
    ngx_http_tracker_text_t      *text;        /* NULL: not known yet */
    ngx_http_tracker_node_t      *holders;
    ngx_http_tracker_peerset_t    v4;
    ngx_http_tracker_peerset_t    v6;
    uint32_t                      used;
    u_char                        id[NGX_HTTP_TRACKER_ID_LEN];
};


/* What one locked section works on. */

typedef struct {
    ngx_http_tracker_stripe_t    *stripe;
    ngx_slab_pool_t              *shpool;
    u_char                       *id;
    ngx_http_tracker_swarm_t     *swarm;       /* NULL: there is none */
} ngx_http_tracker_section_t;


static void ngx_http_tracker_swarm_open(ngx_http_tracker_zone_t *zone,
    u_char *id, ngx_http_tracker_section_t *s);
static ngx_int_t ngx_http_tracker_swarm_make_locked(
    ngx_http_tracker_section_t *s, ngx_http_tracker_resource_t *res);
static void ngx_http_tracker_swarm_copy_locked(ngx_http_tracker_section_t *s,
    ngx_http_tracker_view_t *view);
static void ngx_http_tracker_swarm_expire_locked(
    ngx_http_tracker_section_t *s);


#define ngx_http_tracker_swarm_bucket(stripe, id)                             \
    (ngx_http_tracker_swarm_key(id) >> 16 & ((stripe)->nbuckets - 1))


/* bits of requests that are over stay in the mask until the next wake */

#define ngx_http_tracker_swarm_waited(swarm)                                  \
    ((swarm)->mask                                                            \
     && ngx_http_tracker_now() - (swarm)->used < NGX_HTTP_TRACKER_WAITED)


uint64_t
ngx_http_tracker_swarm_key(u_char *id)
{
    uint64_t  key;

    /* the first byte chose the stripe already */

    ngx_memcpy(&key, id + 1, sizeof(key));

    return key;
}


static void
ngx_http_tracker_swarm_open(ngx_http_tracker_zone_t *zone, u_char *id,
    ngx_http_tracker_section_t *s)
{
    ngx_http_tracker_swarm_t  *swarm;

    s->id = id;
    s->stripe = ngx_http_tracker_stripe_lock(zone, id, &s->shpool);

    swarm = s->stripe->buckets[ngx_http_tracker_swarm_bucket(s->stripe, id)];

    while (swarm && ngx_memcmp(swarm->id, id, NGX_HTTP_TRACKER_ID_LEN) != 0) {
        swarm = swarm->next;
    }

    if (swarm) {
        swarm->used = ngx_http_tracker_now();

        ngx_queue_remove(&swarm->lru);
        ngx_queue_insert_head(&s->stripe->lru, &swarm->lru);
    }

    s->swarm = swarm;
}


static void
ngx_http_tracker_swarm_free_locked(ngx_http_tracker_section_t *s,
    ngx_http_tracker_swarm_t *swarm)
{
    ngx_http_tracker_node_t    *node;
    ngx_http_tracker_swarm_t  **p;

    p = &s->stripe->buckets[ngx_http_tracker_swarm_bucket(s->stripe,
                                                          swarm->id)];
    while (*p != swarm) {
        p = &(*p)->next;
    }

    *p = swarm->next;

    ngx_queue_remove(&swarm->lru);
    s->stripe->swarms--;

    ngx_http_tracker_peerset_free_locked(&swarm->v4, s->shpool);
    ngx_http_tracker_peerset_free_locked(&swarm->v6, s->shpool);

    while (swarm->holders) {
        node = swarm->holders;
        swarm->holders = node->next;
        ngx_slab_free_locked(s->shpool, node);
    }

    if (swarm->text) {
        ngx_slab_free_locked(s->shpool, swarm->text);
    }

    ngx_slab_free_locked(s->shpool, swarm);
}


/*
 * Least recently used swarms make room; not those for which requests wait,
 * which would learn of it at their deadline only.
 */
static void *
ngx_http_tracker_swarm_alloc_locked(ngx_http_tracker_section_t *s, size_t size)
{
    void                      *p;
    ngx_uint_t                 n;
    ngx_queue_t               *q, *prev;
    ngx_http_tracker_swarm_t  *swarm;

    p = ngx_slab_calloc_locked(s->shpool, size);

    q = ngx_queue_last(&s->stripe->lru);

    for (n = 0; p == NULL && n < NGX_HTTP_TRACKER_EVICT_MAX; n++) {

        if (q == ngx_queue_sentinel(&s->stripe->lru)) {
            break;
        }

        prev = ngx_queue_prev(q);
        swarm = ngx_queue_data(q, ngx_http_tracker_swarm_t, lru);

        if (swarm != s->swarm && !ngx_http_tracker_swarm_waited(swarm)) {
            ngx_http_tracker_swarm_free_locked(s, swarm);
            p = ngx_slab_calloc_locked(s->shpool, size);
        }

        q = prev;
    }

    return p;
}


static ngx_int_t
ngx_http_tracker_swarm_make_locked(ngx_http_tracker_section_t *s,
    ngx_http_tracker_resource_t *res)
{
    u_char                     *p;
    size_t                      len;
    ngx_http_tracker_text_t    *text;
    ngx_http_tracker_swarm_t   *swarm, **bucket;

    if (s->swarm == NULL) {

        swarm = ngx_http_tracker_swarm_alloc_locked(s,
                                            sizeof(ngx_http_tracker_swarm_t));
        if (swarm == NULL) {
            return NGX_DECLINED;
        }

        ngx_memcpy(swarm->id, s->id, NGX_HTTP_TRACKER_ID_LEN);
        swarm->used = ngx_http_tracker_now();

        bucket = &s->stripe->buckets[ngx_http_tracker_swarm_bucket(s->stripe,
                                                                   s->id)];
        swarm->next = *bucket;
        *bucket = swarm;

        ngx_queue_insert_head(&s->stripe->lru, &swarm->lru);

        s->stripe->swarms++;
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


static void
ngx_http_tracker_swarm_copy_locked(ngx_http_tracker_section_t *s,
    ngx_http_tracker_view_t *view)
{
    ngx_http_tracker_node_t  *node;

    view->nholders = 0;

    if (s->swarm == NULL) {
        return;
    }

    for (node = s->swarm->holders; node; node = node->next) {
        view->holders[view->nholders++].said = node->said;
    }
}


/* A few swarms that nobody asks for any more, wherever they are. */
static void
ngx_http_tracker_swarm_expire_locked(ngx_http_tracker_section_t *s)
{
    uint32_t                   now;
    ngx_uint_t                 n;
    ngx_http_tracker_swarm_t  *swarm, *next;

    now = ngx_http_tracker_now();

    for (n = 0; n < NGX_HTTP_TRACKER_EXPIRE_BUCKETS; n++) {

        s->stripe->hand = (s->stripe->hand + 1) & (s->stripe->nbuckets - 1);

        for (swarm = s->stripe->buckets[s->stripe->hand]; swarm; swarm = next) {

            next = swarm->next;

            if (swarm == s->swarm
                || now - swarm->used < NGX_HTTP_TRACKER_IDLE)
            {
                continue;
            }

            ngx_http_tracker_peerset_expire_locked(&swarm->v4, s->shpool, 4,
                                          now - NGX_HTTP_TRACKER_IDLE);
            ngx_http_tracker_peerset_expire_locked(&swarm->v6, s->shpool, 6,
                                          now - NGX_HTTP_TRACKER_IDLE);

            if (swarm->v4.n == 0 && swarm->v6.n == 0 && !swarm->holders) {
                ngx_http_tracker_swarm_free_locked(s, swarm);
            }
        }
    }
}


#define ngx_http_tracker_swarm_set(swarm, family)                             \
    ((family) == 4 ? &(swarm)->v4 : &(swarm)->v6)


static ngx_int_t
ngx_http_tracker_swarm_join_locked(ngx_http_tracker_section_t *s,
    ngx_http_tracker_resource_t *res, ngx_http_tracker_peer_t *peer)
{
    ngx_int_t                    rc;
    ngx_uint_t                   n;
    ngx_queue_t                 *q, *prev;
    ngx_http_tracker_swarm_t    *swarm;
    ngx_http_tracker_peerset_t  *set;

    if (ngx_http_tracker_swarm_make_locked(s, res) != NGX_OK) {
        return NGX_DECLINED;
    }

    set = ngx_http_tracker_swarm_set(s->swarm, peer->addr.family);

    rc = ngx_http_tracker_peerset_put_locked(set, s->shpool, peer,
                                             ngx_http_tracker_now());

    q = ngx_queue_last(&s->stripe->lru);

    for (n = 0; rc == NGX_DECLINED && n < NGX_HTTP_TRACKER_EVICT_MAX; n++) {

        prev = ngx_queue_prev(q);
        swarm = ngx_queue_data(q, ngx_http_tracker_swarm_t, lru);

        if (swarm == s->swarm) {
            break;
        }

        if (!ngx_http_tracker_swarm_waited(swarm)) {
            ngx_http_tracker_swarm_free_locked(s, swarm);
            rc = ngx_http_tracker_peerset_put_locked(set, s->shpool, peer,
                                                     ngx_http_tracker_now());
        }

        q = prev;
    }

    return rc == NGX_OK ? NGX_OK : NGX_DECLINED;
}


ngx_int_t
ngx_http_tracker_swarm_look(ngx_http_tracker_zone_t *zone,
    ngx_http_tracker_resource_t *res, ngx_http_tracker_peer_t *peer,
    uint32_t ttl, ngx_http_tracker_view_t *view)
{
    uint32_t                    before;
    ngx_int_t                   rc;
    ngx_http_tracker_section_t  s;

    before = ngx_http_tracker_now() - ngx_min(ttl, ngx_http_tracker_now());
    rc = NGX_OK;

    ngx_http_tracker_swarm_open(zone, res->id, &s);

    ngx_http_tracker_swarm_expire_locked(&s);

    if (s.swarm) {
        ngx_http_tracker_peerset_expire_locked(&s.swarm->v4, s.shpool, 4,
                                               before);
        ngx_http_tracker_peerset_expire_locked(&s.swarm->v6, s.shpool, 6,
                                               before);
    }

    if (peer) {
        rc = ngx_http_tracker_swarm_join_locked(&s, res, peer);
    }

    ngx_http_tracker_swarm_copy_locked(&s, view);

    ngx_http_tracker_stripe_unlock(zone, res->id);

    return rc;
}


static ngx_http_tracker_node_t *
ngx_http_tracker_swarm_find_locked(ngx_http_tracker_section_t *s,
    uint32_t super)
{
    ngx_http_tracker_node_t  *node;

    for (node = s->swarm ? s->swarm->holders : NULL; node; node = node->next) {
        if (node->said.super == super) {
            return node;
        }
    }

    return NULL;
}


/* A new entry, in the place of the oldest when there are too many. */
static ngx_http_tracker_node_t *
ngx_http_tracker_swarm_add_locked(ngx_http_tracker_section_t *s)
{
    ngx_uint_t                n;
    ngx_http_tracker_node_t  *node, *oldest;

    n = 0;
    oldest = NULL;

    for (node = s->swarm->holders; node; node = node->next) {
        if (oldest == NULL || node->said.at < oldest->said.at) {
            oldest = node;
        }

        n++;
    }

    if (n >= NGX_HTTP_TRACKER_HOLDERS_MAX) {
        return oldest;
    }

    node = ngx_http_tracker_swarm_alloc_locked(s,
                                             sizeof(ngx_http_tracker_node_t));
    if (node) {
        node->next = s->swarm->holders;
        s->swarm->holders = node;
    }

    return node;
}


static void
ngx_http_tracker_swarm_drop_locked(ngx_http_tracker_section_t *s,
    ngx_http_tracker_node_t *node)
{
    ngx_http_tracker_node_t  **p;

    p = &s->swarm->holders;

    while (*p != node) {
        p = &(*p)->next;
    }

    *p = node->next;

    ngx_slab_free_locked(s->shpool, node);
}


/* Notes one super peer as told to prepare, unless it has spoken meanwhile. */
static ngx_int_t
ngx_http_tracker_swarm_tell_locked(ngx_http_tracker_section_t *s,
    ngx_http_tracker_resource_t *res, ngx_http_tracker_holder_t *h)
{
    ngx_http_tracker_node_t  *node;

    node = ngx_http_tracker_swarm_find_locked(s, h->said.super);

    if (node) {
        if (ngx_memcmp(&node->said, &h->said, sizeof(h->said)) != 0) {
            return NGX_OK;
        }

    } else {

        if (ngx_http_tracker_swarm_make_locked(s, res) != NGX_OK) {
            return NGX_DECLINED;
        }

        node = ngx_http_tracker_swarm_add_locked(s);
        if (node == NULL) {
            return NGX_DECLINED;
        }
    }

    ngx_memzero(&node->said, sizeof(ngx_http_tracker_said_t));

    node->said.super = h->said.super;
    node->said.gen = h->gen;
    node->said.at = ngx_http_tracker_now();
    node->said.state = NGX_HTTP_TRACKER_PREPARING;

    return NGX_OK;
}


ngx_int_t
ngx_http_tracker_swarm_commit(ngx_http_tracker_zone_t *zone,
    ngx_http_tracker_resource_t *res, ngx_http_tracker_view_t *view,
    uint64_t bit, ngx_uint_t *pending)
{
    ngx_int_t                    rc;
    ngx_uint_t                   i;
    ngx_http_tracker_node_t     *node;
    ngx_http_tracker_holder_t   *h;
    ngx_http_tracker_section_t   s;

    rc = NGX_OK;
    *pending = 0;

    ngx_http_tracker_swarm_open(zone, res->id, &s);

    for (i = 0; i < view->nholders; i++) {
        h = &view->holders[i];

        if (h->fresh
            && ngx_http_tracker_swarm_tell_locked(&s, res, h) != NGX_OK)
        {
            rc = NGX_DECLINED;
        }

        node = ngx_http_tracker_swarm_find_locked(&s, h->said.super);
        if (node == NULL) {
            continue;
        }

        if (h->chosen && (node->said.state == NGX_HTTP_TRACKER_PREPARING
                          || node->said.state == NGX_HTTP_TRACKER_FILLING))
        {
            (*pending)++;
        }

        if (!h->valid && !h->chosen
            && ngx_memcmp(&node->said, &h->said, sizeof(h->said)) == 0)
        {
            ngx_http_tracker_swarm_drop_locked(&s, node);
        }
    }

    if (s.swarm && *pending) {
        s.swarm->mask |= bit;
    }

    ngx_http_tracker_stripe_unlock(zone, res->id);

    return rc;
}


ngx_uint_t
ngx_http_tracker_swarm_pick(ngx_http_tracker_zone_t *zone, u_char *id,
    ngx_http_tracker_peer_t *not, uint32_t ttl, ngx_http_tracker_view_t *view,
    ngx_http_tracker_peer_t *peers, ngx_uint_t n)
{
    uint32_t                    before;
    ngx_uint_t                  found, family;
    ngx_http_tracker_section_t  s;

    before = ngx_http_tracker_now() - ngx_min(ttl, ngx_http_tracker_now());
    found = 0;

    /* the asker's own family first: it reaches that one for sure */

    family = (not->addr.family == 6) ? 6 : 4;

    ngx_http_tracker_swarm_open(zone, id, &s);

    ngx_http_tracker_swarm_copy_locked(&s, view);

    if (s.swarm) {
        found = ngx_http_tracker_peerset_pick_locked(
                             ngx_http_tracker_swarm_set(s.swarm, family),
                             family, before, not, peers, n);
        family = 10 - family;

        found += ngx_http_tracker_peerset_pick_locked(
                             ngx_http_tracker_swarm_set(s.swarm, family),
                             family, before, not, peers + found, n - found);
    }

    ngx_http_tracker_stripe_unlock(zone, id);

    return found;
}


void
ngx_http_tracker_swarm_leave(ngx_http_tracker_zone_t *zone, u_char *id,
    ngx_http_tracker_peer_t *peer)
{
    ngx_http_tracker_section_t  s;

    ngx_http_tracker_swarm_open(zone, id, &s);

    if (s.swarm) {
        ngx_http_tracker_peerset_del_locked(
                 ngx_http_tracker_swarm_set(s.swarm, peer->addr.family), peer);
    }

    ngx_http_tracker_stripe_unlock(zone, id);
}


/* Does anybody's root of all CDN bytes differ from this one? */
static ngx_uint_t
ngx_http_tracker_swarm_differs_locked(ngx_http_tracker_section_t *s,
    ngx_http_tracker_said_t *said)
{
    ngx_http_tracker_node_t  *node;

    for (node = s->swarm->holders; node; node = node->next) {

        if (node->said.super != said->super
            && node->said.rooted
            && (node->said.vote || said->vote)
            && ngx_memcmp(node->said.root, said->root,
                          NGX_HTTP_TRACKER_ROOT_LEN) != 0)
        {
            return 1;
        }
    }

    return 0;
}


ngx_int_t
ngx_http_tracker_swarm_say(ngx_http_tracker_zone_t *zone, u_char *id,
    ngx_http_tracker_said_t *said, uint64_t *wake,
    ngx_http_tracker_view_t *view)
{
    ngx_int_t                    rc;
    ngx_http_tracker_node_t     *node;
    ngx_http_tracker_section_t   s;

    *wake = 0;
    view->nholders = 0;
    rc = NGX_OK;

    ngx_http_tracker_swarm_open(zone, id, &s);

    node = ngx_http_tracker_swarm_find_locked(&s, said->super);

    if (said->state == NGX_HTTP_TRACKER_GONE) {
        if (node) {
            ngx_http_tracker_swarm_drop_locked(&s, node);
        }

        goto done;
    }

    if (said->state == NGX_HTTP_TRACKER_REFUSED && s.swarm == NULL) {
        goto done;
    }

    if (node == NULL) {
        rc = ngx_http_tracker_swarm_make_locked(&s, NULL);
        if (rc != NGX_OK) {
            goto done;
        }

        node = ngx_http_tracker_swarm_add_locked(&s);
        if (node == NULL) {
            rc = NGX_DECLINED;
            goto done;
        }

        ngx_memzero(&node->said, sizeof(ngx_http_tracker_said_t));
    }

    if (said->rooted
        && (!node->said.rooted || ngx_memcmp(node->said.root, said->root,
                                             NGX_HTTP_TRACKER_ROOT_LEN) != 0)
        && ngx_http_tracker_swarm_differs_locked(&s, said))
    {
        node->said = *said;
        ngx_http_tracker_swarm_copy_locked(&s, view);
    }

    node->said = *said;

done:

    if (s.swarm && said->state != NGX_HTTP_TRACKER_FILLING) {
        *wake = s.swarm->mask;
        s.swarm->mask = 0;
    }

    ngx_http_tracker_stripe_unlock(zone, id);

    return rc;
}


ngx_int_t
ngx_http_tracker_swarm_text(ngx_http_tracker_zone_t *zone, u_char *id,
    ngx_http_tracker_text_t *text, ngx_http_tracker_view_t *view)
{
    ngx_int_t                   rc;
    ngx_http_tracker_text_t    *t;
    ngx_http_tracker_section_t  s;

    rc = NGX_DECLINED;

    ngx_http_tracker_swarm_open(zone, id, &s);

    if (s.swarm && s.swarm->text) {
        t = s.swarm->text;

        ngx_memcpy(text, t, offsetof(ngx_http_tracker_text_t, data)
                            + t->url_len + t->version_len + t->provider_len);

        ngx_http_tracker_swarm_copy_locked(&s, view);

        rc = NGX_OK;
    }

    ngx_http_tracker_stripe_unlock(zone, id);

    return rc;
}
