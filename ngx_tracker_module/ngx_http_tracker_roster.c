
/*
 * Super peers and their calls; see roster_shm for the table itself, poll for
 * waiting, choose for selection.
 */


#include "ngx_http_tracker_rank.h"


static ngx_http_tracker_super_t *
ngx_http_tracker_roster_find_locked(ngx_http_tracker_roster_t *roster,
    ngx_str_t *name, uint32_t hash)
{
    ngx_uint_t                 i;
    ngx_http_tracker_super_t  *super;

    for (i = 0; i < roster->n; i++) {
        super = &roster->supers[i];

        if (super->hash == hash && super->name_len == name->len
            && ngx_memcmp(super->name, name->data, name->len) == 0)
        {
            return super;
        }
    }

    return NULL;
}


/* A free entry, else that of who was not seen for longest. */
static ngx_http_tracker_super_t *
ngx_http_tracker_roster_make_locked(ngx_http_tracker_roster_t *roster,
    ngx_str_t *name, uint32_t hash)
{
    ngx_uint_t                 i;
    ngx_http_tracker_super_t  *super, *s;

    super = NULL;

    if (roster->n < roster->max) {
        super = &roster->supers[roster->n++];

    } else {
        for (i = 0; i < roster->n; i++) {
            s = &roster->supers[i];

            if (!ngx_http_tracker_roster_alive(s)
                && (super == NULL || s->seen < super->seen))
            {
                super = s;
            }
        }
    }

    if (super == NULL) {
        return NULL;
    }

    ngx_memzero(super, sizeof(ngx_http_tracker_super_t));

    super->used = 1;
    super->slot = -1;
    super->hash = hash;
    super->name_len = (uint8_t) name->len;
    ngx_memcpy(super->name, name->data, name->len);

    super->born = super->gen = super->min_gen = ++roster->gen;

    return super;
}


/* What a call leaves out stands as it was said last. */
static void
ngx_http_tracker_roster_load_locked(ngx_http_tracker_super_t *super,
    ngx_http_tracker_load_t *load)
{
    uint64_t    *said, *now;
    ngx_uint_t   i;

    said = (uint64_t *) &super->said;
    now = (uint64_t *) load;

    for (i = 0; i < sizeof(ngx_http_tracker_load_t) / sizeof(uint64_t); i++) {
        if (now[i] != (uint64_t) -1) {
            said[i] = now[i];
        }
    }

    super->load = (uint8_t) ngx_http_tracker_rank_load(&super->said);
}


/*
 * Totals, so that a call that comes twice counts once. Where a session begins
 * here they only set the mark: it may be older than this tracker.
 */
static void
ngx_http_tracker_roster_bytes_locked(ngx_http_tracker_super_t *super,
    ngx_http_tracker_call_t *call, ngx_http_tracker_turn_t *turn)
{
    ngx_uint_t  i;

    for (i = 0; i < NGX_HTTP_TRACKER_BYTES; i++) {

        if (call->bytes[i] == (uint64_t) -1) {
            continue;
        }

        if (super->bytes[i] == (uint64_t) -1) {
            super->bytes[i] = call->bytes[i];

        } else if (call->bytes[i] > super->bytes[i]) {
            turn->bytes[i] = call->bytes[i] - super->bytes[i];
            super->bytes[i] = call->bytes[i];
        }
    }
}


static void
ngx_http_tracker_roster_take_locked(ngx_http_tracker_super_t *super,
    ngx_http_tracker_call_t *call)
{
    super->seen = ngx_current_msec;
    super->addr = call->addr;

    ngx_http_tracker_roster_load_locked(super, &call->load);

    super->locality_len = (uint8_t) call->locality.len;
    ngx_memcpy(super->locality, call->locality.data, call->locality.len);

    if (call->url.len) {
        super->url_addr = call->url_addr;
        super->url_port = call->url_port;
        super->url_len = (uint16_t) call->url.len;
        ngx_memcpy(super->url, call->url.data, call->url.len);
    }
}


