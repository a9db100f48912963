/* answer.c - the header lines of an answer. Header: origin.h. */
#include "origin.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <time.h>

#include "disposition.h"
#include "link.h"
#include "metalink.h"
#include "shoal.h"

enum {
    HEADER_MAX = 8192,      /* bytes of one line that are looked at */
    RETRY_MAX = 3600,       /* seconds */
    DUPLICATE_LAST = 999999 /* priority of a mirror that tells none */
};

void
answer_reset(struct answer *a)
{
    memset(a, 0, sizeof(*a));
    a->length = ORIGIN_UNKNOWN;
    a->range_total = ORIGIN_UNKNOWN;
    a->mtime = a->date = a->retry = -1;
}

static int
parse_u64(const char **s, uint64_t *out)
{
    char *end;

    if (**s < '0' || **s > '9') {
        return SHOAL_EINVAL;
    }
    errno = 0;
    unsigned long long n = strtoull(*s, &end, 10);
    if (errno != 0 || n > INT64_MAX) {
        return SHOAL_EINVAL;
    }
    *s = end;
    *out = n;
    return 0;
}

static void
take_length(struct answer *a, const char *value)
{
    uint64_t n;

    if (parse_u64(&value, &n) == 0 && *value == '\0') {
        a->length = n;
    }
}

/* `bytes A-B/TOTAL`, or `bytes * /TOTAL` of a 416. */
static void
take_range(struct answer *a, const char *value)
{
    uint64_t first = 0, last = 0, total = ORIGIN_UNKNOWN;
    bool range = true;

    if (strncasecmp(value, "bytes ", 6) != 0) {
        return;
    }
    value += 6;
    if (*value == '*') {
        value++;
        range = false;
    } else if (parse_u64(&value, &first) != 0 || *value++ != '-'
               || parse_u64(&value, &last) != 0 || last < first)
    {
        return;
    }
    if (*value++ != '/'
        || (strcmp(value, "*") != 0
            && (parse_u64(&value, &total) != 0 || *value != '\0')))
    {
        return;
    }
    a->first = first;
    a->last = last;
    a->range_total = total;
    a->has_range = range;
}

/* One with bytes outside ASCII cannot travel as a version, so it is none. */
static void
take_etag(struct answer *a, const char *value)
{
    size_t len = strlen(value);

    for (size_t i = 0; i < len; i++) {
        if (value[i] < '!' || value[i] > '~') {
            return;
        }
    }

    if (len >= 2 && len < sizeof(a->etag) && value[0] == '"'
        && value[len - 1] == '"')
    {
        memcpy(a->etag, value, len + 1);
    }
}

/* As it was where it is none. */
static void
parse_date(const char *value, int64_t *out)
{
    struct tm tm;

    memset(&tm, 0, sizeof(tm));
    const char *end = strptime(value, "%a, %d %b %Y %H:%M:%S GMT", &tm);
    if (end != NULL && *end == '\0') {
        *out = timegm(&tm);
    }
}

static void
take_mtime(struct answer *a, const char *value)
{
    parse_date(value, &a->mtime);
}

static void
take_encoding(struct answer *a, const char *value)
{
    a->coded = *value != '\0' && strcasecmp(value, "identity") != 0;
}

static bool
has_token(const char *list, const char *token)
{
    size_t len = strlen(token);

    for (;;) {
        list += strspn(list, ", \t");
        size_t n = strcspn(list, ",=; \t");
        if (n == 0 && *list == '\0') {
            return false;
        }
        if (n == len && strncasecmp(list, token, n) == 0) {
            return true;
        }
        list += strcspn(list, ",");
    }
}

static void
take_cache_control(struct answer *a, const char *value)
{
    if (has_token(value, "private") || has_token(value, "no-store")) {
        a->no_share = true;
    }
}

static void
copy_field(char *field, size_t cap, const char *value, size_t len)
{
    if (len < cap) {
        memcpy(field, value, len);
        field[len] = '\0';
    }
}

static void
take_location(struct answer *a, const char *value)
{
    copy_field(a->location, sizeof(a->location), value, strlen(value));
}

static void
take_tracker(struct answer *a, const char *value)
{
    copy_field(a->tracker, sizeof(a->tracker), value, strlen(value));
}

/* A mirror, one line; those that do not fit are left out. */
static void
take_duplicate(struct answer *a, const struct link *l)
{
    size_t len = strlen(a->duplicates), room = sizeof(a->duplicates) - len;
    char pri[8], geo[4];
    unsigned long priority = DUPLICATE_LAST;

    if (link_param(l, "pri", pri, sizeof(pri)) && pri[0] >= '0'
        && pri[0] <= '9') {
        priority = strtoul(pri, NULL, 10);
    }
    if (link_has(l, "pref")) {
        priority = 0; /* its validators are the same as here */
    }
    if (!link_param(l, "geo", geo, sizeof(geo)) || strlen(geo) != 2) {
        snprintf(geo, sizeof(geo), "--");
    }
    int n = snprintf(a->duplicates + len, room, "%lu %s %.*s\n",
                     priority < DUPLICATE_LAST ? priority : DUPLICATE_LAST,
                     geo, (int) l->url_len, l->url);
    if (n < 0 || (size_t) n >= room) {
        a->duplicates[len] = '\0';
    }
}

static void
take_described(struct answer *a, const struct link *l)
{
    char type[64];

    if (a->describedby[0] == '\0' && link_param(l, "type", type, sizeof(type))
        && metalink_is_type(type))
    {
        copy_field(a->describedby, sizeof(a->describedby), l->url, l->url_len);
    }
}

