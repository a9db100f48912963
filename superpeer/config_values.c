/* config_values.c - the kinds of values, each with its reader. */
#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "config_internal.h"
#include "guard.h"
#include "resolve.h"
#include "shoal.h"
#include "ticket.h"

enum {
    TEXT_MAX = 4096,    /* bytes; a header line of nginx holds 8 KiB */
    LOCALITY_MAX = 128, /* docs/protocol.md "Super peers' calls" */
    NAME_MAX_LEN = 64   /* the same */
};

static int
copy(const char *text, void *at)
{
    char *s = strdup(text);

    if (s == NULL) {
        return SHOAL_ENOMEM;
    }
    free(*(char **) at);
    *(char **) at = s;
    return 0;
}

static bool
is_printable(const char *text)
{
    for (; *text != '\0'; text++) {
        if ((unsigned char) *text < 32 || *text == 127) {
            return false;
        }
    }
    return true;
}

int
take_text(struct reader *r, const struct setting *s, const char *text,
          void *at)
{
    (void) r;
    (void) s;
    if (*text == '\0' || strlen(text) > TEXT_MAX || !is_printable(text)) {
        return SHOAL_EINVAL;
    }
    return copy(text, at);
}

int
take_path(struct reader *r, const struct setting *s, const char *text,
          void *at)
{
    return take_text(r, s, text, at);
}

#define LETTERS \
    "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"

int
take_name(struct reader *r, const struct setting *s, const char *text,
          void *at)
{
    size_t len = strlen(text);

    (void) r;
    (void) s;
    if (len == 0 || len > NAME_MAX_LEN || strspn(text, LETTERS "._-") != len) {
        return SHOAL_EINVAL;
    }
    return copy(text, at);
}

int
take_locality(struct reader *r, const struct setting *s, const char *text,
              void *at)
{
    size_t len = strlen(text);

    (void) r;
    (void) s;
    if (len == 0 || len > LOCALITY_MAX || strspn(text, LETTERS "._-/") != len)
    {
        return SHOAL_EINVAL;
    }
    return copy(text, at);
}

int
take_url(struct reader *r, const struct setting *s, const char *text, void *at)
{
    (void) r;
    (void) s;
    if ((strncmp(text, "http://", 7) != 0 && strncmp(text, "https://", 8) != 0)
        || !is_printable(text) || strpbrk(text, " ?#@") != NULL
        || text[strcspn(text, ":") + 3] == '\0')
    {
        return SHOAL_EINVAL;
    }
    return copy(text, at);
}

static bool
is_address(const char *text)
{
    uint8_t any[16];

    return inet_pton(AF_INET, text, any) == 1
           || inet_pton(AF_INET6, text, any) == 1;
}

int
take_address(struct reader *r, const struct setting *s, const char *text,
             void *at)
{
    (void) r;
    (void) s;
    return is_address(text) ? copy(text, at) : SHOAL_EINVAL;
}

/* Digits alone, as strtoul would also take spaces and signs. */
static int
parse_number(const char *text, const char **end, uint64_t *out)
{
    char *stop;

    if (*text < '0' || *text > '9') {
        return SHOAL_EINVAL;
    }
    errno = 0;
    unsigned long long n = strtoull(text, &stop, 10);
    if (errno != 0) {
        return SHOAL_EINVAL;
    }
    *out = n;
    *end = stop;
    return 0;
}

int
take_count(struct reader *r, const struct setting *s, const char *text,
           void *at)
{
    const char *end;
    uint64_t n;

    (void) r;
    if (parse_number(text, &end, &n) != 0 || *end != '\0' || n < s->min
        || n > s->max)
    {
        return SHOAL_EINVAL;
    }
    *(uint64_t *) at = n;
    return 0;
}

struct unit {
    const char *name;
    uint64_t factor;
};

/* A number with one of the units behind it, perhaps after a space. */
static int
parse_quantity(const struct setting *s, const struct unit *units,
               const char *text, uint64_t *out)
{
    const char *end;
    uint64_t n;

    if (parse_number(text, &end, &n) != 0) {
        return SHOAL_EINVAL;
    }
    end += *end == ' ';
    for (; units->name != NULL; units++) {
        if (strcmp(end, units->name) != 0) {
            continue;
        }
        if (n > s->max / units->factor || n * units->factor < s->min) {
            return SHOAL_EINVAL;
        }
        *out = n * units->factor;
        return 0;
    }
    return SHOAL_EINVAL;
}

int
take_bytes(struct reader *r, const struct setting *s, const char *text,
           void *at)
{
    static const struct unit units[] = {
        { "", 1 },
        { "B", 1 },
        { "KiB", UINT64_C(1) << 10 },
        { "MiB", UINT64_C(1) << 20 },
        { "GiB", UINT64_C(1) << 30 },
        { "TiB", UINT64_C(1) << 40 },
        { "kB", 1000 },
        { "MB", 1000000 },
        { "GB", 1000000000 },
        { "TB", UINT64_C(1000000000000) },
        { NULL, 0 },
    };

    (void) r;
    return parse_quantity(s, units, text, at);
}

