/* patience.c - how long something may take, and how often it is tried, where
 * nobody else can be turned to. */
#include "patience.h"
#include "revive.h"
#include "shoal.h"
#include "transfer_internal.h"

enum {
    RETRY_MS = 250, /* after the first failure; then doubled */
    RETRY_MAX_MS = 10000,
    RETRY_AFTER_MS = 10000, /* at most, unless --waitretry says more */
    SECOND_MS = 1000,
    ROUNDS = 5,             /* of all nodes, where the user does not say, */
    ROUNDS_MS = 15000,      /* and not after that time */
    FOREVER_MS = 1000000000 /* no limit: eleven days */
};

static unsigned
as_given(unsigned given, unsigned ms)
{
    if (given == HTTP_UNSET) {
        return ms;
    }
    return given == 0 ? FOREVER_MS : given;
}

unsigned
patience_connect_ms(const struct transfer *t, unsigned ms)
{
    unsigned given = as_given(t->user.connect_ms, ms);

    return given < ms ? given : ms;
}

unsigned
patience_alone_ms(const struct transfer *t, unsigned ms)
{
    return as_given(t->user.connect_ms, ms);
}

uint64_t
patience_idle_ms(const struct transfer *t, uint64_t ms)
{
    return as_given(t->user.idle_ms, (unsigned) ms);
}

bool
patience_given(const struct transfer *t)
{
    return t->user.tries != HTTP_UNSET;
}

static uint64_t
wait_after(const struct transfer *t, unsigned failures)
{
    uint64_t wait = RETRY_MS;

    if (t->user.waitretry_ms != HTTP_UNSET) {
        wait = (uint64_t) failures * SECOND_MS;
        return wait < t->user.waitretry_ms ? wait : t->user.waitretry_ms;
    }
    for (unsigned i = 1; i < failures && wait < RETRY_MAX_MS; i++) {
        wait *= 2;
    }
    return wait < RETRY_MAX_MS ? wait : RETRY_MAX_MS;
}

bool
patience_try(struct transfer *t, unsigned most, uint64_t *wait_ms)
{
    if (patience_given(t)) {
        most = t->user.tries != 0 ? t->user.tries : UINT_MAX;
    }
    if (t->tries + 1 >= most) {
        return false;
    }
    t->tries++;
    t->retries++;
    *wait_ms = wait_after(t, t->tries);
    return true;
}

uint64_t
patience_retry_after(const struct transfer *t, const struct answer *a)
{
    uint64_t wait = (uint64_t) a->retry_after * SECOND_MS;
    uint64_t most = RETRY_AFTER_MS;

    if (t->user.waitretry_ms != HTTP_UNSET && t->user.waitretry_ms > most) {
        most = t->user.waitretry_ms;
    }
    return wait < most ? wait : most;
}

bool
patience_status(unsigned status)
{
    return status == 429 || (status >= 500 && status != 501 && status != 505);
}

static bool
may_be_over(const struct transfer *t, const struct source *s)
{
    return s->kind == SOURCE_CDN && s->node == NODE_FAILED && !s->banned
           && (s->error == SHOAL_ENET
               || (s->passing && (patience_given(t) || s->invited)));
}

static bool
any_may_be_over(const struct transfer *t)
{
    for (size_t i = 0; i < t->n_sources; i++) {
        if (may_be_over(t, t->sources[i])) {
            return true;
        }
    }
    return false;
}

bool
patience_round(struct transfer *t)
{
    uint64_t wait;

    if (t->o.want != NULL) {
        return false; /* the super peer asks the tracker again */
    }
    if (t->again_ms == 0) {
        bool late = !patience_given(t) && clock_ms() - t->start_ms > ROUNDS_MS;

        if (late || !any_may_be_over(t) || !patience_try(t, ROUNDS, &wait)) {
            return false;
        }
        t->again_ms = clock_ms() + wait;
    }
    if (clock_ms() < t->again_ms) {
        return true;
    }
    t->again_ms = 0;
    for (size_t i = 0; i < t->n_sources; i++) {
        if (may_be_over(t, t->sources[i])) {
            revive_ask(t->sources[i]);
        }
    }
    return true;
}
