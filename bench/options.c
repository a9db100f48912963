#include <arpa/inet.h>
#include <sched.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include "load.h"

static const char usage[] =
    "usage: load run|park|hold --connect ADDR:PORT --url PATTERN [OPTION]...\n"
    "       load print --url PATTERN --requests N [OPTION]...\n"
    "\n"
    "  --url PATTERN       path and query; fields are in bench/pattern.h\n"
    "  --header 'N: V'     one more header, a pattern too; may be repeated\n"
    "  --requests N        how many\n"
    "  --first K           k of the first one (0)\n"
    "  --space N           k stays below K + N and begins again\n"
    "  --random            k by chance; --seed N (1) for another order\n"
    "  --from ADDR,N       client addresses: N of them, from ADDR on\n"
    "  --expect STATUS     what counts as right (200)\n"
    "  --timeout S         give up when nothing comes (30)\n"
    "  --cpu N             run on this CPU only\n"
    "run: requests one after the other on each connection\n"
    "  --connections N     at once (16)\n"
    "  --close             a new connection for each request\n"
    "  --spin              never sleep, so that the server wakes nobody\n"
    "  --seconds S         end after so long\n"
    "  --cut               the time begins with the first bytes and --warm S\n"
    "                      (0) seconds; what is under way then is given up\n"
    "  --meter PID         the server: tell its CPU time meanwhile\n"
    "  --size N --range N  ranges of a file of N bytes: k is which one; each\n"
    "                      has to be answered 206 with exactly that range\n"
    "  --discard           bodies are thrown away in the kernel, uncopied\n"
    "  --sum               SHA-256 of all bodies, in the order of requests\n"
    "                      when there is one connection\n"
    "park: a new connection for each request, all of them open until "
    "answered\n"
    "  --rate R            sent a second (1000)\n"
    "  --delay-ms D        what the server is to hold them for\n"
    "  --control FILE      a request in the file, sent on a connection of "
    "its\n"
    "                      own when all are parked: times count from it\n"
    "  --settle-ms D       how long after the last one was sent (200)\n"
    "  --values            print each one's time too\n"
    "  --rcvbuf N          bytes of a receive buffer\n"
    "hold: a request on each connection, all of them open until it is ended\n"
    "  --connections N, --size N, --range N as above\n"
    "  --unread            read nothing of the answers\n"
    "print: the paths, a line each\n";

enum kind {
    KIND_TEXT,
    KIND_SET,
    KIND_CLEAR,
    KIND_UINT,
    KIND_UINT64,
    KIND_REAL,
    KIND_SERVER,
    KIND_FROM,
    KIND_HEADER,
    KIND_CPU
};

static const struct option {
    const char *name;
    enum kind kind;
    size_t offset;
} options[] = {
    { "--connect", KIND_SERVER, 0 },
    { "--url", KIND_TEXT, offsetof(struct load, url) },
    { "--header", KIND_HEADER, 0 },
    { "--requests", KIND_UINT64, offsetof(struct load, requests) },
    { "--first", KIND_UINT64, offsetof(struct load, first) },
    { "--space", KIND_UINT64, offsetof(struct load, space) },
    { "--random", KIND_SET, offsetof(struct load, random) },
    { "--seed", KIND_UINT64, offsetof(struct load, seed) },
    { "--from", KIND_FROM, 0 },
    { "--expect", KIND_UINT, offsetof(struct load, expect) },
    { "--timeout", KIND_REAL, offsetof(struct load, timeout_s) },
    { "--cpu", KIND_CPU, 0 },
    { "--connections", KIND_UINT, offsetof(struct load, connections) },
    { "--spin", KIND_SET, offsetof(struct load, spin) },
    { "--close", KIND_CLEAR, offsetof(struct load, keepalive) },
    { "--seconds", KIND_REAL, offsetof(struct load, seconds) },
    { "--rate", KIND_REAL, offsetof(struct load, rate) },
    { "--delay-ms", KIND_REAL, offsetof(struct load, delay_ms) },
    { "--control", KIND_TEXT, offsetof(struct load, control) },
    { "--settle-ms", KIND_REAL, offsetof(struct load, settle_ms) },
    { "--values", KIND_SET, offsetof(struct load, values) },
    { "--size", KIND_UINT64, offsetof(struct load, size) },
    { "--range", KIND_UINT64, offsetof(struct load, range) },
    { "--warm", KIND_REAL, offsetof(struct load, warm_s) },
    { "--meter", KIND_UINT, offsetof(struct load, meter) },
    { "--cut", KIND_SET, offsetof(struct load, cut) },
    { "--discard", KIND_SET, offsetof(struct load, discard) },
    { "--sum", KIND_SET, offsetof(struct load, sum) },
    { "--unread", KIND_SET, offsetof(struct load, unread) },
    { "--rcvbuf", KIND_UINT, offsetof(struct load, rcvbuf) },
};

static bool
parse_server(const char *text, struct sockaddr_in *a)
{
    char host[INET_ADDRSTRLEN] = "";
    const char *colon = strchr(text, ':');
    long port;

    if (colon == NULL || (size_t) (colon - text) >= sizeof(host))
        return false;
    memcpy(host, text, (size_t) (colon - text));
    port = strtol(colon + 1, NULL, 10);
    a->sin_family = AF_INET;
    a->sin_port = htons((uint16_t) port);
    return port > 0 && port < 65536
           && inet_pton(AF_INET, host, &a->sin_addr) == 1;
}

