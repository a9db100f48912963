
/*
 * What a few resources have beyond their peers and super peers: who asked
 * before anybody was told to prepare.
 */


#include "ngx_http_tracker_swarm_shm.h"


struct ngx_http_tracker_asked_s {
    uint32_t                      n;
    uint32_t                      askers[NGX_HTTP_TRACKER_AFTER_MAX];
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

    ngx_slab_free_locked(s->shpool, notes);
}
