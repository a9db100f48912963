#include "options.h"

#include <arpa/inet.h>
#include <getopt.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "resolve.h"
#include "shoal.h"

/* One row an option: the parser, the help text and the checks come from it. */
struct row {
    int letter; /* what getopt_long returns */
    bool is_short;
    const char *name;
    const char *arg; /* NULL: takes none */
    const char *help;
    int (*parse)(struct options *o, const char *arg);
    const char *expected;
};

static int
take_output(struct options *o, const char *arg)
{
    if (*arg == '\0') {
        return SHOAL_EINVAL;
    }
    o->output = arg;
    return 0;
}

static int
take_directory(struct options *o, const char *arg)
{
    if (*arg == '\0') {
        return SHOAL_EINVAL;
    }
    o->directory = arg;
    return 0;
}

static int
take_continue(struct options *o, const char *arg)
{
    (void) arg;
    o->resume = true;
    return 0;
}

static int
take_quiet(struct options *o, const char *arg)
{
    (void) arg;
    o->quiet = true;
    return 0;
}

static int
take_no_upload(struct options *o, const char *arg)
{
    (void) arg;
    o->no_upload = true;
    return 0;
}

static int
take_help(struct options *o, const char *arg)
{
    (void) arg;
    o->help = true;
    return 0;
}

static int
take_version(struct options *o, const char *arg)
{
    (void) arg;
    o->version = true;
    return 0;
}

static int
take_tracker(struct options *o, const char *arg)
{
    if (o->n_trackers == OPTIONS_TRACKERS
        || (strncasecmp(arg, "http://", 7) != 0
            && strncasecmp(arg, "https://", 8) != 0))
    {
        return SHOAL_EINVAL;
    }
    o->trackers[o->n_trackers++] = arg;
    return 0;
}

static int
take_resolve(struct options *o, const char *arg)
{
    if (o->resolve == NULL) {
        o->resolve = resolve_create();
        if (o->resolve == NULL) {
            return SHOAL_ENOMEM;
        }
    }
    return resolve_add(o->resolve, arg);
}

static int
take_bind(struct options *o, const char *arg)
{
    struct in6_addr any;

    if (inet_pton(AF_INET, arg, &any) != 1
        && inet_pton(AF_INET6, arg, &any) != 1) {
        return SHOAL_EINVAL;
    }
    o->bind_address = arg;
    return 0;
}

static int
take_port(struct options *o, const char *arg)
{
    char *end;
    unsigned long n = strtoul(arg, &end, 10);

    if (*arg < '0' || *arg > '9' || *end != '\0' || n == 0 || n > 65535) {
        return SHOAL_EINVAL;
    }
    o->listen_port = (uint16_t) n;
    return 0;
}

static int
take_checksum(struct options *o, const char *arg)
{
    o->has_checksum = true;
    return checksum_parse(arg, &o->checksum);
}

static int
take_layer(struct options *o, const char *arg)
{
    if (*arg == '\0') {
        return SHOAL_EINVAL;
    }
    o->layer = arg;
    return 0;
}

static int
take_mirror(struct options *o, const char *arg)
{
    if (o->n_mirrors == OPTIONS_MIRRORS
        || (strncasecmp(arg, "http://", 7) != 0
            && strncasecmp(arg, "https://", 8) != 0))
    {
        return SHOAL_EINVAL;
    }
    o->mirrors[o->n_mirrors++] = arg;
    return 0;
}

static int
take_make_layer(struct options *o, const char *arg)
{
    if (*arg == '\0') {
        return SHOAL_EINVAL;
    }
    o->make_layer = arg;
    return 0;
}

enum {
    LONG_ONLY = 256
};

static const struct row rows[] = {
    { 'O', true, "output-document", "FILE",
      "write to FILE; - is standard output", take_output, "a file name" },
    { 'P', true, "directory-prefix", "DIR", "save files in DIR",
      take_directory, "a directory" },
    { 'c', true, "continue", NULL, "go on with a partial download",
      take_continue, NULL },
    { 'q', true, "quiet", NULL, "print errors only", take_quiet, NULL },
    { LONG_ONLY + 0, false, "tracker", "URL",
      "ask this tracker (up to 4 of them; also SHOAL_TRACKER)", take_tracker,
      "an http(s) URL, at most 4 times" },
    { LONG_ONLY + 1, false, "resolve", "HOST:PORT:ADDR[,ADDR]...",
      "addresses to use instead of the resolver's", take_resolve,
      "HOST:PORT:ADDR[,ADDR]..." },
    { LONG_ONLY + 2, false, "bind-address", "ADDR",
      "connect from this local address", take_bind, "a numeric address" },
    { LONG_ONLY + 3, false, "listen-port", "N",
      "serve blocks to others at this port while downloading", take_port,
      "a port from 1 to 65535" },
    { LONG_ONLY + 4, false, "no-upload", NULL,
      "serve nothing to others (also SHOAL_NO_UPLOAD)", take_no_upload, NULL },
    { LONG_ONLY + 5, false, "checksum", "ALG=HEX",
      "what the whole file must hash to, e.g. sha-256=...", take_checksum,
      "ALG=HEX with md5, sha-1, sha-224, sha-256, sha-384 or sha-512" },
    { LONG_ONLY + 6, false, "layer", "auto|URL|FILE",
      "check blocks against this piece layer; auto: URL.shoal", take_layer,
      "auto, a URL or a file" },
    { LONG_ONLY + 8, false, "mirror", "URL",
      "the same file is there, too; may be given several times", take_mirror,
      "an http(s) URL, at most 64 times" },
    { LONG_ONLY + 7, false, "make-layer", "FILE",
      "write the piece layer of FILE to FILE.shoal (or to -O)",
      take_make_layer, "a file name" },
    { 'h', true, "help", NULL, "print this help", take_help, NULL },
    { 'V', true, "version", NULL, "print the version", take_version, NULL },
};

