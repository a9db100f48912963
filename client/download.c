#include "download.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "callers.h"
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
    SAVE_FIRST_MS = 100, /* a small file is there before */
    SAVE_MS = 2000,      /* between two control files */
    SAVE_SHARE = 50      /* of the time, at most one part in that many */
};

struct download {
    const struct options *o;
    const atomic_bool *stop;
    char *url; /* encoded */
    struct file *file;
    struct callers *callers; /* peers that ask our server */
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
    struct file_blocks out = { held, layer, store };
    int err = file_begin(d->file, r, transfer_mtime(d->transfer), &out);

    d->progress.name = file_path(d->file);
    return err;
}

static int
on_begin_plain(void *ctx, const char *url, uint64_t size)
{
    struct download *d = ctx;

    (void) url;
    int err = file_begin_plain(d->file, size);
    d->progress.name = file_path(d->file);
    return err;
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
on_fetching(void *ctx, uint32_t first, uint32_t n, bool on)
{
    struct download *d = ctx;

    file_fetching(d->file, first, n, on);
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

static const struct transfer_ops ops = {
    on_begin,      on_begin_plain, on_write_plain,
    on_identified, on_fetching,    on_progress,
    NULL
};

static int
prepare(struct download *d, const char *url)
{
    const struct options *o = d->o;
    struct file_options fo = {
        .derived = o->output == NULL,
        .resume = o->resume,
        .checksum = o->has_checksum ? &o->checksum : NULL,
        .stop = d->stop,
    };
    char *path = NULL;

    d->url = url_clean(url);
    if (d->url == NULL) {
        fprintf(stderr, "shoal: %s: not an http or https URL\n", url);
        return SHOAL_EINVAL;
    }
    if (o->output == NULL || strcmp(o->output, "-") != 0) {
        path = name_output(d->url, o->output, o->directory);
        if (path == NULL) {
            return SHOAL_ENOMEM;
        }
    }
    if (o->directory != NULL && o->output == NULL) {
        mkdir(o->directory, 0777); /* what is wrong shows at open */
    }
    fo.path = path;
    d->file = file_create(&fo);
    free(path);
    return d->file != NULL ? 0 : SHOAL_ENOMEM;
}

/* The file's words say more than the transfer's about the file. */
static void
print_error(const struct download *d, bool finishing)
{
    const char *why = file_error(d->file);

    if (*why == '\0') {
        why = finishing ? "stopped" : transfer_error(d->transfer);
    }
    fprintf(stderr, "shoal: %s\n", why);
}

static void
report(const struct download *d, double seconds, bool saved)
{
    struct serve_stats served = { 0 };

    if (d->serve != NULL) {
        serve_get_stats(d->serve, &served);
    }
    struct report r = { file_path(d->file), seconds, file_resumed(d->file),
                        served.bytes, saved };
    report_print(stderr, d->transfer, &r);
}

static int
run(struct download *d)
{
    const struct options *o = d->o;

    d->save_ms = clock_ms() + SAVE_FIRST_MS;
    progress_start(&d->progress, file_path(d->file), o->quiet);
    int err = transfer_run(d->transfer);
    double seconds = progress_end(&d->progress);
    bool finishing = err == 0;

    if (file_done(d->file)) {
        if (!o->quiet) {
            fprintf(stderr,
                    "shoal: %s is there already; there is nothing to "
                    "continue\n",
                    file_path(d->file));
        }
        return 0;
    }
    if (finishing) {
        err = file_finish(d->file, transfer_mtime(d->transfer));
    }
    if (err != 0) {
        file_abandon(d->file);
        print_error(d, finishing);
    }
    if (!o->quiet) {
        report(d, seconds, err == 0);
    }
    return err;
}

static int
create_transfer(struct download *d)
{
    const struct options *o = d->o;
    struct transfer_options to = {
        .url = d->url,
        .mirrors = o->mirrors,
        .resolve = o->resolve,
        .bind_address = o->bind_address,
        .trackers = o->n_trackers > 0 ? o->trackers : NULL,
        .layer = o->layer,
        .checksum = o->has_checksum ? &o->checksum : NULL,
        .resuming = file_promising(d->file),
        .port = d->serve != NULL ? serve_port(d->serve) : 0,
        .client = d->serve != NULL ? serve_epoch(d->serve) : 0,
        .callers = d->callers,
        .stop = d->stop,
        .ops = &ops,
        .ctx = d,
    };

    d->transfer = transfer_create(&to);
    if (d->transfer == NULL) {
        fprintf(stderr, "shoal: out of memory\n");
        return SHOAL_ENOMEM;
    }
    return 0;
}

int
download_url(const struct options *o, const char *url, const atomic_bool *stop)
{
    struct download d = { .o = o, .stop = stop };
    int err = prepare(&d, url);

    if (err == 0) {
        d.callers = callers_create();
        err = d.callers == NULL ? SHOAL_ENOMEM
                                : share_start(o, d.file, d.callers, &d.serve);
    }
    if (err == 0) {
        err = create_transfer(&d);
    }
    if (err == 0) {
        err = run(&d);
    }
    serve_stop(d.serve);
    transfer_free(d.transfer);
    callers_free(d.callers);
    file_free(d.file);
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
