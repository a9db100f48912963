/* main.c - shoal: download files as with wget, from everybody at once. */
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>

#include "download.h"
#include "options.h"

static atomic_bool stopped;
static volatile sig_atomic_t stopped_by;

static void
on_signal(int number)
{
    stopped_by = number;
    stopped = true; /* lock-free, so a signal handler may */
}

/* As wget: who waits for us sees that it was the signal. */
static void
die_of_signal(void)
{
    fflush(NULL);
    signal(stopped_by, SIG_DFL);
    raise(stopped_by);
}

static void
catch_signals(void)
{
    struct sigaction sa;

    memset(&sa, 0, sizeof(sa));
    sigemptyset(&sa.sa_mask);
    sa.sa_handler = on_signal;
    sigaction(SIGINT, &sa, NULL);
    sigaction(SIGTERM, &sa, NULL);
    sa.sa_handler = SIG_IGN;
    sigaction(SIGPIPE, &sa, NULL);
}

/* As wget: of several failures the lowest code above 1 is told. */
static int
worse(int a, int b)
{
    if (a <= 1 || b <= 1) {
        return a > b ? a : b;
    }
    return a < b ? a : b;
}

int
main(int argc, char **argv)
{
    struct options o;
    char why[512];
    int status = 0;

    if (options_parse(argc, argv, &o, why, sizeof(why)) != 0) {
        fprintf(stderr, "shoal: %s\nTry 'shoal --help'.\n", why);
        options_fini(&o);
        return EXIT_USAGE;
    }
    if (o.help) {
        options_usage(stdout);
    } else if (o.version) {
        puts("shoal 0.1");
    } else if (o.make_layer != NULL) {
        status = download_make_layer(&o);
    } else {
        catch_signals();
        for (int i = 0; i < o.n_urls && !stopped; i++) {
            status = worse(status, download_url(&o, o.urls[i], &stopped));
        }
    }
    options_fini(&o);
    if (stopped) {
        die_of_signal();
    }
    return status;
}
