#include "tracker.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <jansson.h>

#include "shoal.h"
#include "url.h"

enum {
    INTERVAL_MAX = 3600 /* seconds */
};

/* Brackets of an IPv6 address are escaped. */
static void
put_bad(char *p, size_t cap, const struct tracker_ask *ask)
{
    size_t n = 0;

    p[0] = '\0';
    for (size_t i = 0; i < ask->n_bad && n < cap; i++) {
        const struct tracker_bad *bad = &ask->bad[i];
        const char *close = strchr(bad->addr, ']');

        n += (size_t) snprintf(p + n, cap - n, "&bad=%s,",
                               bad->wrong ? "wrong" : "dead");
        if (n >= cap) {
            break;
        }
        n += (size_t) (close == NULL
                           ? snprintf(p + n, cap - n, "%s", bad->addr)
                           : snprintf(p + n, cap - n, "%%5B%.*s%%5D%s",
                                      (int) (close - bad->addr - 1),
                                      bad->addr + 1, close + 1));
    }
}

static bool
has_query(const struct resource *r)
{
    return strchr(r->url, '?') != NULL;
}

int
tracker_header(const struct tracker_ask *ask, char **line)
{
    *line = NULL;
    if (has_query(ask->resource)
        && asprintf(line, "Shoal-URL: %s", ask->resource->url) < 0)
    {
        return SHOAL_ENOMEM;
    }
    return 0;
}

char *
tracker_url(const char *base, const struct tracker_ask *ask)
{
    const struct resource *r = ask->resource;
    char *url = url_escape(has_query(r) ? "" : r->url);
    char *version = url_escape(r->version);
    char *provider = url_escape(r->provider);
    char *text = NULL, port[16] = "", bad[TRACKER_BAD_MAX * 96];

    if (url == NULL || version == NULL || provider == NULL) {
        goto out;
    }
    if (ask->port != 0) {
        snprintf(port, sizeof(port), "&port=%u", ask->port);
    }
    put_bad(bad, sizeof(bad), ask);
    if (asprintf(&text,
                 "%s%c%s%s%ssize=%" PRIu64 "%s%s%s%s%s&left=%" PRIu64
                 "%s%s&got=%" PRIu64 ",%" PRIu64 ",%" PRIu64 "%s",
                 base, strchr(base, '?') != NULL ? '&' : '?',
                 *url != '\0' ? "url=" : "", url, *url != '\0' ? "&" : "",
                 r->size, *version != '\0' ? "&version=" : "", version,
                 *provider != '\0' ? "&provider=" : "", provider, port,
                 ask->left, ask->event != NULL ? "&event=" : "",
                 ask->event != NULL ? ask->event : "", ask->got[0],
                 ask->got[1], ask->got[2], bad)
        < 0)
    {
        text = NULL;
    }

out:
    free(url);
    free(version);
    free(provider);
    return text;
}

static int
fail(char *why, size_t cap, const char *text)
{
    snprintf(why, cap, "%s", text);
    return SHOAL_EPROTO;
}

static void
parse_supers(json_t *list, struct tracker_answer *out)
{
    size_t i;
    json_t *item;

    json_array_foreach(list, i, item)
    {
        const char *url = json_string_value(json_object_get(item, "url"));
        const char *state = json_string_value(json_object_get(item, "state"));
        struct tracker_super *s = &out->super[out->n_super];

        if (out->n_super == TRACKER_SUPERS_MAX || url == NULL
            || strlen(url) >= sizeof(s->url)
            || (strncmp(url, "http://", 7) != 0
                && strncmp(url, "https://", 8) != 0))
        {
            continue;
        }
        snprintf(s->url, sizeof(s->url), "%s", url);
        s->ready = state != NULL && strcmp(state, "ready") == 0;
        out->n_super++;
    }
}

/* Only an address in figures and a port: a peer's word decides nothing. */
static bool
is_address(const char *addr)
{
    const char *colon = strrchr(addr, ':');

    return colon != NULL && colon != addr
           && strspn(addr, "0123456789abcdefABCDEF.:[]") == strlen(addr)
           && strspn(colon + 1, "0123456789") == strlen(colon + 1)
           && strlen(colon + 1) >= 1 && strlen(colon + 1) <= 5;
}

static void
parse_peers(json_t *list, struct tracker_answer *out)
{
    size_t i;
    json_t *item;

    json_array_foreach(list, i, item)
    {
        const char *addr = json_string_value(json_object_get(item, "addr"));
        struct tracker_peer *p = &out->peers[out->n_peers];

        if (out->n_peers == TRACKER_PEERS_MAX || addr == NULL
            || strlen(addr) >= sizeof(p->addr) || !is_address(addr))
        {
            continue;
        }
        snprintf(p->addr, sizeof(p->addr), "%s", addr);
        p->complete = json_is_true(json_object_get(item, "complete"));
        out->n_peers++;
    }
}

static void
parse_digest(json_t *digest, struct tracker_answer *out)
{
    const char *root = json_string_value(json_object_get(digest, "root"));
    json_int_t votes = json_integer_value(json_object_get(digest, "votes"));

    if (root != NULL && votes > 0
        && hex_decode(root, out->root, DIGEST_LEN) == 0) {
        out->has_root = true;
        out->votes = votes > 1000 ? 1000 : (unsigned) votes;
    }
}

int
tracker_parse(const char *text, size_t len, struct tracker_answer *out,
              char *why, size_t cap)
{
    json_error_t error;
    json_t *root = json_loadb(text, len, 0, &error);
    int err = 0;

    memset(out, 0, sizeof(*out));
    if (root == NULL) {
        snprintf(why, cap, "not JSON: %s", error.text);
        return SHOAL_EPROTO;
    }
    const char *id = json_string_value(json_object_get(root, "id"));
    if (id == NULL || resource_id_parse(id, out->id) != 0) {
        err = fail(why, cap, "no id of 40 hex digits");
        goto out;
    }
    json_int_t interval =
        json_integer_value(json_object_get(root, "interval"));
    out->interval = interval < 1              ? 60
                    : interval > INTERVAL_MAX ? INTERVAL_MAX
                                              : (unsigned) interval;
    parse_digest(json_object_get(root, "digest"), out);
    parse_supers(json_object_get(root, "super"), out);
    parse_peers(json_object_get(root, "peers"), out);

out:
    json_decref(root);
    return err;
}
