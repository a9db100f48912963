
/*
 * What a few resources have beyond their peers and super peers: who asked
 * before anybody was told to prepare, and reports.
 */


#include "ngx_http_tracker_swarm_shm.h"


enum {
    NGX_HTTP_TRACKER_REPORTERS = 3,     /* networks */
    NGX_HTTP_TRACKER_REPORT_TIME = 600  /* s */
};


struct ngx_http_tracker_asked_s {
    uint32_t                      n;
    uint32_t                      askers[NGX_HTTP_TRACKER_AFTER_MAX];
};


/* One holder, from the first report of it on. */

typedef struct {
    ngx_http_tracker_bad_t        bad;
    uint32_t                      at;          /* of the last that counted */
    uint32_t                      n;           /* 0: free */
    uint32_t                      from[NGX_HTTP_TRACKER_REPORTERS];
} ngx_http_tracker_report_t;


struct ngx_http_tracker_reports_s {
    ngx_http_tracker_report_t     reports[NGX_HTTP_TRACKER_BAD_MAX];
};


static ngx_http_tracker_notes_t *
ngx_http_tracker_note_make_locked(ngx_http_tracker_section_t *s,
    ngx_http_tracker_resource_t *res)
{
    if (ngx_http_tracker_swarm_make_locked(s, res) != NGX_OK) {
        return NULL;
    }

    if (s->swarm->text->notes == NULL) {
        s->swarm->text->notes = ngx_http_tracker_swarm_alloc_locked(s,
                                            sizeof(ngx_http_tracker_notes_t));
    }

    return s->swarm->text->notes;
}


ngx_int_t
ngx_http_tracker_note_asker_locked(ngx_http_tracker_section_t *s,
    ngx_http_tracker_resource_t *res, uint32_t asker, ngx_uint_t after)
{
    uint32_t                   i;
    ngx_http_tracker_asked_t  *asked;
    ngx_http_tracker_notes_t  *notes;

    notes = ngx_http_tracker_note_make_locked(s, res);
    if (notes == NULL) {
        return NGX_DECLINED;
    }

    if (notes->asked == NULL) {
        notes->asked = ngx_http_tracker_swarm_alloc_locked(s,
                                            sizeof(ngx_http_tracker_asked_t));
        if (notes->asked == NULL) {
            return NGX_DECLINED;
        }
    }

    asked = notes->asked;

    for (i = 0; i < asked->n; i++) {
        if (asked->askers[i] == asker) {
            break;
        }
    }

    if (i == asked->n && i < NGX_HTTP_TRACKER_AFTER_MAX) {
        asked->askers[asked->n++] = asker;
    }

    return asked->n >= after ? NGX_OK : NGX_AGAIN;
}


static ngx_uint_t
ngx_http_tracker_note_same(ngx_http_tracker_bad_t *a,
    ngx_http_tracker_bad_t *b)
{
    if (a->known || b->known) {
        return a->known && b->known && a->super == b->super
               && a->born == b->born;
    }

    return a->port == b->port && a->addr.family == b->addr.family
           && ngx_memcmp(a->addr.bytes, b->addr.bytes, sizeof(a->addr.bytes))
              == 0;
}


/*
 * The report's place: its own, a free one, or that of who was reported last
 * the longest ago; not of one that is passed over now.
 */
static ngx_http_tracker_report_t *
ngx_http_tracker_note_place(ngx_http_tracker_reports_t *reports,
    ngx_http_tracker_bad_t *bad)
{
    uint32_t                    now;
    ngx_uint_t                  i;
    ngx_http_tracker_report_t  *r, *place;

    now = ngx_http_tracker_now();
    place = NULL;

    for (i = 0; i < NGX_HTTP_TRACKER_BAD_MAX; i++) {
        r = &reports->reports[i];

        if (ngx_http_tracker_age(now, r->at) >= NGX_HTTP_TRACKER_REPORT_TIME) {
            ngx_memzero(r, sizeof(ngx_http_tracker_report_t));
        }

        if (r->n && ngx_http_tracker_note_same(&r->bad, bad)) {
            return r;
        }

        if (r->n < NGX_HTTP_TRACKER_REPORTERS
            && (place == NULL || r->at < place->at))
        {
            place = r;
        }
    }

    if (place) {
        ngx_memzero(place, sizeof(ngx_http_tracker_report_t));
        place->bad = *bad;
    }

    return place;
}


