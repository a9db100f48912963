/* admin.c - the command line of `superpeer cache`: asks the agent where one
 * runs, else opens the cache itself; shows what comes. */
#include "admin.h"

#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "cache.h"
#include "config.h"
#include "log.h"
#include "superpeer.h"

#define DEFAULT_FILE "/etc/shoal/superpeer.yaml"

enum {
    SILENCE_S = 60 /* no agent takes that long for one line */
};

/* One command line. */
struct admin {
    const struct command *command;
    const char *file;
    bool json;
    json_t *request;
    json_t *all; /* --json: what is printed at the end */
    int status;
    bool ended;  /* the answer is whole */
    bool headed; /* the table's first line was printed */
};

/* ---- what is shown ---- */

static const char *
text(const json_t *o, const char *key)
{
    const char *s = json_string_value(json_object_get(o, key));

    return s != NULL ? s : "";
}

static uint64_t
value(const json_t *o, const char *key)
{
    return (uint64_t) json_integer_value(json_object_get(o, key));
}

static const char *
bytes(uint64_t n, char out[16])
{
    static const char units[] = "KMGTP";
    double size = (double) n;
    int unit = -1;

    while (size >= 1000 && unit < 4) {
        size /= 1024;
        unit++;
    }
    if (unit < 0) {
        snprintf(out, 16, "%" PRIu64, n);
    } else {
        snprintf(out, 16, "%.1f %ciB", size, units[unit]);
    }
    return out;
}

static const char *
when(uint64_t seconds, char out[24])
{
    time_t t = (time_t) seconds;
    struct tm tm;

    gmtime_r(&t, &tm);
    strftime(out, 24, "%Y-%m-%d %H:%M:%S", &tm);
    return out;
}

static void
show_row(struct admin *a, const json_t *set)
{
    char size[16], used[24], blocks[32];

    if (!a->headed) {
        printf("%-12s  %10s  %11s  %-10s  %-19s  %s\n", "ID", "SIZE", "BLOCKS",
               "STATE", "LAST USE (UTC)", "URL");
        a->headed = true;
    }
    snprintf(blocks, sizeof(blocks), "%" PRIu64 "/%" PRIu64,
             value(set, "held"), value(set, "blocks"));
    printf("%.12s  %10s  %11s  %-10s  %-19s  %s\n", text(set, "id"),
           bytes(value(set, "size"), size), blocks, text(set, "state"),
           when(value(set, "last_use"), used), text(set, "url"));
}

static void
show_all(struct admin *a, const json_t *set)
{
    const char *key;
    json_t *v;

    if (a->headed) {
        printf("\n");
    }
    a->headed = true;
    json_object_foreach((json_t *) (uintptr_t) set, key, v)
    {
        char date[24];

        if (strcmp(key, "last_use") == 0) {
            printf("%-10s %s\n", key, when(value(set, key), date));
        } else if (json_is_string(v)) {
            printf("%-10s %s\n", key, json_string_value(v));
        } else if (json_is_integer(v)) {
            printf("%-10s %" JSON_INTEGER_FORMAT "\n", key,
                   json_integer_value(v));
        } else {
            printf("%-10s %s\n", key, json_is_true(v) ? "yes" : "no");
        }
    }
}

static void
show_wrong(struct admin *a, const json_t *set)
{
    (void) a;
    printf("%s  %" PRIu64 " wrong blocks, dropped  %s\n", text(set, "id"),
           value(set, "wrong"), text(set, "url"));
}

static void
show_removed(struct admin *a, const json_t *set)
{
    (void) a;
    printf("removed %s  %s\n", text(set, "id"), text(set, "url"));
}

static void
show_verified(const json_t *sum)
{
    char size[16];

    printf("%" PRIu64 " blocks, %s: %" PRIu64 " wrong, %" PRIu64
           " of no set\n",
           value(sum, "blocks"), bytes(value(sum, "bytes"), size),
           value(sum, "wrong"), value(sum, "astray"));
}

/* ---- the table of commands ---- */

