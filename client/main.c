/* main.c - shoal: download files as with wget, from everybody at once. */
#include <signal.h>
#include <stdio.h>
#include <string.h>

#include "download.h"
#include "options.h"
#include "shoal.h"

static struct download_stop stop;

static void
on_signal(int number)
{
    struct shoal *d = stop.running;

    stop.signal = number;
    if (d != NULL) {
        shoal_cancel(d);
    }
}

/* As wget: who waits for us sees that it was the signal. */
static void
die_of_signal(void)
{
    fflush(NULL);
    signal(stop.signal, SIG_DFL);
    raise(stop.signal);
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
        printf("shoal %s\n", shoal_version());
    } else if (o.make_layer != NULL) {
        status = download_make_layer(&o);
    } else {
        catch_signals();
        for (int i = 0; i < o.n_urls && stop.signal == 0; i++) {
            status = worse(status, download_url(&o, o.urls[i], &stop));
        }
    }
    options_fini(&o);
    if (stop.signal != 0) {
        die_of_signal();
    }
    return status;
}
