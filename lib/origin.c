#include "origin.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

bool
answer_agrees(const struct answer *a, uint64_t size, const char *version)
{
    if (answer_size(a) != size) {
        return false;
    }
    if (strncmp(version, "etag:", 5) == 0) {
        return strcmp(a->etag, version + 5) == 0;
    }
    if (strncmp(version, "mtime:", 6) == 0) {
        char text[24];

        snprintf(text, sizeof(text), "%" PRId64, a->mtime);
        return a->mtime >= 0 && strcmp(text, version + 6) == 0;
    }
    return true;
}

bool
answer_contradicts(const struct answer *a, const struct answer *b)
{
    return a->digest.len > 0 && a->digest.len == b->digest.len
           && strcmp(a->digest.algorithm, b->digest.algorithm) == 0
           && memcmp(a->digest.value, b->digest.value, a->digest.len) != 0;
}

bool
answer_same_version(const struct answer *a, const struct answer *b)
{
    bool etags = a->etag[0] != '\0' && b->etag[0] != '\0';
    bool mtimes = a->mtime >= 0 && b->mtime >= 0;

    if (answer_size(a) != answer_size(b) || answer_contradicts(a, b)) {
        return false;
    }
    if (etags && strcmp(a->etag, b->etag) == 0) {
        return true;
    }
    if (mtimes) {
        return a->mtime == b->mtime;
    }
    return !etags;
}

bool
answer_comparable(const struct answer *a, const struct answer *b)
{
    return (a->etag[0] != '\0' && b->etag[0] != '\0')
           || (a->mtime >= 0 && b->mtime >= 0);
}

bool
answer_unchanged(const struct answer *a, const struct answer *earlier)
{
    bool etags = a->etag[0] != '\0' && earlier->etag[0] != '\0';
    bool mtimes = a->mtime >= 0 && earlier->mtime >= 0;

    return answer_size(a) == answer_size(earlier)
           && (!etags || strcmp(a->etag, earlier->etag) == 0)
           && (!mtimes || a->mtime == earlier->mtime);
}

static size_t
votes(const struct answer *const *answers, size_t n, size_t of)
{
    size_t count = 0;

    for (size_t i = 0; i < n; i++) {
        count += answer_same_version(answers[of], answers[i]);
    }
    return count;
}

size_t
origin_standard(const struct answer *const *answers, size_t n)
{
    size_t best = 0, best_votes = 0;

    for (size_t i = 0; i < n; i++) {
        size_t v = votes(answers, n, i);

        if (v > best_votes
            || (v == best_votes && answers[i]->mtime > answers[best]->mtime))
        {
            best = i;
            best_votes = v;
        }
    }
    return best;
}

bool
origin_tied(const struct answer *const *answers, size_t n, size_t standard)
{
    size_t best = votes(answers, n, standard);

    for (size_t i = 0; i < n; i++) {
        if (votes(answers, n, i) == best
            && answers[i]->mtime == answers[standard]->mtime
            && !answer_same_version(answers[i], answers[standard]))
        {
            return true;
        }
    }
    return false;
}

bool
origin_majority(const struct answer *const *answers, size_t n, size_t pending)
{
    if (n == 0) {
        return false;
    }
    return 2 * votes(answers, n, origin_standard(answers, n)) > n + pending;
}

void
origin_version(const struct answer *const *answers, size_t n, size_t standard,
               char out[RESOURCE_VERSION_MAX + 1])
{
    const struct answer *s = answers[standard];
    bool etag = s->etag[0] != '\0', mtime = s->mtime >= 0;
    bool all_etag = etag, all_mtime = mtime;

    for (size_t i = 0; i < n; i++) {
        const struct answer *a = answers[i];

        if (answer_same_version(s, a)) {
            all_etag = all_etag && strcmp(a->etag, s->etag) == 0;
            all_mtime = all_mtime && a->mtime == s->mtime;
        }
    }
    if (all_etag || (etag && !all_mtime)) {
        snprintf(out, RESOURCE_VERSION_MAX + 1, "etag:%s", s->etag);
    } else if (mtime) {
        snprintf(out, RESOURCE_VERSION_MAX + 1, "mtime:%" PRId64, s->mtime);
    } else {
        out[0] = '\0';
    }
}

void
origin_version_by(const struct answer *standard, const char *wish,
                  char out[RESOURCE_VERSION_MAX + 1])
{
    out[0] = '\0';
    if (strcmp(wish, "etag") == 0) {
        if (standard->etag[0] != '\0') {
            snprintf(out, RESOURCE_VERSION_MAX + 1, "etag:%s", standard->etag);
        }
    } else if (strcmp(wish, "mtime") == 0) {
        if (standard->mtime >= 0) {
            snprintf(out, RESOURCE_VERSION_MAX + 1, "mtime:%" PRId64,
                     standard->mtime);
        }
    } else if (strcmp(wish, "none") != 0) {
        snprintf(out, RESOURCE_VERSION_MAX + 1, "text:%s", wish);
    }
}