int
take_duration(struct reader *r, const struct setting *s, const char *text,
              void *at)
{
    static const struct unit units[] = {
        { "ms", 1 },      { "s", 1000 }, { "min", 60000 },
        { "h", 3600000 }, { NULL, 0 },
    };

    (void) r;
    return parse_quantity(s, units, text, at);
}

int
take_switch(struct reader *r, const struct setting *s, const char *text,
            void *at)
{
    bool on = strcmp(text, "on") == 0 || strcmp(text, "true") == 0;

    (void) r;
    (void) s;
    if (!on && strcmp(text, "off") != 0 && strcmp(text, "false") != 0) {
        return SHOAL_EINVAL;
    }
    *(uint64_t *) at = on;
    return 0;
}

/* The number of the word in the setting's choices. */
int
take_choice(struct reader *r, const struct setting *s, const char *text,
            void *at)
{
    const char *word = s->choices;
    size_t len = strlen(text);

    (void) r;
    for (uint64_t n = 0; *word != '\0'; n++) {
        size_t word_len = strcspn(word, " ");

        if (word_len == len && strncmp(word, text, len) == 0) {
            *(uint64_t *) at = n;
            return 0;
        }
        word += word_len + (word[word_len] == ' ');
    }
    return SHOAL_EINVAL;
}

int
take_listen(struct reader *r, const struct setting *s, const char *text,
            void *at)
{
    struct config_address *out = at;
    const char *colon = strrchr(text, ':'), *end;
    uint64_t port;

    (void) r;
    if (colon == NULL || colon == text
        || parse_number(colon + 1, &end, &port) != 0 || *end != '\0'
        || port > s->max)
    {
        return SHOAL_EINVAL;
    }
    size_t len = (size_t) (colon - text);
    char *host = NULL;
    if (len != 1 || *text != '*') {
        bool bracket = *text == '[' && text[len - 1] == ']';

        host = strndup(text + bracket, len - 2 * (size_t) bracket);
        if (host == NULL) {
            return SHOAL_ENOMEM;
        }
        if (!is_address(host) || (strchr(host, ':') != NULL) != bracket) {
            free(host);
            return SHOAL_EINVAL;
        }
    }
    free(out->host);
    out->host = host;
    out->port = (uint16_t) port;
    return 0;
}

int
take_origin(struct reader *r, const struct setting *s, const char *text,
            void *at)
{
    (void) s;
    (void) at;
    r->config->origin_count++;
    return guard_allow_origin(r->config->guard, text);
}

int
take_network(struct reader *r, const struct setting *s, const char *text,
             void *at)
{
    (void) s;
    (void) at;
    return guard_allow_addresses(r->config->guard, text);
}

int
take_override(struct reader *r, const struct setting *s, const char *text,
              void *at)
{
    (void) s;
    (void) at;
    return resolve_add(r->config->resolve, text);
}

int
take_key_file(struct reader *r, const struct setting *s, const char *text,
              void *at)
{
    (void) s;
    (void) at;
    return ticket_keys_read(r->config->tickets, text, r->why, sizeof(r->why));
}

/* An address, perhaps with a port. */
static bool
is_server(const char *text)
{
    bool bracket = *text == '[';
    const char *host = text + bracket, *rest = "";
    size_t len = strcspn(host, bracket ? "]" : ":");
    const char *port = host + len;
    char address[64];
    uint64_t n = 53;

    if (len >= sizeof(address) || (bracket && *port++ != ']')) {
        return false;
    }
    memcpy(address, host, len);
    address[len] = '\0';
    if (*port != '\0'
        && (*port != ':' || parse_number(port + 1, &rest, &n) != 0)) {
        return false;
    }
    return is_address(address) && (strchr(address, ':') != NULL) == bracket
           && *rest == '\0' && n > 0 && n <= 65535;
}

/* One more in a list that is kept as text. */
int
take_server(struct reader *r, const struct setting *s, const char *text,
            void *at)
{
    char **list = at, *longer;
    size_t count = *list != NULL ? 2 : 1;

    (void) r;
    for (const char *c = *list; c != NULL && *c != '\0'; c++) {
        count += *c == ',';
    }
    if (!is_server(text) || count > s->max) {
        return SHOAL_EINVAL;
    }
    if (asprintf(&longer, "%s%s%s", *list != NULL ? *list : "",
                 *list != NULL ? "," : "", text)
        < 0)
    {
        return SHOAL_ENOMEM;
    }
    free(*list);
    *list = longer;
    return 0;
}

enum storage
config_storage(const struct setting *s)
{
    static take_fn *const texts[] = { take_text,     take_path, take_name,
                                      take_locality, take_url,  take_address,
                                      take_server };
    static take_fn *const numbers[] = { take_count, take_bytes, take_duration,
                                        take_switch, take_choice };

    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        if (s->take == texts[i]) {
            return STORED_TEXT;
        }
    }
    for (size_t i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++) {
        if (s->take == numbers[i]) {
            return STORED_NUMBER;
        }
    }
    return s->take == take_listen ? STORED_ADDRESS : STORED_OBJECT;
}