static bool
parse_from(const char *text, struct load *l)
{
    char host[INET_ADDRSTRLEN] = "";
    const char *comma = strchr(text, ',');
    struct in_addr a;

    if (comma == NULL || (size_t) (comma - text) >= sizeof(host))
        return false;
    memcpy(host, text, (size_t) (comma - text));
    l->from_count = (uint32_t) strtoul(comma + 1, NULL, 10);
    if (inet_pton(AF_INET, host, &a) != 1 || l->from_count == 0)
        return false;
    l->from = ntohl(a.s_addr);
    return true;
}

static bool
add_header(const char *text, struct load *l)
{
    size_t len = strlen(l->headers);

    if (strchr(text, ':') == NULL
        || len + strlen(text) + 3 > sizeof(l->headers))
        return false;
    snprintf(l->headers + len, sizeof(l->headers) - len, "%s\r\n", text);
    return true;
}

static bool
parse_number(enum kind kind, const char *text, void *field)
{
    char *end;
    double n = strtod(text, &end);

    if (end == text || *end || !(n >= 0 && n < 1e18))
        return false;
    if (kind == KIND_REAL)
        *(double *) field = n;
    else if (kind == KIND_UINT64)
        *(uint64_t *) field = (uint64_t) n;
    else if (n > 1e9)
        return false;
    else
        *(unsigned *) field = (unsigned) n;
    return true;
}

static bool
pin(const char *text)
{
    cpu_set_t set;
    unsigned cpu;

    if (!parse_number(KIND_UINT, text, &cpu) || cpu >= CPU_SETSIZE)
        return false;
    CPU_ZERO(&set);
    CPU_SET(cpu, &set);
    return sched_setaffinity(0, sizeof(set), &set) == 0;
}

static bool
parse_value(struct load *l, const struct option *o, const char *text)
{
    void *field = (char *) l + o->offset;

    switch (o->kind) {
    case KIND_TEXT:
        *(const char **) field = text;
        return true;
    case KIND_SERVER:
        return parse_server(text, &l->server);
    case KIND_FROM:
        return parse_from(text, l);
    case KIND_HEADER:
        return add_header(text, l);
    case KIND_CPU:
        return pin(text);
    default:
        return parse_number(o->kind, text, field);
    }
}

static const struct option *
find(const char *name)
{
    for (unsigned i = 0; i < sizeof(options) / sizeof(*options); i++) {
        if (strcmp(options[i].name, name) == 0)
            return &options[i];
    }
    return NULL;
}

static bool
parse_all(struct load *l, int argc, char **argv)
{
    for (int i = 2; i < argc; i++) {
        const struct option *o = find(argv[i]);

        if (o == NULL) {
            fprintf(stderr, "load: %s: unknown\n", argv[i]);
            return false;
        }
        if (o->kind == KIND_SET || o->kind == KIND_CLEAR) {
            *((bool *) ((char *) l + o->offset)) = o->kind == KIND_SET;
            continue;
        }
        if (++i == argc || !parse_value(l, o, argv[i])) {
            fprintf(stderr, "load: %s: bad value\n", o->name);
            return false;
        }
    }
    return true;
}

static bool
parse_mode(const char *text, enum load_mode *mode)
{
    static const char *const modes[] = { "run", "park", "hold", "print" };

    for (unsigned i = 0; text && i < sizeof(modes) / sizeof(*modes); i++) {
        if (strcmp(text, modes[i]) == 0) {
            *mode = (enum load_mode) i;
            return true;
        }
    }
    return false;
}

/* Ranges: k is which one. */
static bool
check_ranges(struct load *l)
{
    size_t len = strlen(l->headers);

    if ((l->size == 0) != (l->range == 0)) {
        fputs("load: --size and --range go together\n", stderr);
        return false;
    }
    if (l->size == 0)
        return true;
    if (l->space == 0 || l->space > range_count(l))
        l->space = range_count(l);
    l->expect = 206;
    if (!range_header(l, l->headers + len, sizeof(l->headers) - len)) {
        fputs("load: too many headers\n", stderr);
        return false;
    }
    return true;
}

/* What the mode needs. */
static bool
check(const struct load *l)
{
    if (l->mode != MODE_PRINT && l->server.sin_port == 0) {
        fputs("load: --connect is missing\n", stderr);
        return false;
    }
    if (l->connections == 0) {
        fputs("load: --connections: none\n", stderr);
        return false;
    }
    if (l->mode == MODE_RUN ? l->requests == 0 && l->seconds <= 0
                            : l->mode != MODE_HOLD && l->requests == 0)
    {
        fputs("load: --requests is missing\n", stderr);
        return false;
    }
    return true;
}

bool
options_parse(struct load *l, int argc, char **argv)
{
    memset(l, 0, sizeof(*l));
    l->connections = 16;
    l->keepalive = true;
    l->seed = 1;
    l->expect = 200;
    l->timeout_s = 30;
    l->rate = 1000;
    l->settle_ms = 200;

    if (!parse_mode(argv[1], &l->mode) || !parse_all(l, argc, argv)
        || l->url == NULL)
    {
        fputs(usage, stderr);
        return false;
    }
    return check_ranges(l) && check(l);
}
