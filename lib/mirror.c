/* mirror.c - further URLs of the same file. Each is a host of its own, whose
 * first node that answers is read from beside the URL's own nodes; what shows
 * another version than those is read from only where it can be checked
 * (docs/protocol.md "Mirrors"). */
#include <stdlib.h>
#include <string.h>

#include "mirror.h"
#include "node.h"
#include "search.h"
#include "shoal.h"
#include "transfer_internal.h"

enum {
    MIRRORS_MAX = 64, /* that are known */
    AT_ONCE = 8       /* that are asked and read from */
};

struct mirror {
    char *url; /* without user information */
    char *user, *password;
    bool started; /* its host was looked up */
};

static bool
is_known(const struct transfer *t, const char *url)
{
    for (size_t i = 0; i < t->n_mirrors; i++) {
        const char *known = t->mirrors[i].url;

        if (known != NULL && strcmp(known, url) == 0) {
            return true;
        }
    }
    return strcmp(t->o.url, url) == 0;
}

static void
mirror_fini(struct mirror *m)
{
    free(m->url);
    free(m->user);
    free(m->password);
}

int
mirror_add(struct transfer *t, const char *url)
{
    if (t->mirrors == NULL) {
        t->mirrors = calloc(MIRRORS_MAX, sizeof(*t->mirrors));
        if (t->mirrors == NULL) {
            return SHOAL_ENOMEM;
        }
    }
    if (t->n_mirrors == MIRRORS_MAX) {
        return 0;
    }
    char *clean = url_clean(url);
    if (clean == NULL) {
        return SHOAL_EINVAL;
    }
    struct mirror m = { 0 };
    int err = url_take_user(clean, &m.url, &m.user, &m.password);
    free(clean);
    if (err != 0 || is_known(t, m.url)) {
        mirror_fini(&m);
        return err;
    }
    t->no_share = t->no_share || m.user != NULL;
    t->mirrors[t->n_mirrors++] = m;
    return 0;
}

void
mirror_login(const struct transfer *t, unsigned mirror,
             struct http_options *options)
{
    const struct mirror *m = &t->mirrors[mirror - 1];

    if (m->user != NULL && url_same_origin(m->url, options->url)) {
        options->user = m->user;
        options->password = m->password;
    }
}

/* Its nodes: those that may be of use, and the first one not asked yet. */
static unsigned
nodes_of(const struct transfer *t, unsigned mirror, struct source **fresh,
         bool *asked)
{
    unsigned n = 0;

    *fresh = NULL;
    *asked = false;
    for (size_t i = 0; i < t->n_sources; i++) {
        struct source *s = t->sources[i];

        if (s->kind != SOURCE_CDN || s->mirror != mirror
            || (s->drop && (s->node != NODE_REDIRECT || s->followed)))
        {
            continue;
        }
        n++;
        if (s->node != NODE_NEW) {
            *asked = true;
        } else if (*fresh == NULL) {
            *fresh = s;
        }
    }
    return n;
}

void
mirror_step(struct transfer *t)
{
    unsigned at_once = 0;

    for (unsigned i = 1; i <= t->n_mirrors && at_once < AT_ONCE; i++) {
        struct mirror *m = &t->mirrors[i - 1];
        struct source *fresh;
        bool asked;

        if (!m->started) {
            m->started = true;
            search_start(t, m->url, NULL, i);
        }
        bool alive = nodes_of(t, i, &fresh, &asked) > 0;
        if (fresh != NULL && !asked) {
            node_probe(t, fresh);
        }
        at_once += alive || search_looks(t, i);
    }
}

bool
mirror_awaited(const struct transfer *t)
{
    for (unsigned i = 1; i <= t->n_mirrors; i++) {
        struct source *fresh;
        bool asked;

        nodes_of(t, i, &fresh, &asked);
        if (!t->mirrors[i - 1].started || search_looks(t, i)
            || (fresh != NULL && !asked))
        {
            return true;
        }
    }
    for (size_t i = 0; i < t->n_sources; i++) {
        const struct source *s = t->sources[i];

        if (s->kind == SOURCE_CDN && s->mirror != 0 && !s->drop
            && s->node != NODE_NEW && (s->node != NODE_KNOWN || !s->judged))
        {
            return true;
        }
    }
    return false;
}

bool
mirror_agrees(const struct transfer *t, const struct source *s)
{
    const struct answer *standard = &t->standard->answer;

    return answer_same_version(&s->answer, standard)
           && answer_comparable(&s->answer, standard);
}

void
mirror_free(struct transfer *t)
{
    for (size_t i = 0; i < t->n_mirrors; i++) {
        mirror_fini(&t->mirrors[i]);
    }
    free(t->mirrors);
}
