#include "download.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "clock.h"
#include "file.h"
#include "layer.h"
#include "name.h"
#include "options.h"
#include "progress.h"
#include "report.h"
#include "serve.h"
#include "share.h"
#include "shoal.h"
#include "transfer.h"
#include "url.h"

enum {
    SAVE_MS = 2000, /* between two control files */
    SAVE_SHARE = 50 /* of the time, at most one part in that many */
};

struct download {
    const struct options *o;
    char *url;  /* encoded */
    char *path; /* NULL: standard output */
    struct file *file;
    struct serve *serve;
    struct transfer *transfer;
    struct progress progress;
    uint64_t save_ms; /* when next; monotonic */
};

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

static int
on_begin(void *ctx, const struct resource *r, struct blockmap *held,
         uint8_t *layer, struct store *store)
{
    struct download *d = ctx;

    return file_begin(d->file, r, held, layer, store);
}

static int
on_begin_plain(void *ctx, const char *url, uint64_t size)
{
    struct download *d = ctx;

    (void) url;
    (void) size;
    return file_begin_plain(d->file);
}

static int
on_write_plain(void *ctx, const void *data, size_t len)
{
    struct download *d = ctx;

    return file_write_plain(d->file, data, len);
}

static void
on_identified(void *ctx, const uint8_t id[20])
{
    struct download *d = ctx;

    file_identify(d->file, id);
}

static void
on_progress(void *ctx)
{
    struct download *d = ctx;
    uint64_t start = clock_ms();

    progress_show(&d->progress, transfer_held(d->transfer),
                  transfer_total(d->transfer));
    if (start < d->save_ms) {
        return;
    }
    file_save(d->file); /* if it fails, the next one may not */
    uint64_t now = clock_ms(), wait = (now - start) * SAVE_SHARE;
    d->save_ms = now + (wait > SAVE_MS ? wait : SAVE_MS);
}

static const struct transfer_ops ops = { on_begin, on_begin_plain,
                                         on_write_plain, on_identified,
                                         on_progress };

/* -c on a file that is there already, without a partial one beside it. */
static bool
is_done(const struct download *d)
{
    char part[4096];
    struct stat st;

    if (!d->o->resume || d->path == NULL) {
        return false;
    }
    snprintf(part, sizeof(part), "%s.part", d->path);
    if (stat(part, &st) == 0 || stat(d->path, &st) != 0) {
        return false;
    }
    fprintf(stderr,
            "shoal: %s is there already; there is nothing to continue\n",
            d->path);
    return true;
}

static int
prepare(struct download *d, const char *url)
{
    const struct options *o = d->o;

    d->url = url_clean(url);
    if (d->url == NULL) {
        fprintf(stderr, "shoal: %s: not an http or https URL\n", url);
        return SHOAL_EINVAL;
    }
    if (o->output == NULL || strcmp(o->output, "-") != 0) {
        d->path = name_output(d->url, o->output, o->directory, o->resume);
        if (d->path == NULL) {
            return SHOAL_ENOMEM;
        }
    }
    if (o->directory != NULL && o->output == NULL) {
        mkdir(o->directory, 0777); /* what is wrong shows at open */
    }
    d->file = file_create(d->path, o->resume);
    return d->file != NULL ? 0 : SHOAL_ENOMEM;
}

static int
run(struct download *d, const atomic_bool *stop)
{
    const struct options *o = d->o;
    struct transfer_options to = {
        .url = d->url,
        .resolve = o->resolve,
        .bind_address = o->bind_address,
        .trackers = o->n_trackers > 0 ? o->trackers : NULL,
        .layer = o->layer,
        .checksum = o->has_checksum ? &o->checksum : NULL,
        .port = d->serve != NULL ? serve_port(d->serve) : 0,
        .stop = stop,
        .ops = &ops,
        .ctx = d,
    };

    d->transfer = transfer_create(&to);
    if (d->transfer == NULL) {
        fprintf(stderr, "shoal: out of memory\n");
        return SHOAL_ENOMEM;
    }
    progress_start(&d->progress, d->path != NULL ? d->path : "-", o->quiet);
    int err = transfer_run(d->transfer);
    double seconds = progress_end(&d->progress);
    const char *why = transfer_error(d->transfer);

    if (err == 0) {
        err = file_finish(d->file, transfer_mtime(d->transfer));
        why = "";
    }
    if (err != 0) {
        file_abandon(d->file);
        fprintf(stderr, "shoal: %s%s%s\n", why,
                *why != '\0' && *file_error(d->file) != '\0' ? ": " : "",
                file_error(d->file));
    }
    if (!o->quiet) {
        struct serve_stats served = { 0 };

        if (d->serve != NULL) {
            serve_get_stats(d->serve, &served);
        }
        struct report r = { d->path != NULL ? d->path : "-", seconds,
                            file_resumed(d->file), served.bytes, err == 0 };
        report_print(stderr, d->transfer, &r);
    }
    return err;
}

int
download_url(const struct options *o, const char *url, const atomic_bool *stop)
{
    struct download d = { .o = o };
    int err = prepare(&d, url);

    if (err == 0 && !is_done(&d)) {
        err = share_start(o, d.file, &d.serve);
        if (err == 0) {
            err = run(&d, stop);
        }
    }
    serve_stop(d.serve);
    transfer_free(d.transfer);
    file_free(d.file);
    free(d.path);
    free(d.url);
    return exit_status(err);
}

int
download_make_layer(const struct options *o)
{
    char why[512] = "", *path = NULL;
    int err = SHOAL_ENOMEM;

    if (asprintf(&path, "%s%s", o->output != NULL ? o->output : o->make_layer,
                 o->output != NULL ? "" : ".shoal")
        >= 0)
    {
        err = layer_make(o->make_layer, path, why, sizeof(why));
        free(path);
    }
    if (err != 0) {
        fprintf(stderr, "shoal: %s\n", why);
        return err == SHOAL_ENOMEM ? EXIT_OTHER : EXIT_FILE;
    }
    return 0;
}
