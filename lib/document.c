/* document.c - small files that tell of the one that is fetched: its piece
 * layer, its checksum, a Metalink. Each is asked for beside the download,
 * from where its URL says; redirects are followed. What it means is
 * published.c's. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "document.h"
#include "job.h"
#include "published.h"
#include "shoal.h"
#include "transfer_internal.h"

enum {
    WAIT_MS = 5000,   /* it must come within */
    NAMED_MS = 60000, /* where the user named it */
    LATE_MS = 1000,   /* after the last block, where the origin names it */
    HOPS = 5          /* redirects */
};

void
document_set(struct transfer *t, enum document_kind kind, char *url,
             bool named)
{
    t->documents[kind].url = url;
    t->documents[kind].named = named;
}

bool
document_awaited(const struct transfer *t)
{
    bool late = clock_ms() - t->progress_ms > LATE_MS;

    for (size_t i = 0; i < DOCUMENTS; i++) {
        const struct document *d = &t->documents[i];

        if (d->url != NULL && !d->done && (d->named || d->again || !late)) {
            return true;
        }
    }
    return false;
}

void
document_forget(struct transfer *t)
{
    for (size_t i = 0; i < DOCUMENTS; i++) {
        free(t->documents[i].url);
        lookup_free(t->documents[i].lookup);
    }
    memset(t->documents, 0, sizeof(t->documents));
}

/* Of the same host and port as the standard node's file? */
static bool
is_beside(const struct transfer *t, const char *url)
{
    char host[256], node_host[256];
    uint16_t port, node_port;

    return t->standard->pinned
           && url_split(url, host, sizeof(host), &port) == 0
           && url_split(t->standard->url, node_host, sizeof(node_host),
                        &node_port)
                  == 0
           && strcmp(host, node_host) == 0 && port == node_port;
}

bool
document_again(struct transfer *t, enum document_kind kind)
{
    struct document *d = &t->documents[kind];

    if (d->url == NULL || d->again || d->hops > 0 || !is_beside(t, d->url)) {
        return false;
    }
    for (size_t i = 0; i < t->n_sources; i++) {
        const struct source *s = t->sources[i];

        if (s->kind == SOURCE_CDN && s->usable && s->pinned && s != t->standard
            && s->mirror == t->standard->mirror)
        {
            d->node = s;
            d->asked = d->done = false;
            d->again = true;
            return true;
        }
    }
    return false;
}

/* Where to fetch it; of its own CDN from a node that is not stale. */
static int
locate(struct transfer *t, struct document *d, struct node_addr *addr)
{
    struct node_addr addrs[RESOLVE_ADDRS_MAX];
    size_t n;

    if (is_beside(t, d->url)) {
        *addr = d->node != NULL ? d->node->addr : t->standard->addr;
        return 0;
    }
    if (d->lookup == NULL) {
        d->lookup = transfer_lookup(t, d->url);
        if (d->lookup == NULL) {
            return SHOAL_EINVAL;
        }
    }
    int err = lookup_result(d->lookup, addrs, &n, NULL);
    if (err == 0) {
        *addr = addrs[0];
    }
    return err;
}

static void
end(struct transfer *t, enum document_kind kind, int err, const char *why)
{
    struct document *d = &t->documents[kind];

    d->done = true;
    published_missing(t, kind, err, why);
}

/* A super peer fetches from its own list of origins alone. */
static bool
is_denied(const struct transfer *t, const struct document *d)
{
    const struct transfer_guard *guard = t->o.guard;

    return guard != NULL && guard->url(guard->ctx, d->url) != 0;
}

static void
ask(struct transfer *t, enum document_kind kind)
{
    struct document *d = &t->documents[kind];
    struct node_addr addr;
    struct http_options o = { .url = d->url,
                              .addr = &addr,
                              .total_ms = d->named ? NAMED_MS : WAIT_MS };
    struct job *job = NULL;

    int err = is_denied(t, d) ? SHOAL_EDENIED : locate(t, d, &addr);
    if (err == LOOKUP_PENDING) {
        return;
    }
    d->asked = true;
    if (err == 0) {
        job = job_start(t, JOB_DOCUMENT, NULL, &o);
        err = job != NULL ? 0 : SHOAL_ENOMEM;
    }
    if (err != 0) {
        end(t, kind, err, "cannot be asked for");
        return;
    }
    job->document = kind;
    job->body_max = published_most(kind);
}

void
document_tick(struct transfer *t)
{
    for (size_t i = 0; i < DOCUMENTS; i++) {
        if (t->documents[i].url != NULL && !t->documents[i].asked) {
            ask(t, (enum document_kind) i);
        }
    }
}

/* False: it is no redirect that can be followed. */
static bool
follow(struct document *d, const struct answer *a)
{
    char *url = NULL;

    if (answer_is_redirect(a) && d->hops < HOPS) {
        url = url_join(d->url, a->location);
    }
    if (url == NULL || strstr(url, "://") == NULL
        || (strncmp(d->url, "https", 5) == 0 && strncmp(url, "https", 5) != 0))
    {
        free(url);
        return false;
    }
    free(d->url);
    lookup_free(d->lookup);
    d->url = url;
    d->lookup = NULL;
    d->hops++;
    d->asked = false;
    return true;
}

void
document_done(struct job *job, int err, const char *why)
{
    struct transfer *t = job->t;
    struct document *d = &t->documents[job->document];
    const struct answer *a = &job->answer;
    char text[32];

    if (err == 0 && follow(d, a)) {
        return;
    }
    if (err == 0 && a->status != 200) {
        snprintf(text, sizeof(text), "HTTP %u", a->status);
        end(t, job->document, a->status == 404 ? SHOAL_ENOTFOUND : SHOAL_EHTTP,
            text);
    } else if (err != 0) {
        end(t, job->document, err, why);
    } else {
        d->done = true;
        published_take(t, job->document, job->buf, job->len);
    }
}
