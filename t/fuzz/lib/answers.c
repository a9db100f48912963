/* answers.c - what servers, trackers and peers say. */
#include <stdlib.h>
#include <string.h>

#include "blockmap.h"
#include "disposition.h"
#include "followed.h"
#include "fuzz.h"
#include "link.h"
#include "origin.h"
#include "range.h"
#include "resource.h"
#include "shoal.h"
#include "tracker.h"
#include "url.h"

/* Two answers, an empty line between them: what one tells, and what they
 * tell together. */
void
fuzz_header(const uint8_t *data, size_t len)
{
    static struct answer a[2];
    const struct answer *both[2] = { &a[0], &a[1] };
    char version[RESOURCE_VERSION_MAX + 1];
    unsigned i = 0;

    answer_reset(&a[0]);
    answer_reset(&a[1]);
    while (len > 0) {
        const uint8_t *end = memchr(data, '\n', len);
        size_t n = end != NULL ? (size_t) (end - data) + 1 : len;

        if (n == 1 && i == 0) {
            i = 1;
        } else {
            answer_line(&a[i], (const char *) data, n);
        }
        data += n;
        len -= n;
    }
    for (i = 0; i < 2; i++) {
        fuzz_check(strlen(a[i].etag) < sizeof(a[i].etag), "etag");
        fuzz_check(a[i].digest.len <= sizeof(a[i].digest.value), "digest");
        fuzz_check(!a[i].has_range || a[i].first <= a[i].last, "range");
        (void) answer_is_redirect(&a[i]);
    }
    size_t standard = origin_standard(both, 2);
    fuzz_check(standard < 2, "standard");
    origin_version(both, 2, standard, version);
    if (answer_size(&a[standard]) != ORIGIN_UNKNOWN) {
        (void) answer_agrees(&a[1 - standard], answer_size(&a[standard]),
                             version);
    }
    (void) origin_majority(both, 1, 1);
    fuzz_check(!answer_same_version(&a[0], &a[1])
                   == !answer_same_version(&a[1], &a[0]),
               "which is asked first must not matter");
}

void
fuzz_tracker(const uint8_t *data, size_t len)
{
    static struct tracker_answer answer;
    char why[256] = "";
    int err =
        tracker_parse((const char *) data, len, &answer, why, sizeof(why));

    if (err != 0) {
        fuzz_check(err == SHOAL_EPROTO && *why != '\0', "no reason");
        return;
    }
    fuzz_check(answer.interval >= 1 && answer.interval <= 3600, "interval");
    fuzz_check(answer.n_super <= TRACKER_SUPERS_MAX
                   && answer.n_peers <= TRACKER_PEERS_MAX,
               "too many");
}

/* The first three bytes say how large the file is. */
void
fuzz_have(const uint8_t *data, size_t len)
{
    struct blockmap map;
    uint32_t held = 0;

    if (len < 3) {
        return;
    }
    uint64_t size = (uint64_t) (data[0] | data[1] << 8 | data[2] << 16) << 8;
    fuzz_check(blockmap_init(&map, size) == 0, "memory");
    if (blockmap_load(&map, data + 3, len - 3) == 0) {
        for (uint32_t i = 0; i < map.count; i++) {
            held += blockmap_has(&map, i);
        }
        fuzz_check(held == map.held, "count of what is held");
        fuzz_check(blockmap_held_from(&map, 0, size) <= size, "held from");
    }
    blockmap_fini(&map);
}

/* The first three bytes say how large the file is, the fourth, whether a
 * bitmap comes first. */
void
fuzz_events(const uint8_t *data, size_t len)
{
    struct followed f = { 0 };
    uint32_t held = 0;

    if (len < 4) {
        return;
    }
    uint64_t size = (uint64_t) (data[0] | data[1] << 8 | data[2] << 16) << 8;
    fuzz_check(followed_init(&f, size) == 0, "memory");
    int err = data[3] % 2 == 0 ? followed_bitmap(&f, data + 4, len - 4)
                               : followed_events(&f, data + 4, len - 4, NULL);
    fuzz_check(err == 0 || err == SHOAL_EPROTO, "another error");
    for (uint32_t i = 0; i < f.have.count; i++) {
        held += blockmap_has(&f.have, i);
    }
    fuzz_check(held == f.have.held, "count of what is held");
    followed_fini(&f);
}

/* The values of Link and Content-Disposition. */
void
fuzz_values(const uint8_t *data, size_t len)
{
    char *text = fuzz_text(data, len), name[256], value[64];
    const char *at = text;
    struct link l;

    while (link_next(&at, &l)) {
        (void) link_is(&l, "duplicate");
        (void) link_has(&l, "pref");
        (void) link_param(&l, "pri", value, sizeof(value));
    }
    disposition_name(text, name, sizeof(name));
    fuzz_check(strchr(name, '/') == NULL && strcmp(name, "..") != 0
                   && strlen(name) < sizeof(name),
               "a name that leaves the folder");
    free(text);
}

/* A URL, and on a second line what it redirects to. */
void
fuzz_url(const uint8_t *data, size_t len)
{
    char *text = fuzz_text(data, len);
    char *second = strchr(text, '\n');
    char host[256], form[RESOURCE_URL_MAX + 1], again[RESOURCE_URL_MAX + 10];
    uint16_t port;

    if (second != NULL) {
        *second++ = '\0';
        free(url_join(text, second));
    }
    (void) url_split(text, host, sizeof(host), &port);
    free(url_clean(text));
    if (resource_normalise(text, form, sizeof(form)) == 0) {
        static char twice[RESOURCE_URL_MAX + 1];

        strcpy(again, "http://");
        memcpy(again + 7, form, strlen(form) + 1);
        if (strncasecmp(text, "https", 5) != 0
            && resource_normalise(again, twice, sizeof(twice)) == 0)
        {
            fuzz_check(strcmp(form, twice) == 0, "one form");
        }
    }
    free(text);
}

void
fuzz_range(const uint8_t *data, size_t len)
{
    uint64_t size = 0, off, n;

    if (len < sizeof(size)) {
        return;
    }
    memcpy(&size, data, sizeof(size));
    char *field = fuzz_text(data + sizeof(size), len - sizeof(size));
    if (range_parse(field, size, &off, &n) == 0) {
        fuzz_check(n >= 1 && off < size && n <= size - off, "outside");
    }
    free(field);
}
