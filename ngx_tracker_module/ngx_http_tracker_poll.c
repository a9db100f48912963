
/*
 * Polls in the roster: whether one has to wait, and which commands it gets.
 */


#include "ngx_http_tracker_roster_shm.h"
#include "ngx_http_tracker_wait.h"


/*
 * Where the commands begin that this call has not seen. A cursor that was
 * ahead when the call began is of an entry that went to another meanwhile.
 */
static uint64_t
ngx_http_tracker_roster_cursor_locked(ngx_http_tracker_roster_t *roster,
    ngx_http_tracker_call_t *call, ngx_http_tracker_turn_t *turn)
{
    if (call->epoch != roster->epoch || call->cursor > turn->head) {
        return 0;
    }

    return call->cursor;
}


ngx_uint_t
ngx_http_tracker_roster_wait(ngx_http_tracker_zone_t *zone,
    ngx_http_tracker_call_t *call, ngx_http_tracker_turn_t *turn, uint64_t bit)
{
    uint64_t                    cursor;
    ngx_uint_t                  news;
    ngx_http_tracker_super_t   *super;
    ngx_http_tracker_roster_t  *roster;

    news = 1;

    roster = ngx_http_tracker_roster_lock(zone);

    super = ngx_http_tracker_roster_super_locked(roster, turn);

    if (super == NULL || roster->epoch != turn->epoch) {
        goto done;
    }

    if (call->epoch && call->epoch != roster->epoch) {
        goto done;    /* it has to announce again: tell it at once */
    }

    if (super->serial != turn->serial) {

        /* overtaken; but not at once by another session */

        news = (ngx_memcmp(super->session, call->session.data,
                           NGX_HTTP_TRACKER_SESSION_LEN) == 0);
        goto done;
    }

    cursor = ngx_http_tracker_roster_cursor_locked(roster, call, turn);
    super->acked = ngx_max(super->acked, cursor);

    if (super->head > cursor) {
        goto done;
    }

    news = 0;

    if (bit) {
        super->mask |= bit;
        super->slot = ngx_http_tracker_slots_own();
        super->pid = (uint64_t) ngx_pid;
    }

done:

    ngx_http_tracker_roster_unlock(zone);

    return news;
}


void
ngx_http_tracker_roster_unwait(ngx_http_tracker_zone_t *zone,
    ngx_http_tracker_turn_t *turn)
{
    ngx_http_tracker_super_t   *super;
    ngx_http_tracker_roster_t  *roster;

    roster = ngx_http_tracker_roster_lock(zone);

    super = ngx_http_tracker_roster_super_locked(roster, turn);

    if (super && super->serial == turn->serial) {
        super->slot = -1;
        super->seen = ngx_current_msec;
    }

    ngx_http_tracker_roster_unlock(zone);
}


/* The same command may have come up twice. */
static void
ngx_http_tracker_roster_command(ngx_http_tracker_commands_t *commands,
    u_char *id)
{
    ngx_uint_t  i;

    for (i = 0; i < commands->n; i++) {
        if (ngx_memcmp(commands->ids[i], id, NGX_HTTP_TRACKER_ID_LEN) == 0) {
            return;
        }
    }

    ngx_memcpy(commands->ids[commands->n++], id, NGX_HTTP_TRACKER_ID_LEN);
}


void
ngx_http_tracker_roster_commands(ngx_http_tracker_zone_t *zone,
    ngx_http_tracker_call_t *call, ngx_http_tracker_turn_t *turn,
    ngx_http_tracker_commands_t *commands)
{
    uint64_t                    seq;
    ngx_http_tracker_super_t   *super;
    ngx_http_tracker_roster_t  *roster;

    commands->n = 0;
    commands->lost = 0;

    roster = ngx_http_tracker_roster_lock(zone);

    commands->epoch = roster->epoch;
    commands->cursor = 0;

    super = ngx_http_tracker_roster_super_locked(roster, turn);
    if (super == NULL) {
        goto done;
    }

    seq = ngx_http_tracker_roster_cursor_locked(roster, call, turn);

    if (!call->poll || super->serial != turn->serial) {
        commands->cursor = seq;
        goto done;
    }

    if (super->head > NGX_HTTP_TRACKER_RING
        && seq < super->head - NGX_HTTP_TRACKER_RING)
    {
        seq = super->head - NGX_HTTP_TRACKER_RING;

        /* what an earlier session took is not lost */

        commands->lost = super->acked < seq;
    }

    while (seq < super->head) {
        seq++;
        ngx_http_tracker_roster_command(commands,
                                 super->ring[seq % NGX_HTTP_TRACKER_RING]);
    }

    commands->cursor = super->head;
    super->sent = super->head;

done:

    ngx_http_tracker_roster_unlock(zone);
}


ngx_uint_t
ngx_http_tracker_roster_sweep(ngx_http_tracker_zone_t *zone, u_char *was)
{
    u_char                      alive;
    ngx_uint_t                  i, died;
    ngx_http_tracker_super_t   *super;
    ngx_http_tracker_roster_t  *roster;

    died = 0;

    roster = ngx_http_tracker_roster_lock(zone);

    for (i = 0; i < roster->n; i++) {
        super = &roster->supers[i];

        if (super->slot != -1
            && !ngx_http_tracker_slots_lives(super->slot,
                                            (ngx_pid_t) super->pid))
        {
            super->slot = -1;
            super->seen = ngx_current_msec;
        }

        alive = (u_char) ngx_http_tracker_roster_alive(super);
        died |= was[i] && !alive;
        was[i] = alive;
    }

    ngx_http_tracker_roster_unlock(zone);

    return died;
}
