#include "config.h"

#include <arpa/inet.h>
#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <yaml.h>

#include "guard.h"
#include "resolve.h"
#include "shoal.h"

enum {
    TOKEN_MAX = 4096,     /* bytes; a header line of nginx holds 8 KiB */
    DEPTH_MAX = 4,        /* of the file; the table has 2 */
    CACHE_MIN = 16 << 20, /* bytes; below it a set hardly fits */
    LOCALITY_MAX = 128,   /* docs/protocol.md "Super peers' calls" */
    NAME_MAX_LEN = 64,    /* the same */
    KEY_MAX = 128         /* characters of a key with its parents */
};

struct reader;
struct setting;

/* One kind of value: reads `text`, and says in `why` what was expected. */
typedef int take_fn(struct reader *r, const struct setting *s,
                    const char *text, void *at);

static take_fn take_text, take_name, take_locality, take_path, take_url,
    take_address, take_listen, take_bytes, take_count, take_origin,
    take_network, take_override;

enum flags {
    REQUIRED = 1,
    LIST = 2,      /* of values */
    OF_TRACKER = 4 /* offset is in struct config_tracker */
};

/* The table. `fallback` is read by the same function as the file's text. */
struct setting {
    const char *key;
    take_fn *take;
    const char *expected; /* and shown as the type */
    const char *fallback;
    uint64_t min, max;
    unsigned flags;
    size_t offset;
    const char *help;
};

#define AT(field)  offsetof(struct config, field)
#define ATT(field) offsetof(struct config_tracker, field)

static const struct setting settings[] = {
    { "name", take_name, "1 to 64 letters, digits, `.`, `_` or `-`", NULL, 0,
      0, REQUIRED, AT(name), "What the tracker knows this super peer by." },
    { "listen", take_listen, "ADDRESS:PORT, `[V6]:PORT` or `*:PORT`", "*:9090",
      0, 65535, 0, AT(listen),
      "Where the block server listens. `*` is all addresses, IPv4 and IPv6; "
      "port 0 takes a free one." },
    { "status_listen", take_listen, "ADDRESS:PORT, `[V6]:PORT` or `*:PORT`",
      "127.0.0.1:9091", 0, 65535, 0, AT(status_listen),
      "Where `/healthz` and `/status` are. Nobody is asked for a password "
      "there: keep it on loopback." },
    { "locality", take_locality, "labels such as `cn/telecom/shanghai`", NULL,
      0, 0, 0, AT(locality),
      "Where this machine is; more leading labels in common with an asker "
      "is nearer." },
    { "bind_address", take_address, "a numeric address", NULL, 0, 0, 0,
      AT(bind_address),
      "The address that connections to trackers and CDN nodes come from." },
    { "trackers[].url", take_url, "an http or https URL", NULL, 0, 0,
      REQUIRED | OF_TRACKER, ATT(url),
      "The tracker's control location, for instance "
      "`https://tracker.example.com/control`." },
    { "trackers[].token", take_text, "text", NULL, 0, 0, OF_TRACKER,
      ATT(token), "Sent as `Authorization: Bearer TOKEN`." },
    { "trackers[].token_file", take_path, "a path", NULL, 0, 0, OF_TRACKER,
      ATT(token_file), "A file whose first line is the token." },
    { "trackers[].certificate", take_path, "a path", NULL, 0, 0, OF_TRACKER,
      ATT(certificate), "Client certificate, PEM." },
    { "trackers[].key", take_path, "a path", NULL, 0, 0, OF_TRACKER, ATT(key),
      "Its private key, PEM." },
    { "trackers[].ca", take_path, "a path", NULL, 0, 0, OF_TRACKER, ATT(ca),
      "Certificates that the tracker's is checked against, PEM; the "
      "system's where not given." },
    { "cache.path", take_path, "a path", NULL, 0, 0, REQUIRED, AT(cache_path),
      "Folder of the cache. It must exist and be writable; one super peer "
      "uses it." },
    { "cache.size", take_bytes, "a size such as `100GiB`", NULL, CACHE_MIN,
      UINT64_C(1) << 46, REQUIRED, AT(cache_size),
      "What the cache may take on disk. Sets that were not used for the "
      "longest time go when 85 % of it are spoken for; a file above 80 % of "
      "it is refused." },
    { "origins", take_origin,
      "scheme://host[:port], the host perhaps as `*.domain`", NULL, 0, 0,
      REQUIRED | LIST, 0,
      "Where files may be fetched from; nothing else is. `*.domain` is every "
      "name below the domain, port `*` any port." },
    { "allow_addresses", take_network, "a network such as `10.0.0.0/8`", NULL,
      0, 0, LIST, 0,
      "Networks that may be connected to although they are loopback, "
      "private, link-local or otherwise special; origins' addresses there "
      "are refused without." },
    { "resolve", take_override, "HOST:PORT:ADDR[,ADDR]...", NULL, 0, 0, LIST,
      0,
      "Addresses of CDN nodes to use instead of the resolver's, as the "
      "client's `--resolve`." },
    { "limits.connections", take_count, "a number", "1024", 1, 15000, 0,
      AT(connections),
      "Connections to the block server at once; more are answered 503." },
    { "limits.upload_rate", take_bytes, "bytes a second, such as `50MiB`", "0",
      0, UINT64_C(1) << 40, 0, AT(upload_rate),
      "Of the block server, over all connections; 0 is no limit." },
    { "limits.origin_rate", take_bytes, "bytes a second, such as `50MiB`", "0",
      0, UINT64_C(1) << 40, 0, AT(origin_rate),
      "From CDN nodes; every prefetch job has an equal share. 0 is no "
      "limit." },
    { "limits.prefetch_jobs", take_count, "a number", "4", 1, 64, 0,
      AT(prefetch_jobs), "Files that are fetched at once." },
    { "limits.prefetch_queue", take_count, "a number", "1024", 1, 65536, 0,
      AT(prefetch_queue),
      "Files that may wait for their turn; more are refused as `busy`." },
    { "limits.nodes_per_file", take_count, "a number", "2", 1, 32, 0,
      AT(nodes_per_file), "CDN nodes that one file is read from at once." },
};

