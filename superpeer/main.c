/* The super peer's command line and signals. */
#include <getopt.h>
#include <malloc.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#include <pthread.h>

#include <curl/curl.h>

#include "admin.h"
#include "config.h"
#include "log.h"
#include "notify.h"
#include "superpeer.h"

enum {
    LAST_MS = 4500,        /* five seconds is what was promised */
    KEEP_BYTES = 64 << 20, /* of memory: more than is on its way to the disk */
    LOG_CLOSE_MS = 300     /* who does not read the log gets no more */
};

static const struct {
    int letter;
    const char *name;
    int argument;
    const char *help;
} options[] = {
    { 'c', "config", required_argument, "FILE  the YAML file (needed)" },
    { 't', "test", no_argument, "check the file and end" },
    { 'S', "settings", optional_argument,
      "print all settings: =markdown (default) or =man" },
    { 'V', "version", no_argument, "print the version" },
    { 'h', "help", no_argument, "print this" },
};

enum {
    OPTIONS = sizeof(options) / sizeof(options[0])
};

static void
usage(FILE *out)
{
    fprintf(out, "usage: superpeer [-t] -c FILE\n"
                 "       superpeer cache ls|show|rm|verify [-c FILE] "
                 "[SET...]\n\n");
    for (int i = 0; i < OPTIONS; i++) {
        fprintf(out, "  -%c, --%-9s %s\n", options[i].letter, options[i].name,
                options[i].help);
    }
    fprintf(out, "\nSettings of the file:\n\n");
    config_print_keys(out);
}

static int
print_settings(const char *format)
{
    if (format == NULL || strcmp(format, "markdown") == 0) {
        config_print_markdown(stdout);
    } else if (strcmp(format, "man") == 0) {
        config_print_man(stdout);
    } else {
        fprintf(stderr,
                "superpeer: --settings: expected markdown or man, "
                "given `%s`\n",
                format);
        return EXIT_CONFIG;
    }
    return EXIT_SUCCESS;
}

struct arguments {
    const char *file;
    bool test;
};

/* -1: go on; else the exit status. */
static int
parse_arguments(int argc, char **argv, struct arguments *out)
{
    struct option longs[OPTIONS + 1];
    int letter;

    memset(longs, 0, sizeof(longs));
    for (int i = 0; i < OPTIONS; i++) {
        longs[i].name = options[i].name;
        longs[i].has_arg = options[i].argument;
        longs[i].val = options[i].letter;
    }
    while ((letter = getopt_long(argc, argv, "+c:tS::Vh", longs, NULL)) != -1)
    {
        switch (letter) {
        case 'c':
            out->file = optarg;
            break;
        case 't':
            out->test = true;
            break;
        case 'S':
            return print_settings(optarg);
        case 'V':
            printf("superpeer %s\n", SUPERPEER_VERSION);
            return EXIT_SUCCESS;
        case 'h':
            usage(stdout);
            return EXIT_SUCCESS;
        default:
            usage(stderr);
            return EXIT_CONFIG;
        }
    }
    if (optind < argc && strcmp(argv[optind], "cache") == 0) {
        return admin_main(argc - optind, argv + optind, out->file);
    }
    if (out->file == NULL || optind != argc) {
        fprintf(stderr, "superpeer: %s\n",
                out->file == NULL ? "-c FILE is missing"
                                  : "an argument too many");
        usage(stderr);
        return EXIT_CONFIG;
    }
    return -1;
}

/* Blocked before any thread starts, so that only sigwait() sees them. */
static void
block_signals(sigset_t *set)
{
    signal(SIGPIPE, SIG_IGN);
    sigemptyset(set);
    sigaddset(set, SIGTERM);
    sigaddset(set, SIGINT);
    sigaddset(set, SIGHUP);
    pthread_sigmask(SIG_BLOCK, set, NULL);
}

/* Every connection is a file: take what the system gives. */
static void
raise_file_limit(void)
{
    struct rlimit limit;

    if (getrlimit(RLIMIT_NOFILE, &limit) == 0) {
        limit.rlim_cur = limit.rlim_max;
        setrlimit(RLIMIT_NOFILE, &limit);
    }
}

/* Whatever still goes on then is left to the system: what was committed is
 * safe, and no transaction is half done after a start. */
static void *
end_late(void *arg)
{
    struct timespec ts = { .tv_sec = LAST_MS / 1000,
                           .tv_nsec = LAST_MS % 1000 * 1000000L };

    nanosleep(&ts, NULL);
    log_line(LOG_LEVEL_WARN, NULL, "ends although not everything is done");
    log_close(LOG_CLOSE_MS / 3);
    _exit((int) (intptr_t) arg);
    return NULL;
}

static void
end_in_time(int status)
{
    pthread_t thread;

    if (pthread_create(&thread, NULL, end_late, (void *) (intptr_t) status)
        == 0) {
        pthread_detach(thread);
    }
}

static void
reload(struct superpeer *s, const char *path)
{
    notify_reloading();
    notify_ready(superpeer_reload(s, path)
                     ? "reloaded"
                     : "goes on as before: the file has faults");
}

static int
run(struct config *config, const char *path, const sigset_t *signals)
{
    struct superpeer *s;
    int got = SIGHUP;

    log_set_level((enum log_level) config->log_level);
    log_open((enum log_to) config->log_to);
    curl_global_init(CURL_GLOBAL_DEFAULT);
    int status = superpeer_start(config, &s);
    if (status == 0) {
        notify_ready("serves");
        while (sigwait(signals, &got) == 0 && got == SIGHUP) {
            reload(s, path);
        }
        notify_stopping();
        log_line(LOG_LEVEL_INFO, NULL, "stops: %s", strsignal(got));
        end_in_time(superpeer_status(s));
        status = superpeer_stop(s);
    }
    curl_global_cleanup();
    log_close(LOG_CLOSE_MS);
    return status;
}

static int
test(const char *path)
{
    if (config_test(path, stderr) != 0) {
        return EXIT_CONFIG;
    }
    printf("%s: ok\n", path);
    return EXIT_SUCCESS;
}

/* Blocks on their way into the cache come and go by the thousand: to give
 * their pages back each time costs a tenth of the system's time. */
static void
keep_memory(void)
{
    mallopt(M_MMAP_THRESHOLD, KEEP_BYTES);
    mallopt(M_TRIM_THRESHOLD, KEEP_BYTES);
}

int
main(int argc, char **argv)
{
    struct arguments args = { NULL, false };
    struct config *config;
    sigset_t signals;

    int status = parse_arguments(argc, argv, &args);
    if (status >= 0) {
        return status;
    }
    block_signals(&signals);
    raise_file_limit();
    keep_memory();
    if (args.test) {
        return test(args.file);
    }
    if (config_load(args.file, stderr, &config) != 0) {
        return EXIT_CONFIG;
    }
    status = run(config, args.file, &signals);
    config_free(config);
    return status;
}
