/* settings_values.c - the kinds of values, each with its reader. */
#include <arpa/inet.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "header.h"
#include "resolve.h"
#include "settings_internal.h"
#include "shoal.h"
#include "url.h"

enum {
    DIGITS_MAX = 15,  /* what a double holds exactly */
    VERSION_MAX = 250 /* bytes; RESOURCE_VERSION_MAX is with its kind */
};

static bool
is_printable(const char *text)
{
    for (; *text != '\0'; text++) {
        if (((unsigned char) *text < 32 && *text != '\t') || *text == 127) {
            return false;
        }
    }
    return true;
}

static bool
is_digit(char c)
{
    return c >= '0' && c <= '9';
}

/* strtod(3) would read as the program's locale says. */
static int
read_decimal(const char *text, const char **end, double *out)
{
    double n = 0, scale = 1;
    unsigned digits = 0;

    for (; is_digit(*text); text++, digits++) {
        n = n * 10 + (*text - '0');
    }
    if (*text == '.') {
        for (text++; is_digit(*text); text++, digits++) {
            n = n * 10 + (*text - '0');
            scale *= 10;
        }
    }
    if (digits == 0 || digits > DIGITS_MAX) {
        return SHOAL_EINVAL;
    }
    *out = n / scale;
    *end = text;
    return 0;
}

static int
read_flag(const char *value, bool *at)
{
    static const char *const yes[] = { "yes", "true", "on", "1" };
    static const char *const no[] = { "no", "false", "off", "0" };

    for (size_t i = 0; i < sizeof(yes) / sizeof(yes[0]); i++) {
        if (strcasecmp(value, yes[i]) == 0) {
            *at = true;
            return 0;
        }
        if (strcasecmp(value, no[i]) == 0) {
            *at = false;
            return 0;
        }
    }
    return SHOAL_EINVAL;
}

static int
check_text(const struct shoal_reader *row, const char *value)
{
    if (*value == '\0' || strlen(value) > SETTINGS_TEXT_MAX
        || !is_printable(value))
    {
        return SHOAL_EINVAL;
    }
    return row->check != NULL ? row->check(value) : 0;
}

static int
read_text(const struct shoal_reader *row, const char *value, char **at)
{
    int err = check_text(row, value);
    char *copy = err == 0 ? strdup(value) : NULL;

    if (copy == NULL) {
        return err != 0 ? err : SHOAL_ENOMEM;
    }
    free(*at);
    *at = copy;
    return 0;
}

static void
list_clear(struct strings *list)
{
    for (size_t i = 0; i < list->n; i++) {
        free(list->v[i]);
    }
    free(list->v);
    *list = (struct strings){ NULL, 0 };
}

static int
list_add(struct strings *list, const char *value)
{
    char **v = realloc(list->v, (list->n + 2) * sizeof(v[0]));

    if (v == NULL) {
        return SHOAL_ENOMEM;
    }
    list->v = v;
    v[list->n] = strdup(value);
    if (v[list->n] == NULL) {
        return SHOAL_ENOMEM;
    }
    v[++list->n] = NULL;
    return 0;
}

static int
read_list(const struct shoal_reader *row, const char *value,
          struct strings *at)
{
    if (*value == '\0') {
        list_clear(at);
        return 0;
    }
    if (at->n >= row->max) {
        return SHOAL_EINVAL;
    }
    int err = check_text(row, value);
    return err == 0 ? list_add(at, value) : err;
}

static int
read_number(const struct shoal_reader *row, const char *value, unsigned *at)
{
    const char *end = value;
    double n = 0;

    if (row->endless && strcmp(value, "inf") == 0) {
        *at = 0;
        return 0;
    }
    if (value[strspn(value, "0123456789")] != '\0'
        || read_decimal(value, &end, &n) != 0 || n < row->min || n > row->max)
    {
        return SHOAL_EINVAL;
    }
    *at = (unsigned) n;
    return 0;
}

/* As wget: K is 1024. */
static int
read_rate(const char *value, uint64_t *at)
{
    static const char units[] = "kmg";
    const char *end;
    double n;

    if (read_decimal(value, &end, &n) != 0) {
        return SHOAL_EINVAL;
    }
    if (*end != '\0') {
        const char *unit = strchr(units, *end | 32);

        if (unit == NULL || end[1] != '\0') {
            return SHOAL_EINVAL;
        }
        n *= (double) (UINT64_C(1) << (10 * (unit - units + 1)));
    }
    if (n > (double) (UINT64_C(1) << 53) || (n > 0 && n < 1)) {
        return SHOAL_EINVAL;
    }
    *at = (uint64_t) n;
    return 0;
}

