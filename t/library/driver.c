/* driver.c - what an embedding program may do, for t/library*.t: one command
 * a run, what came of it in lines `key value`. */
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <shoal.h>

struct run {
    const char *url, *file;
    struct shoal *d;
    unsigned calls;     /* of on_progress */
    unsigned backwards; /* held was less than before */
    int stages;         /* a bit for each that was told */
    uint64_t held;
    int result;
    atomic_bool some; /* bytes came */
};

static struct shoal *to_cancel; /* for the signal handler */

static double
now(void)
{
    struct timespec ts;

    clock_gettime(CLOCK_MONOTONIC, &ts);
    return (double) ts.tv_sec + (double) ts.tv_nsec / 1e9;
}

static void
on_progress(void *ctx, const struct shoal_progress *p)
{
    struct run *r = ctx;

    r->calls++;
    r->backwards += p->held < r->held;
    r->held = p->held;
    r->some = r->some || p->held > 0;
    r->stages |= 1 << p->stage;
}

static void
on_message(void *ctx, enum shoal_level level, const char *text)
{
    (void) ctx;
    printf("message %d %s\n", (int) level, text);
}

/* URL FILE [NAME VALUE]...; FILE is not set where it is empty. */
static void
begin(struct run *r, char **argv)
{
    r->url = argv[0];
    r->file = argv[1];
    r->d = shoal_create(r->url);
    shoal_on_progress(r->d, on_progress, r);
    shoal_on_message(r->d, on_message, r);
    if (*r->file != '\0') {
        shoal_set(r->d, "output-document", r->file);
    }
    for (argv += 2; argv[0] != NULL && argv[1] != NULL; argv += 2) {
        if (shoal_set(r->d, argv[0], argv[1]) != 0) {
            printf("set %s\n", shoal_error(r->d));
        }
    }
}

static void
print_report(struct shoal *d)
{
    static const char *const kinds[] = { "cdn", "super", "peer" };
    const struct shoal_report *r = shoal_report(d);

    printf("report result %d saved %d there %d size %llu held %llu file %s\n",
           r->result, r->saved, r->there, (unsigned long long) r->size,
           (unsigned long long) r->held, r->file);
    printf("trust %d votes %u root %s version %s\n", (int) r->trust, r->votes,
           r->root, r->version);
    for (size_t i = 0; i < r->n_sources; i++) {
        const struct shoal_source *s = &r->sources[i];

        printf("source %s %s used %llu wasted %llu first %.3f last %.3f: %s\n",
               kinds[s->kind], s->name, (unsigned long long) s->used,
               (unsigned long long) s->wasted, s->first, s->last, s->state);
    }
    for (size_t i = 0; i < r->n_trackers; i++) {
        printf("tracker %s: %s\n", r->trackers[i].url, r->trackers[i].state);
    }
    for (size_t i = 0; i < r->n_events; i++) {
        printf("event %.3f %s: %s\n", r->events[i].seconds,
               r->events[i].what[0] != '\0' ? r->events[i].what : "-",
               r->events[i].text);
    }
}

static void
end(struct run *r)
{
    printf("result %d\nerror %s\n", r->result, shoal_error(r->d));
    printf("progress %u backwards %u stages %d held %llu\n", r->calls,
           r->backwards, r->stages, (unsigned long long) r->held);
    print_report(r->d);
    printf("again %d\n", shoal_run(r->d));
    shoal_free(r->d);
}

static int
cmd_run(char **argv)
{
    struct run r = { 0 };

    begin(&r, argv);
    r.result = shoal_run(r.d);
    end(&r);
    return 0;
}

static int
cmd_step(char **argv)
{
    struct run r = { 0 };
    unsigned steps = 0;
    double longest = 0;

    begin(&r, argv);
    do {
        double start = now();

        r.result = shoal_step(r.d, 20);
        double took = now() - start;
        longest = took > longest ? took : longest;
        steps++;
    } while (r.result == SHOAL_EAGAIN);
    printf("steps %u\nlongest %.3f\n", steps, longest);
    printf("set %d\n", shoal_set(r.d, "tries", "1"));
    end(&r);
    return 0;
}

static void *
cancel_soon(void *ctx)
{
    struct run *r = ctx;

    while (!r->some) {
        usleep(10000);
    }
    usleep(200000);
    printf("cancelled %.3f\n", now());
    shoal_cancel(r->d);
    return NULL;
}

static int
cmd_cancel(char **argv)
{
    struct run r = { 0 };
    pthread_t thread;

    begin(&r, argv);
    pthread_create(&thread, NULL, cancel_soon, &r);
    r.result = shoal_run(r.d);
    printf("returned %.3f\n", now());
    pthread_join(thread, NULL);
    end(&r);
    return 0;
}

static void
on_alarm(int number)
{
    (void) number;
    shoal_cancel(to_cancel);
}

static int
cmd_signal(char **argv)
{
    struct run r = { 0 };

    begin(&r, argv);
    to_cancel = r.d;
    signal(SIGALRM, on_alarm);
    alarm(1);
    r.result = shoal_run(r.d);
    end(&r);
    return 0;
}