enum {
    SETTINGS = sizeof(settings) / sizeof(settings[0])
};

/* The state of one reading. */
struct reader {
    const char *path;
    FILE *errors;
    unsigned faults;
    struct config *config;
    struct config_tracker *tracker; /* that is being read */
    yaml_document_t doc;
    bool given[SETTINGS];
};

__attribute__((format(printf, 4, 5))) static void
fault(struct reader *r, size_t line, const char *key, const char *format, ...)
{
    va_list args;

    if (r->faults++ >= CONFIG_ERRORS_MAX) {
        return;
    }
    fprintf(r->errors, "%s:%zu: ", r->path, line);
    if (*key != '\0') {
        fprintf(r->errors, "%s: ", key);
    }
    va_start(args, format);
    vfprintf(r->errors, format, args);
    va_end(args);
    fputc('\n', r->errors);
}

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

static int
take_text(struct reader *r, const struct setting *s, const char *text,
          void *at)
{
    (void) r;
    (void) s;
    if (*text == '\0' || strlen(text) > TOKEN_MAX || !is_printable(text)) {
        return SHOAL_EINVAL;
    }
    return copy(text, at);
}

static int
take_path(struct reader *r, const struct setting *s, const char *text,
          void *at)
{
    return take_text(r, s, text, at);
}

#define LETTERS \
    "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"

static int
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

static int
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