static const struct command {
    const char *name;
    const char *arguments;
    const char *help;
    void (*set)(struct admin *a, const json_t *set);
    bool needs_sets;
} commands[] = {
    { "ls", "[SET...]", "list the sets", show_row, false },
    { "show", "SET...", "all that is known of sets", show_all, true },
    { "rm", "SET...", "delete sets; trackers are told first", show_removed,
      true },
    { "verify", "[SET...]",
      "compare blocks with their hashes; status 1 if one is wrong", show_wrong,
      false },
};

static const struct {
    int letter;
    const char *name;
    int argument;
    const char *help;
} options[] = {
    { 'c', "config", required_argument,
      "FILE  the super peer's YAML file (" DEFAULT_FILE ")" },
    { 'j', "json", no_argument, "print JSON" },
    { 'h', "help", no_argument, "print this" },
};

enum {
    COMMANDS = sizeof(commands) / sizeof(commands[0]),
    OPTIONS = sizeof(options) / sizeof(options[0])
};

static void
usage(FILE *out)
{
    fprintf(out, "usage: superpeer cache COMMAND [-c FILE] [SET...]\n\n");
    for (int i = 0; i < COMMANDS; i++) {
        fprintf(out, "  %-6s %-9s %s\n", commands[i].name,
                commands[i].arguments, commands[i].help);
    }
    fprintf(out, "\nA SET is an id, its first digits, or a URL.\n\n");
    for (int i = 0; i < OPTIONS; i++) {
        fprintf(out, "  -%c, --%-7s %s\n", options[i].letter, options[i].name,
                options[i].help);
    }
}

/* -1: go on; else the exit status. */
static int
parse_options(struct admin *a, int argc, char **argv)
{
    static char name[] = "superpeer cache"; /* for getopt's messages */
    struct option longs[OPTIONS + 1];
    int letter;

    memset(longs, 0, sizeof(longs));
    for (int i = 0; i < OPTIONS; i++) {
        longs[i].name = options[i].name;
        longs[i].has_arg = options[i].argument;
        longs[i].val = options[i].letter;
    }
    argv[0] = name;
    optind = 0; /* glibc: from the beginning, of another array */
    while ((letter = getopt_long(argc, argv, "c:jh", longs, NULL)) != -1) {
        switch (letter) {
        case 'c':
            a->file = optarg;
            break;
        case 'j':
            a->json = true;
            break;
        case 'h':
            usage(stdout);
            return EXIT_SUCCESS;
        default:
            usage(stderr);
            return EXIT_CONFIG;
        }
    }
    return -1;
}

static int
complain(const char *what, const char *given)
{
    fprintf(stderr, "superpeer cache: %s%s%s%s\n", what, given ? " `" : "",
            given ? given : "", given ? "`" : "");
    usage(stderr);
    return EXIT_CONFIG;
}

static int
parse_command(struct admin *a, int argc, char **argv)
{
    if (optind >= argc) {
        return complain("which command?", NULL);
    }
    const char *name = argv[optind++];
    for (int i = 0; i < COMMANDS; i++) {
        if (strcmp(commands[i].name, name) == 0) {
            a->command = &commands[i];
        }
    }
    if (a->command == NULL) {
        return complain("no such command:", name);
    }
    json_t *sets = json_array();
    a->request = json_object();
    json_object_set_new(a->request, "command", json_string(name));
    json_object_set_new(a->request, "sets", sets);
    for (; optind < argc; optind++) {
        json_t *set = json_string(argv[optind]);

        if (set == NULL || *argv[optind] == '\0') {
            json_decref(set);
            return complain("neither an id nor a URL:", argv[optind]);
        }
        json_array_append_new(sets, set);
    }
    if (a->command->needs_sets && json_array_size(sets) == 0) {
        return complain("of which sets?", NULL);
    }
    return -1;
}

/* ---- the answer ---- */

static void
keep(struct admin *a, const char *key, json_t *v)
{
    json_t *list = json_object_get(a->all, key);

    if (list == NULL) {
        list = json_array();
        json_object_set_new(a->all, key, list);
    }
    json_array_append(list, v);
}

