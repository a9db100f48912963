
/*
 * Roots: super peers that took every byte from CDN nodes vote. More than half
 * of them decide; else no root is told, and nobody who told one is listed.
 * Who asks for an https URL hears nothing of what came by http.
 */


#include "ngx_http_tracker_roster.h"


#define ngx_http_tracker_vote_counts(h)                                       \
    ((h)->valid && (h)->alive && (h)->said.vote && (h)->said.rooted           \
     && !(h)->outvoted)


static ngx_uint_t
ngx_http_tracker_vote_same(u_char *a, u_char *b)
{
    return ngx_memcmp(a, b, NGX_HTTP_TRACKER_ROOT_LEN) == 0;
}


/* A root that more than half of them have is the one that is left over. */
static u_char *
ngx_http_tracker_vote_candidate(ngx_http_tracker_view_t *view)
{
    u_char                     *root;
    ngx_uint_t                  i, left;
    ngx_http_tracker_holder_t  *h;

    root = NULL;
    left = 0;

    for (i = 0; i < view->nholders; i++) {
        h = &view->holders[i];

        if (!ngx_http_tracker_vote_counts(h)) {
            continue;
        }

        view->voters++;

        if (left == 0) {
            root = h->said.root;
            left = 1;

        } else if (ngx_http_tracker_vote_same(root, h->said.root)) {
            left++;

        } else {
            left--;
        }
    }

    return root;
}


void
ngx_http_tracker_vote(ngx_http_tracker_view_t *view)
{
    u_char                     *root;
    ngx_uint_t                  i;
    ngx_http_tracker_holder_t  *h;

    view->root = NULL;
    view->votes = 0;
    view->voters = 0;
    view->split = 0;

    for (i = 0; i < view->nholders; i++) {
        view->holders[i].outvoted = view->secure
                                    && view->holders[i].said.plain;
    }

    root = ngx_http_tracker_vote_candidate(view);

    if (root == NULL) {
        return;
    }

    for (i = 0; i < view->nholders; i++) {
        h = &view->holders[i];

        if (h->said.rooted
            && !ngx_http_tracker_vote_same(root, h->said.root))
        {
            h->outvoted = 1;
        }

        if (ngx_http_tracker_vote_counts(h)) {
            view->votes++;
        }
    }

    if (2 * view->votes > view->voters) {
        view->root = root;
        return;
    }

    view->votes = 0;
    view->split = 1;

    for (i = 0; i < view->nholders; i++) {
        view->holders[i].outvoted |= view->holders[i].said.rooted;
    }
}