enum {
    ROWS = sizeof(rows) / sizeof(rows[0])
};

void
options_usage(FILE *f)
{
    fprintf(f,
            "Usage: shoal [OPTION]... URL...\n"
            "Download files from all nodes of their CDN, from super peers and "
            "from other\ndownloaders at once. Every byte is checked.\n\n");
    for (size_t i = 0; i < ROWS; i++) {
        const struct row *r = &rows[i];
        char left[64];

        snprintf(left, sizeof(left), "%c%c%s --%s%s%s",
                 r->is_short ? '-' : ' ', r->is_short ? r->letter : ' ',
                 r->is_short ? "," : " ", r->name, r->arg != NULL ? "=" : "",
                 r->arg != NULL ? r->arg : "");
        fprintf(f, "  %-42s %s\n", left, r->help);
    }
    fprintf(
        f,
        "\nExit status: wget's (0, 1 other, 2 command line, 3 file, 4 "
        "network, 5 TLS, 6 login,\n7 protocol, 8 error from server), and 32 "
        "when the bytes are not what they must be.\n");
}

static void
make_tables(struct option *longs, char *shorts)
{
    for (size_t i = 0; i < ROWS; i++) {
        longs[i] = (struct option){ rows[i].name,
                                    rows[i].arg != NULL ? required_argument
                                                        : no_argument,
                                    NULL, rows[i].letter };
        if (!rows[i].is_short) {
            continue;
        }
        *shorts++ = (char) rows[i].letter;
        if (rows[i].arg != NULL) {
            *shorts++ = ':';
        }
    }
    *shorts = '\0';
}

static int
apply(struct options *o, int letter, char *why, size_t cap)
{
    const struct row *r = rows;

    while (r->letter != letter) {
        r++; /* getopt_long returns what the table holds */
    }
    int err = r->parse(o, optarg);
    if (err != 0) {
        snprintf(why, cap, "--%s: expected %s, got '%s'", r->name, r->expected,
                 optarg);
    }
    return err;
}

static int
take_environment(struct options *o, char *why, size_t cap)
{
    const char *tracker = getenv("SHOAL_TRACKER");
    const char *no_upload = getenv("SHOAL_NO_UPLOAD");

    if (o->n_trackers == 0 && tracker != NULL && *tracker != '\0'
        && take_tracker(o, tracker) != 0)
    {
        snprintf(why, cap, "SHOAL_TRACKER: not an http(s) URL: '%s'", tracker);
        return SHOAL_EINVAL;
    }
    if (no_upload != NULL && *no_upload != '\0' && strcmp(no_upload, "0") != 0)
    {
        o->no_upload = true;
    }
    return 0;
}

static int
check(const struct options *o, char *why, size_t cap)
{
    if (o->help || o->version) {
        return 0;
    }
    if (o->make_layer != NULL && o->n_urls > 0) {
        snprintf(why, cap, "--make-layer takes no URL");
    } else if (o->make_layer == NULL && o->n_urls == 0) {
        snprintf(why, cap, "missing URL");
    } else if (o->output != NULL && o->n_urls > 1) {
        snprintf(why, cap, "-O with several URLs");
    } else if (o->has_checksum && o->n_urls > 1) {
        snprintf(why, cap, "--checksum with several URLs");
    } else if (o->listen_port != 0 && o->no_upload) {
        snprintf(why, cap, "--listen-port and --no-upload contradict");
    } else {
        return 0;
    }
    return SHOAL_EINVAL;
}

int
options_parse(int argc, char **argv, struct options *o, char *why, size_t cap)
{
    struct option longs[ROWS + 1];
    char shorts[2 * ROWS + 2];
    int letter;

    memset(o, 0, sizeof(*o));
    memset(longs, 0, sizeof(longs));
    make_tables(longs, shorts + 1);
    shorts[0] = ':'; /* we word the errors */
    opterr = 0;
    while ((letter = getopt_long(argc, argv, shorts, longs, NULL)) != -1) {
        if (letter == '?' || letter == ':') {
            snprintf(why, cap, "%s: %s", argv[optind - 1],
                     letter == ':' ? "needs an argument" : "unknown option");
            return SHOAL_EINVAL;
        }
        int err = apply(o, letter, why, cap);
        if (err != 0) {
            return err;
        }
    }
    o->urls = argv + optind;
    o->n_urls = argc - optind;
    int err = take_environment(o, why, cap);
    return err != 0 ? err : check(o, why, cap);
}

void
options_fini(struct options *o)
{
    resolve_free(o->resolve);
}
