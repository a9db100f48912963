#include "download.h"

#include <stdio.h>

#include "options.h"
#include "progress.h"
#include "report.h"
#include "shoal.h"

static int
exit_status(int err)
{
    switch (err) {
    case 0:
        return 0;
    case SHOAL_EIO:
    case SHOAL_EFULL:
        return EXIT_FILE;
    case SHOAL_ENET:
    case SHOAL_ECONNECT:
        return EXIT_NETWORK;
    case SHOAL_ETLS:
        return EXIT_TLS;
    case SHOAL_EAUTH:
        return EXIT_LOGIN;
    case SHOAL_EPROTO:
    case SHOAL_ENOAGREE:
        return EXIT_PROTOCOL;
    case SHOAL_ENOTFOUND:
    case SHOAL_EHTTP:
        return EXIT_SERVER;
    case SHOAL_EVERIFY:
        return EXIT_VERIFY;
    default:
        return EXIT_OTHER;
    }
}

static void
on_progress(void *ctx, const struct shoal_progress *p)
{
    if (p->stage <= SHOAL_FETCHING) {
        progress_show(ctx, p->file, p->held, p->size);
    }
}

static void
on_message(void *ctx, enum shoal_level level, const char *text)
{
    const struct options *o = ctx;

    if (!o->quiet || level == SHOAL_WARNING) {
        fprintf(stderr, "%s\n", text);
    }
}

int
download_url(const struct options *o, const char *url,
             struct download_stop *stop)
{
    struct shoal *d = shoal_copy(o->settings, url);
    struct progress progress;

    if (d == NULL) {
        fprintf(stderr, "shoal: out of memory\n");
        return EXIT_OTHER;
    }
    progress_start(&progress, o->quiet);
    shoal_on_progress(d, on_progress, &progress);
    shoal_on_message(d, on_message, (void *) o);
    stop->running = d;
    if (stop->signal != 0) {
        shoal_cancel(d); /* it came before */
    }
    int err = shoal_run(d);
    stop->running = NULL;
    progress_end(&progress);
    if (err != 0) {
        fprintf(stderr, "shoal: %s\n", shoal_error(d));
    }
    const struct shoal_report *r = shoal_report(d);
    if (!o->quiet && r != NULL && !r->there && r->n_sources > 0) {
        report_print(stderr, r);
    }
    shoal_free(d);
    return exit_status(err);
}

int
download_make_layer(const struct options *o)
{
    char why[512] = "";
    int err = shoal_make_layer(o->make_layer, o->output, why, sizeof(why));

    if (err != 0) {
        fprintf(stderr, "shoal: %s\n", why);
        return err == SHOAL_ENOMEM ? EXIT_OTHER : EXIT_FILE;
    }
    return 0;
}
