/* published.c - the piece layer that the origin published, or the user has.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "layer.h"
#include "shoal.h"
#include "transfer_internal.h"

enum {
    LAYER_MS = 5000, /* it must come within */
    NAMED_MS = 60000 /* where the user gave it */
};

static void
read_layer_file(struct transfer *t, const char *path)
{
    uint8_t *data = malloc(LAYER_FILE_MAX), *hashes = NULL;
    uint8_t root[DIGEST_LEN];
    FILE *f = fopen(path, "re");
    int err = SHOAL_EIO;

    if (f != NULL && data != NULL) {
        size_t len = fread(data, 1, LAYER_FILE_MAX, f);

        err = layer_parse(data, len, t->map.size, &hashes, root);
    }
    if (err == SHOAL_EVERIFY) {
        t->other_version = true; /* the layer decides */
    } else if (err != 0) {
        transfer_fail(t, err, "%s: %s", path,
                      f == NULL ? "cannot open" : "not a piece layer file");
    } else if (hashes != NULL) {
        trust_adopt(t, hashes, root, true);
    }
    if (f != NULL) {
        fclose(f);
    }
    free(data);
}

/* By the user, so the file is not right without it. */
static bool
named(const struct transfer *t)
{
    return t->o.layer != NULL && strcmp(t->o.layer, "auto") != 0;
}

bool
published_awaited(const struct transfer *t)
{
    return named(t) && t->layer_url != NULL && !t->layer_done;
}

/* URL.shoal, in front of the query. */
static char *
beside(const char *url)
{
    char *text;
    int path = (int) strcspn(url, "?#");

    return asprintf(&text, "%.*s.shoal%s", path, url, url + path) < 0 ? NULL
                                                                      : text;
}

void
published_start(struct transfer *t)
{
    const char *o = t->o.layer;
    const struct answer *a = t->standard != NULL ? &t->standard->answer : NULL;

    if (t->map.count == 0 || a == NULL) {
        return;
    }
    if (named(t)) {
        if (strncmp(o, "http://", 7) != 0 && strncmp(o, "https://", 8) != 0) {
            read_layer_file(t, o);
            return;
        }
        t->layer_url = strdup(o);
    } else if (a->layer[0] != '\0') {
        t->layer_url = url_join(t->standard->url, a->layer);
    } else if (o != NULL) {
        t->layer_url = beside(t->standard->url);
    }
}

/* Of the same host and port as the standard node's file? */
static bool
is_beside(const struct transfer *t)
{
    char host[256], node_host[256];
    uint16_t port, node_port;

    return t->standard->pinned
           && url_split(t->layer_url, host, sizeof(host), &port) == 0
           && url_split(t->standard->url, node_host, sizeof(node_host),
                        &node_port)
                  == 0
           && strcmp(host, node_host) == 0 && port == node_port;
}

/* Where to fetch it; of its own CDN from a node that is not stale. */
static int
locate(struct transfer *t, struct node_addr *addr)
{
    struct node_addr addrs[RESOLVE_ADDRS_MAX];
    size_t n;

    if (is_beside(t)) {
        *addr = t->standard->addr;
        return 0;
    }
    if (t->layer_lookup == NULL) {
        t->layer_lookup = transfer_lookup(t, t->layer_url);
        if (t->layer_lookup == NULL) {
            return SHOAL_EINVAL;
        }
    }
    int err = lookup_result(t->layer_lookup, addrs, &n, NULL);
    if (err == 0) {
        *addr = addrs[0];
    }
    return err;
}

void
published_tick(struct transfer *t)
{
    struct node_addr addr;
    struct http_options o = { .url = t->layer_url,
                              .addr = &addr,
                              .total_ms = named(t) ? NAMED_MS : LAYER_MS };
    struct job *job = NULL;

    if (t->layer_url == NULL || t->layer_asked) {
        return;
    }
    int err = locate(t, &addr);
    if (err == LOOKUP_PENDING) {
        return;
    }
    t->layer_asked = true;
    if (err == 0) {
        job = job_start(t, JOB_LAYER, NULL, &o);
    }
    if (job != NULL) {
        job->body_max = LAYER_FILE_MAX;
    } else if (named(t)) {
        transfer_fail(t, err != 0 ? err : SHOAL_ENOMEM,
                      "%.*s: cannot be asked for",
                      (int) strcspn(t->layer_url, "?"), t->layer_url);
    }
}

void
published_done(struct job *job, int err, const char *why)
{
    struct transfer *t = job->t;
    uint8_t *hashes = NULL, root[DIGEST_LEN];

    t->layer_done = true;
    if (err == 0 && job->answer.status != 200) {
        err = job->answer.status == 404 ? SHOAL_ENOTFOUND : SHOAL_EHTTP;
        why = "piece layer is not there";
    } else if (err == 0) {
        err = layer_parse(job->buf, job->len, t->map.size, &hashes, root);
        why = err == SHOAL_EVERIFY ? "piece layer of another size"
                                   : "not a piece layer file";
    }
    explain(t, NULL, "piece layer: %s", err == 0 ? "is believed" : why);
    if (err == 0 && hashes != NULL) {
        trust_adopt(t, hashes, root, named(t));
    } else if (err == SHOAL_EVERIFY && named(t)) {
        t->other_version = true; /* the layer decides */
    } else if (err != 0 && named(t)) {
        transfer_fail(t, err, "%.*s: %s", (int) strcspn(t->layer_url, "?"),
                      t->layer_url, why);
    }
}