static void
ngx_http_tracker_note_report_locked(ngx_http_tracker_section_t *s,
    ngx_http_tracker_resource_t *res, uint32_t from,
    ngx_http_tracker_bad_t *bad)
{
    uint32_t                    i;
    ngx_http_tracker_notes_t   *notes;
    ngx_http_tracker_report_t  *r;

    notes = ngx_http_tracker_note_make_locked(s, res);
    if (notes == NULL) {
        return;
    }

    if (notes->reports == NULL) {
        notes->reports = ngx_http_tracker_swarm_alloc_locked(s,
                                          sizeof(ngx_http_tracker_reports_t));
        if (notes->reports == NULL) {
            return;
        }

        s->swarm->reported = 1;
    }

    r = ngx_http_tracker_note_place(notes->reports, bad);

    if (r == NULL || r->n == NGX_HTTP_TRACKER_REPORTERS) {
        return;
    }

    for (i = 0; i < r->n; i++) {
        if (r->from[i] == from) {
            return;
        }
    }

    r->from[r->n++] = from;
    r->at = ngx_http_tracker_now();
}


/* Nobody else is worth a place. */
static ngx_uint_t
ngx_http_tracker_note_holds_locked(ngx_http_tracker_section_t *s,
    ngx_http_tracker_bad_t *bad)
{
    ngx_uint_t                   i;
    ngx_http_tracker_node_t     *node;

    if (!bad->known) {
        i = (bad->addr.family == 6);

        return ngx_http_tracker_peerset_has_locked(
                                    i ? &s->swarm->v6 : &s->swarm->v4,
                                    &s->px[i], &bad->addr, bad->port);
    }

    for (node = s->swarm->holders; node; node = node->next) {
        if (node->said.super == bad->super && node->said.gen >= bad->born
            && (node->said.state == NGX_HTTP_TRACKER_COMPLETE
                || node->said.state == NGX_HTTP_TRACKER_FILLING))
        {
            return 1;
        }
    }

    return 0;
}


void
ngx_http_tracker_swarm_report(ngx_http_tracker_zone_t *zone,
    ngx_http_tracker_resource_t *res, uint32_t from,
    ngx_http_tracker_bad_t *bad, ngx_uint_t n)
{
    ngx_uint_t                  i;
    ngx_http_tracker_section_t  s;

    ngx_http_tracker_swarm_open(zone, res->id, &s);

    for (i = 0; s.swarm && i < n; i++) {
        if (ngx_http_tracker_note_holds_locked(&s, &bad[i])) {
            bad[i].taken = 1;
            ngx_http_tracker_note_report_locked(&s, res, from, &bad[i]);
        }
    }

    ngx_http_tracker_stripe_unlock(zone, res->id);
}


void
ngx_http_tracker_note_bad_locked(ngx_http_tracker_section_t *s,
    ngx_http_tracker_view_t *view)
{
    ngx_uint_t                   i;
    ngx_http_tracker_report_t   *r;

    for (i = 0; i < NGX_HTTP_TRACKER_BAD_MAX; i++) {
        r = &s->swarm->text->notes->reports->reports[i];

        if (r->n == NGX_HTTP_TRACKER_REPORTERS
            && ngx_http_tracker_age(ngx_http_tracker_now(), r->at)
               < NGX_HTTP_TRACKER_REPORT_TIME)
        {
            view->bad[view->nbad++] = r->bad;
        }
    }
}


void
ngx_http_tracker_note_free_locked(ngx_http_tracker_section_t *s,
    ngx_http_tracker_notes_t *notes)
{
    if (notes == NULL) {
        return;
    }

    if (notes->asked) {
        ngx_slab_free_locked(s->shpool, notes->asked);
    }

    if (notes->reports) {
        ngx_slab_free_locked(s->shpool, notes->reports);
    }

    ngx_slab_free_locked(s->shpool, notes);
}