static void
ngx_http_tracker_roster_session_locked(ngx_http_tracker_super_t *super,
    ngx_http_tracker_call_t *call, ngx_http_tracker_turn_t *turn)
{
    if (ngx_memcmp(super->session, call->session.data,
                   NGX_HTTP_TRACKER_SESSION_LEN)
        == 0)
    {
        return;
    }

    turn->replaced = super->session[0] != '\0';

    /*
     * A poll of the old session goes on until its time is over: two agents
     * under one name would replace each other without a pause.
     */

    ngx_memcpy(super->session, call->session.data,
               NGX_HTTP_TRACKER_SESSION_LEN);

    super->seq = 0;
    super->announcing = 0;
    super->stopped = 0;
    ngx_memset(super->bytes, 0xff, sizeof(super->bytes));
    super->serial++;
    super->slot = -1;
}


/* The caller's entry, made where there is none. */
static ngx_int_t
ngx_http_tracker_roster_entry_locked(ngx_http_tracker_roster_t *roster,
    ngx_http_tracker_call_t *call, ngx_http_tracker_super_t **super)
{
    uint32_t  hash;

    hash = ngx_murmur_hash2(call->name.data, call->name.len);

    *super = ngx_http_tracker_roster_find_locked(roster, &call->name, hash);

    if (*super) {
        return NGX_OK;
    }

    if (call->url.len == 0) {
        return NGX_DECLINED;
    }

    *super = ngx_http_tracker_roster_make_locked(roster, &call->name, hash);

    return *super ? NGX_OK : NGX_BUSY;
}


/*
 * All that it said is void, and it is away at once. Calls of its session that
 * were late do not bring it back.
 */
static void
ngx_http_tracker_roster_stop_locked(ngx_http_tracker_roster_t *roster,
    ngx_http_tracker_super_t *super, ngx_http_tracker_call_t *call,
    ngx_http_tracker_turn_t *turn)
{
    super->stopped = 1;
    super->seq = call->seq;
    super->announcing = 0;
    super->gen = super->min_gen = ++roster->gen;
    super->serial++;
    super->mask = 0;
    super->slot = -1;

    turn->take = 0;
    turn->stopped = 1;
}


/* A poll overtakes the older one; lines are taken once. */
static void
ngx_http_tracker_roster_open_locked(ngx_http_tracker_roster_t *roster,
    ngx_http_tracker_super_t *super, ngx_http_tracker_call_t *call,
    ngx_http_tracker_turn_t *turn)
{
    if (call->poll) {
        turn->serial = ++super->serial;
        turn->wake = super->mask;
        super->mask = 0;
        super->slot = -1;

    } else {
        turn->take = call->seq > super->seq;

        if (turn->take && call->stopped) {
            ngx_http_tracker_roster_stop_locked(roster, super, call, turn);

        } else if (turn->take) {
            super->stopped = 0;
        }

        if (turn->take && call->full == NGX_HTTP_TRACKER_FULL_FIRST) {
            super->gen = ++roster->gen;
            super->announcing = 1;
        }
    }

    turn->super = super - roster->supers;
    turn->gen = super->gen;
    turn->epoch = roster->epoch;
    turn->head = super->head;
}


ngx_int_t
ngx_http_tracker_roster_begin(ngx_http_tracker_zone_t *zone,
    ngx_http_tracker_call_t *call, ngx_http_tracker_turn_t *turn)
{
    ngx_int_t                   rc;
    ngx_http_tracker_super_t   *super;
    ngx_http_tracker_roster_t  *roster;

    ngx_memzero(turn, sizeof(ngx_http_tracker_turn_t));

    roster = ngx_http_tracker_roster_lock(zone);

    rc = ngx_http_tracker_roster_entry_locked(roster, call, &super);

    if (rc == NGX_OK) {
        ngx_http_tracker_roster_session_locked(super, call, turn);
        ngx_http_tracker_roster_take_locked(super, call);
        ngx_http_tracker_roster_bytes_locked(super, call, turn);
        ngx_http_tracker_roster_open_locked(roster, super, call, turn);
    }

    ngx_http_tracker_roster_unlock(zone);

    return rc;
}