/* Left in the middle: what came is kept, and nothing goes on. */
static int
cmd_leave(char **argv)
{
    struct run r = { 0 };

    begin(&r, argv);
    do {
        r.result = shoal_step(r.d, 20);
    } while (r.result == SHOAL_EAGAIN && r.held < 1 << 20);
    printf("result %d held %llu\n", r.result, (unsigned long long) r.held);
    shoal_free(r.d);
    return 0;
}

static void *
run_one(void *ctx)
{
    struct run *r = ctx;

    r->result = shoal_run(r->d);
    return NULL;
}

/* URL FILE URL FILE... in a thread each */
static int
cmd_threads(char **argv)
{
    struct run runs[8] = { 0 };
    pthread_t threads[8];
    size_t n = 0;

    for (; n < 8 && argv[2 * n] != NULL; n++) {
        char *one[] = { argv[2 * n], argv[2 * n + 1], NULL };

        begin(&runs[n], one);
        pthread_create(&threads[n], NULL, run_one, &runs[n]);
    }
    for (size_t i = 0; i < n; i++) {
        pthread_join(threads[i], NULL);
        printf("result %d\n", runs[i].result);
        shoal_free(runs[i].d);
    }
    return 0;
}

/* To a standard output that nobody reads: SIGPIPE, which would end us here, is
 * the library's matter. */
static int
cmd_pipe(char **argv)
{
    struct run r = { 0 };
    sigset_t mask, pending;
    int fds[2], out = dup(STDOUT_FILENO);

    if (out < 0 || pipe(fds) != 0 || dup2(fds[1], STDOUT_FILENO) < 0) {
        return 2;
    }
    close(fds[0]);
    close(fds[1]);
    begin(&r, argv);
    r.result = shoal_run(r.d);
    dup2(out, STDOUT_FILENO);
    pthread_sigmask(SIG_SETMASK, NULL, &mask);
    sigpending(&pending);
    printf("result %d\nerror %s\nblocked %d pending %d\n", r.result,
           shoal_error(r.d), sigismember(&mask, SIGPIPE),
           sigismember(&pending, SIGPIPE));
    shoal_free(r.d);
    return 0;
}

/* One made from another, which is gone by then. */
static int
cmd_copy(char **argv)
{
    struct shoal *first = shoal_create(NULL);
    struct run r = { 0 };

    shoal_set(first, "output-document", argv[1]);
    shoal_set(first, "no-upload", NULL);
    printf("template %d %s\n", shoal_run(first), shoal_error(first));
    r.d = shoal_copy(first, argv[0]);
    shoal_free(first);
    r.result = shoal_run(r.d);
    end(&r);
    return 0;
}

/* NAME VALUE... */
static int
cmd_set(char **argv)
{
    struct shoal *d = shoal_create("http://example.com/");

    for (; argv[0] != NULL && argv[1] != NULL; argv += 2) {
        int err = shoal_set(d, argv[0], argv[1]);

        printf("set %d%s%s\n", err, err != 0 ? " " : "",
               err != 0 ? shoal_error(d) : "");
    }
    int err = shoal_check(d);
    printf("check %d %s\n", err, err != 0 ? shoal_error(d) : "");
    shoal_free(d);
    shoal_free(NULL);
    return 0;
}

/* The table, as docs/library.md has it. */
static int
cmd_settings(char **argv)
{
    size_t n;
    const struct shoal_setting *s = shoal_settings(&n);

    (void) argv;
    for (size_t i = 0; i < n; i++) {
        if (i == 0 || strcmp(s[i].group, s[i - 1].group) != 0) {
            printf("\n### %s\n\n| name | value | what it does | default |\n"
                   "| --- | --- | --- | --- |\n",
                   s[i].group);
        }
        printf("| `%s`%s | ", s[i].name,
               s[i].flags & SHOAL_SETTING_LIST ? " (list)" : "");
        for (const char *c = s[i].argument; c != NULL && *c != '\0'; c++) {
            printf(*c == '|' ? "\\|" : "%c", *c);
        }
        printf("%s | %s | %s |\n", s[i].argument == NULL ? "flag" : "",
               s[i].help, s[i].fallback != NULL ? s[i].fallback : "");
    }
    return 0;
}

int
main(int argc, char **argv)
{
    static const struct {
        const char *name;
        int (*run)(char **argv);
    } commands[] = {
        { "run", cmd_run },           { "step", cmd_step },
        { "cancel", cmd_cancel },     { "signal", cmd_signal },
        { "leave", cmd_leave },       { "threads", cmd_threads },
        { "copy", cmd_copy },         { "set", cmd_set },
        { "settings", cmd_settings }, { "pipe", cmd_pipe },
    };

    setvbuf(stdout, NULL, _IOLBF, 0);
    for (size_t i = 0; argc > 1 && i < sizeof(commands) / sizeof(commands[0]);
         i++) {
        if (strcmp(commands[i].name, argv[1]) == 0) {
            return commands[i].run(argv + 2);
        }
    }
    fprintf(stderr, "no such command\n");
    return 2;
}