static int
read_time(const struct shoal_reader *row, const char *value, unsigned *at)
{
    static const char units[] = "smhd";
    static const double unit_ms[] = { 1000, 60e3, 3600e3, 86400e3 };
    const char *end;
    double n;

    if (read_decimal(value, &end, &n) != 0) {
        return SHOAL_EINVAL;
    }
    if (*end != '\0') {
        const char *unit = strchr(units, *end);

        if (unit == NULL || end[1] != '\0') {
            return SHOAL_EINVAL;
        }
        n *= unit_ms[unit - units];
    } else {
        n *= row->unit_ms;
    }
    if (n >= SETTINGS_UNSET || (n > 0 && n < 1)) {
        return SHOAL_EINVAL;
    }
    *at = (unsigned) n;
    return 0;
}

static int
read_ratio(const char *value, double *at)
{
    const char *end;
    double n;

    if (read_decimal(value, &end, &n) != 0 || *end != '\0') {
        return SHOAL_EINVAL;
    }
    *at = n;
    return 0;
}

static int
read_checksum(const char *value, struct checksum_setting *at)
{
    struct checksum_setting new = { .from = CHECKSUM_GIVEN };

    if (strcmp(value, "auto") == 0) {
        new.from = CHECKSUM_AUTO;
    } else if (value[0] == '@') {
        new.from = CHECKSUM_FILE;
        if (value[1] == '\0' || !is_printable(value)) {
            return SHOAL_EINVAL;
        }
        new.file = strdup(value + 1);
        if (new.file == NULL) {
            return SHOAL_ENOMEM;
        }
    } else if (checksum_parse(value, &new.sum) != 0) {
        return SHOAL_EINVAL;
    }
    free(at->file);
    *at = new;
    return 0;
}

int
setting_read(const struct shoal_reader *row, const char *value, void *at)
{
    switch (row->kind) {
    case SETTING_FLAG:
        return read_flag(value, at);
    case SETTING_TEXT:
        return read_text(row, value, at);
    case SETTING_LIST:
        return read_list(row, value, at);
    case SETTING_NUMBER:
        return read_number(row, value, at);
    case SETTING_RATE:
        return read_rate(value, at);
    case SETTING_TIME:
        return read_time(row, value, at);
    case SETTING_RATIO:
        return read_ratio(value, at);
    case SETTING_CHECKSUM:
        return read_checksum(value, at);
    }
    return SHOAL_EINVAL;
}

void
setting_clear(const struct shoal_reader *row, void *at)
{
    struct checksum_setting *sum = at;

    switch (row->kind) {
    case SETTING_TEXT:
        free(*(char **) at);
        *(char **) at = NULL;
        break;
    case SETTING_LIST:
        list_clear(at);
        break;
    case SETTING_CHECKSUM:
        free(sum->file);
        *sum = (struct checksum_setting){ .from = CHECKSUM_NONE };
        break;
    default:
        break;
    }
}

static int
dup_text(char **at)
{
    if (*at == NULL) {
        return 0;
    }
    *at = strdup(*at);
    return *at != NULL ? 0 : SHOAL_ENOMEM;
}

static int
dup_list(struct strings *at)
{
    struct strings from = *at;
    int err = 0;

    *at = (struct strings){ NULL, 0 };
    for (size_t i = 0; err == 0 && i < from.n; i++) {
        err = list_add(at, from.v[i]);
    }
    if (err != 0) {
        list_clear(at);
    }
    return err;
}

int
setting_dup(const struct shoal_reader *row, void *at)
{
    switch (row->kind) {
    case SETTING_TEXT:
        return dup_text(at);
    case SETTING_LIST:
        return dup_list(at);
    case SETTING_CHECKSUM:
        return dup_text(&((struct checksum_setting *) at)->file);
    default:
        return 0;
    }
}

int
check_address(const char *value)
{
    uint8_t any[16];

    return inet_pton(AF_INET, value, any) == 1
                   || inet_pton(AF_INET6, value, any) == 1
               ? 0
               : SHOAL_EINVAL;
}

/* RFC 9110 section 5.1: a token, then a colon. */
int
check_header(const char *value)
{
    enum header_kind kind = header_kind(value);

    return kind != HEADER_BAD && kind != HEADER_OURS ? 0 : SHOAL_EINVAL;
}

int
check_host_pattern(const char *value)
{
    const char *host = strncmp(value, "*.", 2) == 0 ? value + 2 : value;

    return *host != '\0' && strpbrk(host, "*/?#@ ") == NULL ? 0 : SHOAL_EINVAL;
}

int
check_layer(const char *value)
{
    return strstr(value, "://") != NULL ? check_url(value) : 0;
}

int
check_resolve(const char *value)
{
    struct resolve *r = resolve_create();
    int err = r != NULL ? resolve_add(r, value) : SHOAL_ENOMEM;

    resolve_free(r);
    return err;
}

int
check_url(const char *value)
{
    char *url = url_clean(value);

    free(url);
    return url != NULL ? 0 : SHOAL_EINVAL;
}

/* With its kind, `text:`, it is part of the file's identity. */
int
check_version(const char *value)
{
    return strlen(value) <= VERSION_MAX ? 0 : SHOAL_EINVAL;
}