ngx_http_tracker_super_t *
ngx_http_tracker_roster_super_locked(ngx_http_tracker_roster_t *roster,
    ngx_http_tracker_turn_t *turn)
{
    ngx_http_tracker_super_t  *super;

    super = &roster->supers[turn->super];

    return super->used && super->born <= turn->gen ? super : NULL;
}


void
ngx_http_tracker_roster_end(ngx_http_tracker_zone_t *zone,
    ngx_http_tracker_call_t *call, ngx_http_tracker_turn_t *turn)
{
    ngx_http_tracker_super_t   *super;
    ngx_http_tracker_roster_t  *roster;

    roster = ngx_http_tracker_roster_lock(zone);

    super = ngx_http_tracker_roster_super_locked(roster, turn);

    if (super && ngx_memcmp(super->session, call->session.data,
                            NGX_HTTP_TRACKER_SESSION_LEN)
                 == 0)
    {
        super->seen = ngx_current_msec;
        super->seq = ngx_max(super->seq, call->seq);

        if (call->full == NGX_HTTP_TRACKER_FULL_LAST && super->announcing) {
            super->min_gen = super->gen;
            super->announcing = 0;
        }
    }

    ngx_http_tracker_roster_unlock(zone);
}


void
ngx_http_tracker_roster_match(ngx_http_tracker_zone_t *zone,
    ngx_http_tracker_bad_t *bad, ngx_uint_t n)
{
    ngx_uint_t                  i, k;
    ngx_http_tracker_super_t   *super;
    ngx_http_tracker_roster_t  *roster;

    roster = ngx_http_tracker_roster_lock(zone);

    for (i = 0; i < roster->n; i++) {
        super = &roster->supers[i];

        for (k = 0; k < n; k++) {

            if (super->used && super->url_port == bad[k].port
                && (ngx_memcmp(&super->url_addr, &bad[k].addr,
                               sizeof(ngx_http_tracker_addr_t)) == 0
                    || ngx_memcmp(&super->addr, &bad[k].addr,
                                  sizeof(ngx_http_tracker_addr_t)) == 0))
            {
                bad[k].known = 1;
                bad[k].super = i;
                bad[k].born = super->born;
            }
        }
    }

    ngx_http_tracker_roster_unlock(zone);
}


void
ngx_http_tracker_roster_list(ngx_http_tracker_zone_t *zone,
    ngx_http_tracker_listed_t *listed, ngx_uint_t n)
{
    ngx_uint_t                  i;
    ngx_http_tracker_super_t   *super;
    ngx_http_tracker_holder_t  *h;
    ngx_http_tracker_roster_t  *roster;

    roster = ngx_http_tracker_roster_lock(zone);

    for (i = 0; i < n; i++) {
        h = listed[i].holder;
        super = &roster->supers[h->said.super];

        /* somebody else may have the entry by now */

        listed[i].len = (super->used && super->born <= h->gen)
                        ? super->url_len : 0;
        ngx_memcpy(listed[i].url, super->url, listed[i].len);
    }

    ngx_http_tracker_roster_unlock(zone);
}


size_t
ngx_http_tracker_roster_name(ngx_http_tracker_zone_t *zone, uint32_t super,
    u_char *name)
{
    size_t                      len;
    ngx_http_tracker_roster_t  *roster;

    roster = ngx_http_tracker_roster_lock(zone);

    len = roster->supers[super].name_len;
    ngx_memcpy(name, roster->supers[super].name, len);

    ngx_http_tracker_roster_unlock(zone);

    return len;
}