/* One object of the answer. */
static void
take(struct admin *a, const json_t *o)
{
    json_t *set = json_object_get(o, "set");
    json_t *removed = json_object_get(o, "removed");
    json_t *verified = json_object_get(o, "verified");
    json_t *end = json_object_get(o, "end");

    if (json_is_string(json_object_get(o, "error"))) {
        fprintf(stderr, "superpeer cache: %s\n", text(o, "error"));
        a->status = ADMIN_WRONG;
    }
    set = set != NULL ? set : removed;
    if (set != NULL && a->json) {
        keep(a, "sets", set);
    } else if (set != NULL) {
        a->command->set(a, set);
    }
    if (a->json && json_object_get(o, "cache") != NULL) {
        json_object_set(a->all, "cache", json_object_get(o, "cache"));
    }
    if (verified != NULL && a->json) {
        json_object_set(a->all, "verified", verified);
    } else if (verified != NULL) {
        show_verified(verified);
    }
    if (end != NULL) {
        a->ended = true;
        a->status = a->status != 0 ? a->status : (int) json_integer_value(end);
    }
}

static bool
take_own(void *ctx, json_t *object)
{
    take(ctx, object);
    json_decref(object);
    return true;
}

static bool
never(void *ctx)
{
    (void) ctx;
    return false;
}

static int
ask_agent(struct admin *a, int fd)
{
    const struct timeval limit = { SILENCE_S, 0 };
    char *line = NULL;
    size_t cap = 0;

    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit));
    FILE *in = fdopen(fd, "re");
    /* A server that is busy has said so, and closed. */
    if (in == NULL
        || (!admin_send(fd, json_incref(a->request)) && errno != EPIPE)) {
        fprintf(stderr, "superpeer cache: the agent: %s\n", strerror(errno));
        if (in != NULL) {
            fclose(in);
        } else {
            close(fd);
        }
        return EXIT_CACHE;
    }
    while (!a->ended && getline(&line, &cap, in) > 0) {
        json_t *o = json_loads(line, 0, NULL);

        take(a, o);
        json_decref(o);
    }
    free(line);
    fclose(in);
    if (!a->ended && a->status == 0) {
        fprintf(stderr, "superpeer cache: the agent has gone\n");
    }
    return a->ended || a->status != 0 ? a->status : EXIT_CACHE;
}

static int
ask_cache(struct admin *a, const struct config *config)
{
    struct cache_options o = { .path = config->cache_path,
                               .size = config->cache_size };
    struct admin_sink sink = { take_own, never, a };
    struct cache *c;
    char why[512];

    if (cache_open(&o, &c, why, sizeof(why)) != 0) {
        fprintf(stderr, "superpeer cache: %s\n", why);
        return EXIT_CACHE;
    }
    admin_run(c, a->request, &sink);
    cache_close(c);
    return a->status;
}

static int
ask(struct admin *a)
{
    struct config *config;

    if (config_load(a->file, stderr, &config) != 0) {
        return EXIT_CONFIG;
    }
    log_set_level(LOG_LEVEL_ERROR);
    int fd = admin_connect(config->cache_path);
    int status = fd >= 0 ? ask_agent(a, fd) : ask_cache(a, config);
    config_free(config);
    return status;
}

int
admin_main(int argc, char **argv, const char *file)
{
    struct admin a = { .file = file != NULL ? file : DEFAULT_FILE };

    int status = parse_options(&a, argc, argv);
    if (status < 0) {
        status = parse_command(&a, argc, argv);
    }
    if (status < 0) {
        a.all = json_object();
        if (a.command->set != show_wrong) {
            json_object_set_new(a.all, "sets", json_array());
        }
        status = ask(&a);
        if (a.json && a.ended) {
            json_dumpf(a.all, stdout, JSON_INDENT(1));
            printf("\n");
        }
    }
    json_decref(a.all);
    json_decref(a.request);
    return status;
}