static void
take_link(struct answer *a, const char *value)
{
    struct link l;

    while (link_next(&value, &l)) {
        if (link_is(&l, "piece-layer") && a->layer[0] == '\0') {
            copy_field(a->layer, sizeof(a->layer), l.url, l.url_len);
        } else if (link_is(&l, "duplicate")) {
            take_duplicate(a, &l);
        } else if (link_is(&l, "describedby")) {
            take_described(a, &l);
        }
    }
}

static void
take_type(struct answer *a, const char *value)
{
    a->metalink = metalink_is_type(value);
}

static void
take_stronger(struct answer *a, int err, const struct checksum *sum)
{
    if (err == 0 && sum->len > a->digest.len) {
        a->digest = *sum;
    }
}

static void
take_digest(struct answer *a, const char *value)
{
    struct checksum sum;

    take_stronger(a, checksum_parse_field(value, &sum), &sum);
}

/* What follows is of the body, so of the file only where that is whole. */
static void
take_content_digest(struct answer *a, const char *value)
{
    if (a->status == 200) {
        take_digest(a, value);
    }
}

static void
take_md5(struct answer *a, const char *value)
{
    struct checksum sum;

    if (a->status == 200) {
        take_stronger(a, checksum_parse_base64("md5", value, &sum), &sum);
    }
}

/* One that was made of parts has a number behind it, and is passed over. */
static void
take_amz_sha256(struct answer *a, const char *value)
{
    struct checksum sum;

    if (a->status == 200) {
        take_stronger(a, checksum_parse_base64("sha256", value, &sum), &sum);
    }
}

/* A date counts from the answer's own: the clocks need not agree. */
static void
reckon_retry(struct answer *a)
{
    if (a->date >= 0 && a->retry > a->date) {
        int64_t wait = a->retry - a->date;

        a->retry_after = wait > RETRY_MAX ? RETRY_MAX : (unsigned) wait;
    }
}

static void
take_date(struct answer *a, const char *value)
{
    parse_date(value, &a->date);
    reckon_retry(a);
}

static void
take_retry_after(struct answer *a, const char *value)
{
    uint64_t n;

    if (parse_u64(&value, &n) == 0 && *value == '\0') {
        a->retry_after = n > RETRY_MAX ? RETRY_MAX : (unsigned) n;
    } else {
        parse_date(value, &a->retry);
        reckon_retry(a);
    }
}

static void
take_have(struct answer *a, const char *value)
{
    a->has_events = strcmp(value, "events") == 0;
}

static void
take_epoch(struct answer *a, const char *value)
{
    if (strlen(value) == sizeof(a->epoch) - 1
        && strspn(value, "0123456789abcdef") == sizeof(a->epoch) - 1)
    {
        memcpy(a->epoch, value, sizeof(a->epoch));
    }
}

static void
take_cursor(struct answer *a, const char *value)
{
    uint64_t n;

    if (parse_u64(&value, &n) == 0 && *value == '\0' && n <= INT64_MAX) {
        a->cursor = n;
    }
}

static void
take_cookie(struct answer *a, const char *value)
{
    (void) value;
    a->sets_cookie = true;
}

static void
take_disposition(struct answer *a, const char *value)
{
    disposition_name(value, a->name, sizeof(a->name));
}

static const struct {
    const char *name;
    void (*take)(struct answer *a, const char *value);
} fields[] = {
    { "Content-Length", take_length },
    { "Content-Range", take_range },
    { "ETag", take_etag },
    { "Last-Modified", take_mtime },
    { "Content-Encoding", take_encoding },
    { "Cache-Control", take_cache_control },
    { "Location", take_location },
    { "Shoal-Tracker", take_tracker },
    { "Link", take_link },
    { "Content-Type", take_type },
    { "Repr-Digest", take_digest },
    { "Digest", take_digest },
    { "Content-Digest", take_content_digest },
    { "Content-MD5", take_md5 },
    { "x-amz-checksum-sha256", take_amz_sha256 },
    { "Date", take_date },
    { "Retry-After", take_retry_after },
    { "Shoal-Have", take_have },
    { "Shoal-Epoch", take_epoch },
    { "Shoal-Cursor", take_cursor },
    { "Set-Cookie", take_cookie },
    { "Content-Disposition", take_disposition },
};

void
answer_line(struct answer *a, const char *line, size_t len)
{
    char text[HEADER_MAX];

    while (len > 0 && strchr("\r\n \t", line[len - 1]) != NULL) {
        len--;
    }
    if (len == 0 || len >= sizeof(text)) {
        return;
    }
    memcpy(text, line, len);
    text[len] = '\0';

    if (strncmp(text, "HTTP/", 5) == 0) {
        const char *space = strchr(text, ' ');

        answer_reset(a);
        a->status = space != NULL ? (unsigned) strtoul(space, NULL, 10) : 0;
        return;
    }
    char *colon = strchr(text, ':');
    if (colon == NULL) {
        return;
    }
    *colon = '\0';
    for (size_t i = 0; i < sizeof(fields) / sizeof(fields[0]); i++) {
        if (strcasecmp(text, fields[i].name) == 0) {
            fields[i].take(a, colon + 1 + strspn(colon + 1, " \t"));
            return;
        }
    }
}

uint64_t
answer_size(const struct answer *a)
{
    if (a->coded) {
        return ORIGIN_UNKNOWN;
    }
    if (a->status == 200) {
        return a->length;
    }
    if (a->status == 206 || a->status == 416) {
        return a->range_total;
    }
    return ORIGIN_UNKNOWN;
}

bool
answer_is_redirect(const struct answer *a)
{
    switch (a->status) {
    case 301:
    case 302:
    case 303:
    case 307:
    case 308:
        return a->location[0] != '\0';
    default:
        return false;
    }
}