static int
take_url(struct reader *r, const struct setting *s, const char *text, void *at)
{
    (void) r;
    (void) s;
    if ((strncmp(text, "http://", 7) != 0 && strncmp(text, "https://", 8) != 0)
        || !is_printable(text) || strpbrk(text, " ?#") != NULL
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

static int
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

static int
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

static const struct {
    const char *name;
    uint64_t factor;
} units[] = {
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
};

static int
take_bytes(struct reader *r, const struct setting *s, const char *text,
           void *at)
{
    const char *end;
    uint64_t n;

    (void) r;
    if (parse_number(text, &end, &n) != 0) {
        return SHOAL_EINVAL;
    }
    end += *end == ' ';
    for (size_t i = 0; i < sizeof(units) / sizeof(units[0]); i++) {
        if (strcmp(end, units[i].name) != 0) {
            continue;
        }
        if (n > s->max / units[i].factor || n * units[i].factor < s->min) {
            return SHOAL_EINVAL;
        }
        *(uint64_t *) at = n * units[i].factor;
        return 0;
    }
    return SHOAL_EINVAL;
}

static int
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

static int
take_origin(struct reader *r, const struct setting *s, const char *text,
            void *at)
{
    (void) s;
    (void) at;
    r->config->origin_count++;
    return guard_allow_origin(r->config->guard, text);
}

static int
take_network(struct reader *r, const struct setting *s, const char *text,
             void *at)
{
    (void) s;
    (void) at;
    return guard_allow_addresses(r->config->guard, text);
}

static int
take_override(struct reader *r, const struct setting *s, const char *text,
              void *at)
{
    (void) s;
    (void) at;
    return resolve_add(r->config->resolve, text);
}

static void *
target(struct reader *r, const struct setting *s)
{
    return (s->flags & OF_TRACKER) != 0 ? (char *) r->tracker + s->offset
                                        : (char *) r->config + s->offset;
}

/* The range, for those kinds that have one. */
static void
range_text(const struct setting *s, char *out, size_t cap)
{
    *out = '\0';
    if ((s->take == take_count || s->take == take_bytes)) {
        snprintf(out, cap, " from %" PRIu64 " to %" PRIu64, s->min, s->max);
    }
}

static bool
is_secret(const struct setting *s)
{
    return strcmp(s->key, "trackers[].token") == 0;
}

static void
read_value(struct reader *r, const struct setting *s, const char *key,
           const yaml_node_t *node)
{
    size_t line = node->start_mark.line + 1;
    char range[64];

    range_text(s, range, sizeof(range));
    if (node->type != YAML_SCALAR_NODE) {
        fault(r, line, key, "expected %s%s, given a %s", s->expected, range,
              node->type == YAML_MAPPING_NODE ? "mapping" : "list");
        return;
    }
    const char *text = (const char *) node->data.scalar.value;
    if (strlen(text) != node->data.scalar.length) {
        fault(r, line, key, "expected %s, given a NUL byte", s->expected);
        return;
    }
    int err = s->take(r, s, text, target(r, s));
    if (err == SHOAL_ENOMEM) {
        fault(r, line, key, "out of memory");
    } else if (err != 0) {
        fault(r, line, key, "expected %s%s, given `%.100s`", s->expected,
              range, is_secret(s) ? "(not shown)" : text);
    }
}

static void
read_list(struct reader *r, const struct setting *s, const char *key,
          const yaml_node_t *node)
{
    if (node->type != YAML_SEQUENCE_NODE) {
        fault(r, node->start_mark.line + 1, key,
              "expected a list, each item %s, given %s", s->expected,
              node->type == YAML_MAPPING_NODE ? "a mapping" : "one value");
        return;
    }
    for (yaml_node_item_t *i = node->data.sequence.items.start;
         i < node->data.sequence.items.top; i++)
    {
        read_value(r, s, key, yaml_document_get_node(&r->doc, *i));
    }
}

static int
find_setting(const char *key)
{
    for (int i = 0; i < SETTINGS; i++) {
        if (strcmp(settings[i].key, key) == 0) {
            return i;
        }
    }
    return -1;
}

static bool
is_prefix(const char *prefix)
{
    for (int i = 0; i < SETTINGS; i++) {
        if (strncmp(settings[i].key, prefix, strlen(prefix)) == 0) {
            return true;
        }
    }
    return false;
}

static void read_map(struct reader *r, const char *prefix,
                     const yaml_node_t *map);

/* `given` is of one mapping: cleared for each item of a list of them. */
static void
require(struct reader *r, const char *prefix, const yaml_node_t *map)
{
    size_t len = strlen(prefix);

    for (int i = 0; i < SETTINGS; i++) {
        const struct setting *s = &settings[i];

        if ((s->flags & REQUIRED) != 0 && !r->given[i]
            && strncmp(s->key, prefix, len) == 0
            && (len > 0 || (s->flags & OF_TRACKER) == 0))
        {
            fault(r, map->start_mark.line + 1, s->key,
                  "expected %s, given nothing", s->expected);
        }
    }
}

static void
clear_given(struct reader *r, const char *prefix)
{
    for (int i = 0; i < SETTINGS; i++) {
        if (strncmp(settings[i].key, prefix, strlen(prefix)) == 0) {
            r->given[i] = false;
        }
    }
}

static void
read_token_file(struct reader *r, struct config_tracker *t, size_t line)
{
    char token[TOKEN_MAX + 2];

    FILE *f = fopen(t->token_file, "re");
    if (f == NULL || fgets(token, sizeof(token), f) == NULL) {
        fault(r, line, "trackers[].token_file", "%s: %s", t->token_file,
              f == NULL ? strerror(errno) : "no line in it");
    } else {
        token[strcspn(token, "\r\n")] = '\0';
        if (take_text(r, NULL, token, &t->token) != 0) {
            fault(r, line, "trackers[].token_file",
                  "%s: expected a token in the first line", t->token_file);
        }
    }
    if (f != NULL) {
        fclose(f);
    }
}

static void
check_tracker(struct reader *r, struct config_tracker *t, size_t line)
{
    if (t->token != NULL && t->token_file != NULL) {
        fault(r, line, "trackers[].token_file",
              "expected token or token_file, given both");
    } else if (t->token_file != NULL) {
        read_token_file(r, t, line);
    }
    if ((t->certificate != NULL) != (t->key != NULL)) {
        fault(r, line, "trackers[].certificate",
              "expected certificate and key, given one of them");
    }
}

static void
read_trackers(struct reader *r, const yaml_node_t *node)
{
    struct config *c = r->config;

    if (node->type != YAML_SEQUENCE_NODE) {
        fault(r, node->start_mark.line + 1, "trackers",
              "expected a list of mappings, given none");
        return;
    }
    for (yaml_node_item_t *i = node->data.sequence.items.start;
         i < node->data.sequence.items.top; i++)
    {
        const yaml_node_t *item = yaml_document_get_node(&r->doc, *i);
        size_t line = item->start_mark.line + 1;

        if (c->tracker_count == CONFIG_TRACKERS_MAX) {
            fault(r, line, "trackers", "expected at most %d, given more",
                  CONFIG_TRACKERS_MAX);
            return;
        }
        r->tracker = &c->trackers[c->tracker_count++];
        clear_given(r, "trackers[].");
        read_map(r, "trackers[].", item);
        check_tracker(r, r->tracker, line);
    }
}

static void
read_pair(struct reader *r, const char *prefix, const yaml_node_t *key_node,
          const yaml_node_t *value)
{
    char key[KEY_MAX], below[KEY_MAX + 8];
    size_t line = key_node->start_mark.line + 1;

    if (key_node->type != YAML_SCALAR_NODE) {
        fault(r, line, prefix, "expected a key, given a list or mapping");
        return;
    }
    snprintf(key, sizeof(key), "%s%.64s", prefix,
             (const char *) key_node->data.scalar.value);
    int i = find_setting(key);
    snprintf(below, sizeof(below), "%s.", key);
    if (i >= 0) {
        if (r->given[i]) {
            fault(r, line, key, "expected once, given twice");
            return;
        }
        r->given[i] = true;
        if ((settings[i].flags & LIST) != 0) {
            read_list(r, &settings[i], key, value);
        } else {
            read_value(r, &settings[i], key, value);
        }
    } else if (strcmp(key, "trackers") == 0) {
        read_trackers(r, value);
    } else if (strpbrk(key, "[") == NULL && is_prefix(below)) {
        read_map(r, below, value);
    } else {
        fault(r, line, key,
              "expected a setting that is known, given one "
              "that is not");
    }
}

static void
read_map(struct reader *r, const char *prefix, const yaml_node_t *map)
{
    char key[KEY_MAX];

    if (map->type != YAML_MAPPING_NODE) {
        size_t len = strlen(prefix);

        snprintf(key, sizeof(key), "%.*s", len > 0 ? (int) len - 1 : 0,
                 prefix); /* less its dot */
        fault(r, map->start_mark.line + 1, key, "expected a mapping, given %s",
              map->type == YAML_SEQUENCE_NODE ? "a list" : "one value");
        return;
    }
    for (yaml_node_pair_t *p = map->data.mapping.pairs.start;
         p < map->data.mapping.pairs.top; p++)
    {
        read_pair(r, prefix, yaml_document_get_node(&r->doc, p->key),
                  yaml_document_get_node(&r->doc, p->value));
    }
    if (*prefix == '\0' || strcmp(prefix, "trackers[].") == 0) {
        require(r, prefix, map);
    }
}

static int
set_fallbacks(struct reader *r)
{
    for (int i = 0; i < SETTINGS; i++) {
        const struct setting *s = &settings[i];

        if (s->fallback != NULL
            && s->take(r, s, s->fallback, target(r, s)) != 0) {
            return SHOAL_ENOMEM;
        }
    }
    return 0;
}

static void
read_document(struct reader *r)
{
    yaml_node_t *root = yaml_document_get_root_node(&r->doc);

    if (root == NULL) {
        fault(r, 1, "", "expected settings, given an empty file");
        return;
    }
    read_map(r, "", root);
    if (r->faults == 0 && r->config->tracker_count == 0) {
        fault(r, 1, "trackers", "expected at least one, given none");
    }
    if (r->faults == 0 && r->config->origin_count == 0) {
        fault(r, 1, "origins", "expected at least one, given none");
    }
}

static int
read_file(struct reader *r, FILE *f)
{
    yaml_parser_t parser;

    if (yaml_parser_initialize(&parser) == 0) {
        return SHOAL_ENOMEM;
    }
    yaml_parser_set_input_file(&parser, f);
    if (yaml_parser_load(&parser, &r->doc) == 0) {
        fault(r, parser.problem_mark.line + 1, "", "not YAML: %s",
              parser.problem != NULL ? parser.problem : "cannot be read");
        yaml_parser_delete(&parser);
        return SHOAL_EINVAL;
    }
    read_document(r);
    yaml_document_delete(&r->doc);
    yaml_parser_delete(&parser);
    return r->faults == 0 ? 0 : SHOAL_EINVAL;
}

int
config_load(const char *path, FILE *errors, struct config *out)
{
    struct reader *r = calloc(1, sizeof(*r));
    int err = SHOAL_ENOMEM;

    memset(out, 0, sizeof(*out));
    if (r == NULL) {
        return SHOAL_ENOMEM;
    }
    r->path = path;
    r->errors = errors;
    r->config = out;
    out->guard = guard_create();
    out->resolve = resolve_create();
    out->trackers = calloc(CONFIG_TRACKERS_MAX, sizeof(*out->trackers));
    if (out->guard == NULL || out->resolve == NULL || out->trackers == NULL
        || set_fallbacks(r) != 0)
    {
        goto done;
    }
    FILE *f = fopen(path, "re");
    if (f == NULL) {
        fprintf(errors, "%s: %s\n", path, strerror(errno));
        err = SHOAL_EIO;
        goto done;
    }
    err = read_file(r, f);
    fclose(f);

done:
    free(r);
    if (err != 0) {
        config_fini(out);
    }
    return err;
}

void
config_fini(struct config *c)
{
    for (size_t i = 0; c->trackers != NULL && i < c->tracker_count; i++) {
        struct config_tracker *t = &c->trackers[i];

        free(t->url);
        free(t->token);
        free(t->token_file);
        free(t->certificate);
        free(t->key);
        free(t->ca);
    }
    free(c->trackers);
    free(c->name);
    free(c->listen.host);
    free(c->status_listen.host);
    free(c->locality);
    free(c->bind_address);
    free(c->cache_path);
    guard_free(c->guard);
    resolve_free(c->resolve);
    memset(c, 0, sizeof(*c));
}

void
config_print_settings(FILE *out)
{
    for (int i = 0; i < SETTINGS; i++) {
        const struct setting *s = &settings[i];
        char range[64];

        range_text(s, range, sizeof(range));
        fprintf(out, "### `%s`\n\n%s\n\nExpects %s%s%s. ", s->key, s->help,
                (s->flags & LIST) != 0 ? "a list, each item " : "",
                s->expected, range);
        if ((s->flags & REQUIRED) != 0) {
            fprintf(out, "Required.\n\n");
        } else if (s->fallback != NULL) {
            fprintf(out, "Default: `%s`.\n\n", s->fallback);
        } else {
            fprintf(out, "Default: none.\n\n");
        }
    }
}
