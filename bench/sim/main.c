/* main.c - the simulator's command line. */
#include "sim.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define MBIT 1e6
#define MIB  1048576

void *
sim_grow(void *list, size_t size, size_t n, size_t *cap)
{
    if (n < *cap) {
        return list;
    }
    *cap = (n + 4) * 3 / 2;
    list = realloc(list, *cap * size);
    if (list == NULL) {
        fprintf(stderr, "sim: out of memory\n");
        exit(1);
    }
    return list;
}

/* splitmix64 */
uint64_t
sim_random(uint64_t *state)
{
    uint64_t x = *state += 0x9e3779b97f4a7c15ull;

    x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9ull;
    x = (x ^ (x >> 27)) * 0x94d049bb133111ebull;
    return x ^ (x >> 31);
}

enum kind {
    COUNT,
    NUMBER,
    MBITS,
    MIBS,
    TEXT,
    FLAG,
    RATES
};

struct option {
    const char *name;
    enum kind kind;
    size_t at;
    const char *help;
};

#define AT(field) offsetof(struct sim_options, field)

static const struct option options[] = {
    { "clients", COUNT, AT(clients), "how many (8)" },
    { "size", MIBS, AT(size), "of the file, MiB (64)" },
    { "seed", COUNT, AT(seed), "of all chance (1)" },
    { "cdn", MBITS, AT(cdn), "a CDN node's link, Mbit/s (50)" },
    { "nodes", RATES, AT(node_rates), "a link each, Mbit/s: 200,100,50,25" },
    { "up", MBITS, AT(up), "uplinks, Mbit/s (50)" },
    { "up-odd", MBITS, AT(up_odd), "of every second client" },
    { "down", MBITS, AT(down), "downlinks, Mbit/s (50)" },
    { "delay", NUMBER, AT(delay_ms), "one way, milliseconds (5)" },
    { "supers", COUNT, AT(supers), "super peers, empty at the start" },
    { "super-up", MBITS, AT(super), "their uplinks, Mbit/s (200)" },
    { "seeds", COUNT, AT(seeds), "clients that have it all at the start" },
    { "seed-up", MBITS, AT(seed_up), "their uplinks, Mbit/s (50)" },
    { "liars", COUNT, AT(liars), "who give wrong blocks" },
    { "hold", NUMBER, AT(hold_ms), "the tracker's answers, milliseconds" },
    { "join", NUMBER, AT(join_s), "clients come over so many seconds ..." },
    { "even", FLAG, AT(even), "... at equal distances" },
    { "depart", FLAG, AT(depart), "who is complete leaves" },
    { "at", NUMBER, AT(leave_s), "when, in seconds, ..." },
    { "leave", COUNT, AT(leave), "... so many are killed" },
    { "stall", COUNT, AT(stall), "... so many uplinks stand still" },
    { "node-at", NUMBER, AT(node_at_s), "when the first node ..." },
    { "node-to", NUMBER, AT(node_to),
      "... has that rate, Mbit/s; 0: none, "
      "-1: it is gone" },
    { "limit", NUMBER, AT(limit_s), "given up after so many seconds (600)" },
    { "rule", TEXT, AT(rule), "what failed once: offset, unique" },
    { "json", FLAG, AT(json), "one JSON object" },
};

enum {
    N_OPTIONS = sizeof(options) / sizeof(options[0])
};

static int
usage(FILE *f, int status)
{
    fprintf(f, "Usage: sim [OPTION]...\n");
    for (int i = 0; i < N_OPTIONS; i++) {
        fprintf(f, "  --%-9s %s\n", options[i].name, options[i].help);
    }
    return status;
}

static bool
parse_rates(struct sim_options *o, const char *text)
{
    char *end;

    o->nodes = 0;
    do {
        double mbit = strtod(text, &end);

        if (end == text || mbit <= 0 || o->nodes == NODES_MAX) {
            return false;
        }
        o->node_rates[o->nodes++] = mbit * MBIT;
        text = end + 1;
    } while (*end == ',');
    return *end == '\0';
}

