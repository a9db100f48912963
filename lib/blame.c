/* blame.c - telling trackers which sources are dead or gave wrong bytes. */
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>

#include "blame.h"
#include "shoal.h"
#include "tracker.h"
#include "transfer_internal.h"

/* False: its address is not known, or none that a tracker could know. */
static bool
address_of(const struct node_addr *a, char *out, size_t cap)
{
    const struct sockaddr_in *v4 = (const void *) &a->sa;
    const struct sockaddr_in6 *v6 = (const void *) &a->sa;

    if (a->len == 0 || strchr(a->text, '%') != NULL) {
        return false;
    }
    if (a->sa.ss_family == AF_INET6) {
        snprintf(out, cap, "[%s]:%u", a->text,
                 (unsigned) ntohs(v6->sin6_port));
    } else {
        snprintf(out, cap, "%s:%u", a->text, (unsigned) ntohs(v4->sin_port));
    }
    return true;
}

void
blame_dead(struct source *s, int err, bool last)
{
    if (s->blame == BLAME_NONE
        && (err == SHOAL_ECONNECT || (err == SHOAL_ENET && last)))
    {
        s->blame = BLAME_DEAD;
    }
}

void
blame_collect(struct transfer *t, unsigned tracker, struct tracker_ask *ask)
{
    uint8_t bit = (uint8_t) (1U << tracker);

    for (size_t i = 0; i < t->n_sources; i++) {
        struct source *s = t->sources[i];
        struct tracker_bad *bad = &ask->bad[ask->n_bad];

        if (ask->n_bad == TRACKER_BAD_MAX) {
            break;
        }
        if (s->kind == SOURCE_CDN || s->blame == BLAME_NONE
            || (s->blame_told & bit) != 0
            || !address_of(&s->addr, bad->addr, sizeof(bad->addr)))
        {
            continue;
        }
        bad->wrong = s->blame == BLAME_WRONG;
        s->blame_told |= bit;
        s->blame_asked |= bit;
        ask->n_bad++;
    }
}

void
blame_done(struct transfer *t, unsigned tracker, bool heard)
{
    uint8_t bit = (uint8_t) (1U << tracker);

    for (size_t i = 0; i < t->n_sources; i++) {
        struct source *s = t->sources[i];

        if (!heard && (s->blame_asked & bit) != 0) {
            s->blame_told &= (uint8_t) ~bit;
        }
        s->blame_asked &= (uint8_t) ~bit;
    }
}
