
/*
 * What a swarm knows of its super peers: told, said, refused.
 */


#include "ngx_http_tracker_swarm_shm.h"
#include "ngx_http_tracker_stat.h"


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


/*
 * Notes one super peer as told to prepare; NGX_DONE when it was told by
 * another request, or has spoken, meanwhile.
 */
static ngx_int_t
ngx_http_tracker_swarm_tell_locked(ngx_http_tracker_section_t *s,
    ngx_http_tracker_resource_t *res, ngx_http_tracker_holder_t *h)
{
    ngx_http_tracker_node_t  *node;

    node = ngx_http_tracker_swarm_find_locked(s, h->said.super);

    if (node) {
        if (ngx_memcmp(&node->said, &h->said, sizeof(h->said)) != 0) {
            return NGX_DONE;
        }

        if (node->said.state == NGX_HTTP_TRACKER_PREPARING) {
            ngx_http_tracker_stat_add(s->zone, NGX_HTTP_TRACKER_STAT_EXPIRED,
                                      1);
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


static ngx_int_t
ngx_http_tracker_swarm_tell_all_locked(ngx_http_tracker_section_t *s,
    ngx_http_tracker_resource_t *res, ngx_http_tracker_view_t *view,
    ngx_http_tracker_commit_t *commit)
{
    ngx_int_t                   rc, told;
    ngx_uint_t                  i;
    ngx_http_tracker_holder_t  *h;

    rc = NGX_OK;

    if (commit->after > 1) {
        rc = ngx_http_tracker_note_asker_locked(s, res, commit->asker,
                                                commit->after);
    }

    for (i = 0; i < view->nholders; i++) {
        h = &view->holders[i];

        if (!h->fresh) {
            continue;
        }

        told = (rc == NGX_AGAIN)
               ? rc : ngx_http_tracker_swarm_tell_locked(s, res, h);

        if (told != NGX_OK) {
            h->fresh = 0;
            h->chosen = (told == NGX_DONE);
            view->nfresh--;
        }

        if (told == NGX_DECLINED) {
            rc = NGX_DECLINED;
        }
    }

    return rc == NGX_DECLINED ? NGX_DECLINED : NGX_OK;
}


ngx_int_t
ngx_http_tracker_swarm_commit(ngx_http_tracker_zone_t *zone,
    ngx_http_tracker_resource_t *res, ngx_http_tracker_view_t *view,
    ngx_http_tracker_commit_t *commit)
{
    ngx_int_t                    rc;
    ngx_uint_t                   i;
    ngx_http_tracker_node_t     *node;
    ngx_http_tracker_holder_t   *h;
    ngx_http_tracker_section_t   s;

    rc = NGX_OK;
    commit->pending = 0;

    ngx_http_tracker_swarm_open(zone, res->id, &s);

    if (view->nfresh) {
        rc = ngx_http_tracker_swarm_tell_all_locked(&s, res, view, commit);
    }

    for (i = 0; i < view->nholders; i++) {
        h = &view->holders[i];

        node = ngx_http_tracker_swarm_find_locked(&s, h->said.super);
        if (node == NULL) {
            continue;
        }

        if (h->chosen && (node->said.state == NGX_HTTP_TRACKER_PREPARING
                          || (node->said.state == NGX_HTTP_TRACKER_FILLING
                              && !commit->filling)))
        {
            commit->pending++;
        }

        if (!h->valid && !h->chosen
            && ngx_memcmp(&node->said, &h->said, sizeof(h->said)) == 0)
        {
            ngx_http_tracker_swarm_drop_locked(&s, s.swarm, node);
        }
    }

    if (s.swarm && commit->pending) {
        s.swarm->mask |= commit->bit;
        s.swarm->until = ngx_max(s.swarm->until, commit->until);
    }

    ngx_http_tracker_stripe_unlock(zone, res->id);

    return rc;
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


/* How a prepare ended, if this is the end of one. */
static void
ngx_http_tracker_swarm_outcome_locked(ngx_http_tracker_section_t *s,
    ngx_http_tracker_node_t *node, ngx_http_tracker_said_t *said)
{
    if (node->said.state != NGX_HTTP_TRACKER_PREPARING
        && node->said.state != NGX_HTTP_TRACKER_FILLING)
    {
        return;
    }

    if (said->state == NGX_HTTP_TRACKER_COMPLETE) {
        ngx_http_tracker_stat_add(s->zone, NGX_HTTP_TRACKER_STAT_READY, 1);

    } else if (said->state == NGX_HTTP_TRACKER_REFUSED) {
        ngx_http_tracker_stat_add(s->zone, NGX_HTTP_TRACKER_STAT_REFUSED
                                           + said->reason, 1);
    }
}


static ngx_int_t
ngx_http_tracker_swarm_store_locked(ngx_http_tracker_section_t *s,
    ngx_http_tracker_node_t *node, ngx_http_tracker_said_t *said,
    ngx_http_tracker_view_t *view)
{
    ngx_uint_t  news;

    if (node == NULL) {

        if (ngx_http_tracker_swarm_make_locked(s, NULL) != NGX_OK) {
            return NGX_DECLINED;
        }

        node = ngx_http_tracker_swarm_add_locked(s);
        if (node == NULL) {
            return NGX_DECLINED;
        }

        ngx_memzero(&node->said, sizeof(ngx_http_tracker_said_t));
    }

    ngx_http_tracker_swarm_outcome_locked(s, node, said);

    news = said->rooted
           && (!node->said.rooted
               || ngx_memcmp(node->said.root, said->root,
                             NGX_HTTP_TRACKER_ROOT_LEN) != 0);

    node->said = *said;

    if (news && ngx_http_tracker_swarm_differs_locked(s, said)) {
        ngx_http_tracker_swarm_copy_locked(s, view);
    }

    return NGX_OK;
}


ngx_int_t
ngx_http_tracker_swarm_say(ngx_http_tracker_zone_t *zone, u_char *id,
    ngx_http_tracker_said_t *said, uint64_t *wake,
    ngx_http_tracker_view_t *view)
{
    ngx_int_t                    rc;
    ngx_uint_t                   again;
    ngx_http_tracker_node_t     *node;
    ngx_http_tracker_section_t   s;

    *wake = 0;
    view->nholders = 0;
    rc = NGX_OK;

    ngx_http_tracker_swarm_open(zone, id, &s);

    node = ngx_http_tracker_swarm_find_locked(&s, said->super);

    again = (said->state == NGX_HTTP_TRACKER_FILLING && node
             && node->said.state == NGX_HTTP_TRACKER_FILLING);

    if (said->state == NGX_HTTP_TRACKER_GONE) {
        if (node) {
            ngx_http_tracker_swarm_drop_locked(&s, s.swarm, node);
        }

        goto done;
    }

    if (said->state == NGX_HTTP_TRACKER_REFUSED && s.swarm == NULL) {
        goto done;
    }

    rc = ngx_http_tracker_swarm_store_locked(&s, node, said, view);

done:

    if (s.swarm && !again) {
        *wake = s.swarm->mask;
        s.swarm->mask = 0;
    }

    ngx_http_tracker_stripe_unlock(zone, id);

    return rc;
}