static bool
parse(struct sim_options *o, const struct option *x, const char *text)
{
    void *at = (char *) o + x->at;
    char *end = "";
    double number =
        x->kind == TEXT || x->kind == RATES ? 0 : strtod(text, &end);

    if (*end != '\0' || *text == '\0') {
        return false;
    }
    switch (x->kind) {
    case COUNT:
        if (x->at == AT(seed)) {
            o->seed = (uint64_t) number;
        } else {
            *(uint32_t *) at = (uint32_t) number;
        }
        return number >= 0 && number <= 1e6;
    case NUMBER:
        *(double *) at = number;
        return true;
    case MBITS:
        *(double *) at = number * MBIT;
        return number > 0;
    case MIBS:
        o->size = (uint64_t) (number * MIB);
        return number > 0 && number <= 1 << 20;
    case RATES:
        return parse_rates(o, text);
    default:
        *(const char **) at = text;
        return strcmp(text, "offset") == 0 || strcmp(text, "unique") == 0;
    }
}

static const struct option *
find_option(const char *text)
{
    for (int k = 0; strncmp(text, "--", 2) == 0 && k < N_OPTIONS; k++) {
        if (strcmp(text + 2, options[k].name) == 0) {
            return &options[k];
        }
    }
    return NULL;
}

static int
parse_all(struct sim_options *o, int argc, char **argv)
{
    for (int i = 1; i < argc; i++) {
        const struct option *x = find_option(argv[i]);

        if (x == NULL) {
            fprintf(stderr, "sim: %s: no such option\n", argv[i]);
            return usage(stderr, 2);
        }
        if (x->kind == FLAG) {
            *(bool *) ((char *) o + x->at) = true;
        } else if (i + 1 == argc || !parse(o, x, argv[++i])) {
            fprintf(stderr, "sim: --%s: %s\n", x->name, x->help);
            return 2;
        }
    }
    return 0;
}

static void
print_json(const struct sim_options *o, const struct sim_result *r)
{
    printf("{\"clients\": %u, \"size\": %" PRIu64 ", \"seed\": %" PRIu64
           ", \"finished\": %u, \"expected\": %u,\n",
           o->clients, o->size, o->seed, r->finished, r->expected);
    printf(" \"bound_s\": %.4f, \"last_s\": %.4f, \"mean_s\": %.4f, "
           "\"p50_s\": %.4f, \"p90_s\": %.4f, \"p99_s\": %.4f,\n",
           r->bound_s, r->last_s, r->mean_s, r->percentile_s[0],
           r->percentile_s[1], r->percentile_s[2]);
    printf(" \"ratio\": %.4f, \"mean_ratio\": %.4f, \"copies\": %.4f, "
           "\"waste\": %.4f, \"events\": %" PRIu64 ", \"seconds\": %.3f}\n",
           r->ratio, r->mean_ratio, r->copies, r->waste, r->events,
           r->seconds);
}

static void
print_text(const struct sim_options *o, const struct sim_result *r)
{
    printf("%u clients, %u of %u done; bound %.3f s\n", o->clients,
           r->finished, r->expected, r->bound_s);
    printf("last %.3f s (%.3f of the bound), mean %.3f, half %.3f, "
           "90 %% %.3f, 99 %% %.3f\n",
           r->last_s, r->ratio, r->mean_s, r->percentile_s[0],
           r->percentile_s[1], r->percentile_s[2]);
    printf("CDN %.3f copies, waste %.4f; %" PRIu64 " events in %.2f s\n",
           r->copies, r->waste, r->events, r->seconds);
}

int
main(int argc, char **argv)
{
    struct sim_options o = { .clients = 8,
                             .size = 64 * MIB,
                             .seed = 1,
                             .nodes = 1,
                             .cdn = 50 * MBIT,
                             .up = 50 * MBIT,
                             .down = 50 * MBIT,
                             .super = 200 * MBIT,
                             .seed_up = 50 * MBIT,
                             .delay_ms = 5,
                             .node_at_s = -1,
                             .limit_s = 600 };
    struct sim_result r;
    struct sim s;

    if (argc == 2 && strcmp(argv[1], "--help") == 0) {
        return usage(stdout, 0);
    }
    int status = parse_all(&o, argc, argv);
    if (status != 0) {
        return status;
    }
    if (o.node_to > 0) {
        o.node_to *= MBIT;
    }
    clock_t begun = clock();
    world_init(&s, &o);
    world_run(&s);
    world_result(&s, &r);
    r.seconds = (double) (clock() - begun) / CLOCKS_PER_SEC;
    (o.json ? print_json : print_text)(&o, &r);
    world_fini(&s);
    return r.finished == r.expected ? 0 : 1;
}
