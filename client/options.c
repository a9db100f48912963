#include "options.h"

#include <getopt.h>
#include <stdlib.h>
#include <string.h>

#include "shoal.h"

/* Options beside the library's settings; they look alike. */
enum own {
    OWN_QUIET,
    OWN_MAKE_LAYER,
    OWN_HELP,
    OWN_VERSION,
    OWNS
};

static const struct shoal_setting own[OWNS] = {
    [OWN_QUIET] = { .name = "quiet",
                    .letters = "q",
                    .help = "print errors only" },
    [OWN_MAKE_LAYER] = { .name = "make-layer",
                         .argument = "FILE",
                         .help = "write the piece layer of FILE to FILE.shoal "
                                 "(or to -O)" },
    [OWN_HELP] = { .name = "help", .letters = "h", .help = "print this help" },
    [OWN_VERSION] = { .name = "version",
                      .letters = "V",
                      .help = "print the version" },
};

enum {
    OPTIONS_MAX = 128,
    FIRST = 256 /* getopt_long returns it for the first row of all */
};

/* The rows of both tables, numbered through. */
static const struct shoal_setting *
row_of(size_t i)
{
    size_t n;
    const struct shoal_setting *table = shoal_settings(&n);

    if (i < n) {
        return &table[i];
    }
    return i - n < OWNS ? &own[i - n] : NULL;
}

/* wget's -nc is two letters: getopt knows one. */
static bool
has_letter(const struct shoal_setting *r)
{
    return r->letters != NULL && r->letters[1] == '\0';
}

void
options_usage(FILE *f)
{
    const struct shoal_setting *r;

    fprintf(f,
            "Usage: shoal [OPTION]... URL...\n"
            "Download files from all nodes of their CDN, from super peers and "
            "from other\ndownloaders at once. Every byte is checked.\n\n");
    for (size_t i = 0; (r = row_of(i)) != NULL; i++) {
        char left[64];

        snprintf(left, sizeof(left), "%s%s%s --%s%s%s",
                 has_letter(r) ? "-" : "  ", has_letter(r) ? r->letters : "",
                 has_letter(r) ? "," : " ", r->name,
                 r->argument != NULL ? "=" : "",
                 r->argument != NULL ? r->argument : "");
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
    const struct shoal_setting *r;

    *shorts++ = ':'; /* we word the errors */
    for (size_t i = 0; i < OPTIONS_MAX && (r = row_of(i)) != NULL; i++) {
        longs[i] = (struct option){ r->name,
                                    r->argument != NULL ? required_argument
                                                        : no_argument,
                                    NULL, FIRST + (int) i };
        if (has_letter(r)) {
            *shorts++ = r->letters[0];
        }
        if (has_letter(r) && r->argument != NULL) {
            *shorts++ = ':';
        }
    }
    *shorts = '\0';
}

static size_t
index_of(int letter)
{
    const struct shoal_setting *r;
    size_t i = 0;

    if (letter >= FIRST) {
        return (size_t) (letter - FIRST);
    }
    while ((r = row_of(i)) != NULL
           && !(has_letter(r) && r->letters[0] == letter)) {
        i++; /* getopt_long returns what the tables hold */
    }
    return i;
}

static int
apply_own(struct options *o, enum own which)
{
    switch (which) {
    case OWN_QUIET:
        o->quiet = true;
        break;
    case OWN_MAKE_LAYER:
        o->make_layer = optarg;
        break;
    case OWN_HELP:
        o->help = true;
        break;
    case OWN_VERSION:
        o->version = true;
        break;
    case OWNS:
        break;
    }
    return 0;
}

static int
set(struct options *o, const char *name, const char *value, char *why,
    size_t cap)
{
    int err = shoal_set(o->settings, name, value);

    if (err != 0) {
        snprintf(why, cap, "--%s", shoal_error(o->settings));
    }
    return err;
}

static int
apply(struct options *o, int letter, char *why, size_t cap)
{
    size_t i = index_of(letter), n;

    shoal_settings(&n);
    if (i >= n) {
        return apply_own(o, (enum own)(i - n));
    }
    if (strcmp(row_of(i)->name, "output-document") == 0) {
        o->output = optarg;
    }
    return set(o, row_of(i)->name, optarg, why, cap);
}

static int
take_environment(struct options *o, char *why, size_t cap)
{
    const char *tracker = getenv("SHOAL_TRACKER");
    const char *no_upload = getenv("SHOAL_NO_UPLOAD");
    int err = 0;

    if (tracker != NULL && *tracker != '\0') {
        err = shoal_set(o->settings, "tracker", tracker);
        if (err != 0) {
            snprintf(why, cap, "SHOAL_TRACKER: not an http(s) URL: '%s'",
                     tracker);
        }
    }
    if (err == 0 && no_upload != NULL && *no_upload != '\0'
        && strcmp(no_upload, "0") != 0)
    {
        err = set(o, "no-upload", NULL, why, cap);
    }
    return err;
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
    } else if (shoal_check(o->settings) != 0) {
        snprintf(why, cap, "%s", shoal_error(o->settings));
    } else {
        return 0;
    }
    return SHOAL_EINVAL;
}

/* The environment's tracker counts where the command line names none. */
static bool
names_tracker(int argc, char **argv)
{
    for (int i = 1; i < argc && strcmp(argv[i], "--") != 0; i++) {
        if (strcmp(argv[i], "--tracker") == 0
            || strncmp(argv[i], "--tracker=", 10) == 0)
        {
            return true;
        }
    }
    return false;
}

int
options_parse(int argc, char **argv, struct options *o, char *why, size_t cap)
{
    struct option longs[OPTIONS_MAX + 1];
    char shorts[2 * OPTIONS_MAX + 2];
    int letter, err;

    memset(o, 0, sizeof(*o));
    memset(longs, 0, sizeof(longs));
    o->settings = shoal_create(NULL);
    if (o->settings == NULL) {
        snprintf(why, cap, "out of memory");
        return SHOAL_ENOMEM;
    }
    err = take_environment(o, why, cap);
    if (err == 0 && names_tracker(argc, argv)) {
        err = set(o, "tracker", NULL, why, cap);
    }
    make_tables(longs, shorts);
    opterr = 0;
    while (err == 0
           && (letter = getopt_long(argc, argv, shorts, longs, NULL)) != -1)
    {
        if (letter == '?' || letter == ':') {
            snprintf(why, cap, "%s: %s", argv[optind - 1],
                     letter == ':' ? "needs an argument" : "unknown option");
            return SHOAL_EINVAL;
        }
        err = apply(o, letter, why, cap);
    }
    o->urls = argv + optind;
    o->n_urls = argc - optind;
    return err != 0 ? err : check(o, why, cap);
}

void
options_fini(struct options *o)
{
    shoal_free(o->settings);
}
