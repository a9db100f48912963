/* download.c - one download of the public API, from its settings to the file
 * under its name: output file, block server and transfer put together. */
#include <inttypes.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "callers.h"
#include "clock.h"
#include "explain.h"
#include "file.h"
#include "given.h"
#include "metalink.h"
#include "name.h"
#include "output.h"
#include "resolve.h"
#include "serve.h"
#include "share.h"
#include "shoal_internal.h"
#include "transfer.h"
#include "url.h"

enum {
    GIVE_MS = 200, /* for the ends of answers, when the file is whole */
    GIVE_STEP_MS = 2,
    TELL_MS = 100 /* between two calls about progress, while seeding */
};

static void
tell_progress(struct shoal *d, enum shoal_stage stage)
{
    uint64_t until = d->end_ms != 0 ? d->end_ms : clock_ms();
    struct shoal_progress p = {
        .stage = stage,
        .file = file_path(d->file),
        .size = transfer_total(d->transfer),
        .held = transfer_held(d->transfer),
        .resumed = file_resumed(d->file),
        .uploaded = download_uploaded(d),
        .seconds = (double) (until - d->start_ms) / 1000,
    };

    if (d->on_progress == NULL) {
        return;
    }
    for (size_t i = 0; i < transfer_source_count(d->transfer); i++) {
        struct source_stats s;

        transfer_source(d->transfer, i, &s);
        p.used[s.kind] += s.used;
    }
    d->on_progress(d->progress_ctx, &p);
}

static int
on_begin(void *ctx, const struct resource *r, struct blockmap *held,
         uint8_t *layer, struct store *store)
{
    struct shoal *d = ctx;
    struct file_blocks out = { held, layer, store };
    int err = output_settle(d, r->size);

    if (err != 0) {
        return err;
    }
    return file_begin(d->file, r, transfer_mtime(d->transfer), &out);
}

static int
on_begin_plain(void *ctx, const char *url, uint64_t size)
{
    struct shoal *d = ctx;

    (void) url;
    int err = output_settle(d, size);
    return err != 0 ? err : file_begin_plain(d->file, size);
}

static int
on_write_plain(void *ctx, const void *data, size_t len)
{
    struct shoal *d = ctx;

    return file_write_plain(d->file, data, len);
}

static int
on_release(void *ctx, bool checked)
{
    struct shoal *d = ctx;

    return file_release(d->file, checked);
}

static int
on_window(void *ctx, uint64_t *out)
{
    struct shoal *d = ctx;

    return file_window(d->file, out);
}

static void
on_identified(void *ctx, const uint8_t id[20])
{
    struct shoal *d = ctx;

    char why[256];

    file_identify(d->file, id);
    if (share_run(d->serve, why, sizeof(why)) != 0) {
        shoal_say(d, SHOAL_WARNING, "%s: not shared: %s", file_path(d->file),
                  why);
    }
}

static void
on_fetching(void *ctx, uint32_t first, uint32_t n, bool on)
{
    struct shoal *d = ctx;

    file_fetching(d->file, first, n, on);
}

static void
on_progress(void *ctx)
{
    struct shoal *d = ctx;

    tell_progress(d, transfer_total(d->transfer) == UINT64_MAX
                             && transfer_held(d->transfer) == 0
                         ? SHOAL_STARTING
                         : SHOAL_FETCHING);
    file_save(d->file);
}

static void
on_message(void *ctx, enum shoal_level level, const char *text)
{
    const struct shoal *d = ctx;

    shoal_say(d, level, "%s", text);
}

static const struct transfer_ops ops = {
    .begin = on_begin,
    .begin_plain = on_begin_plain,
    .write_plain = on_write_plain,
    .release = on_release,
    .window = on_window,
    .identified = on_identified,
    .fetching = on_fetching,
    .progress = on_progress,
    .message = on_message,
};

static int
no_memory(struct shoal *d)
{
    return shoal_fail(d, SHOAL_ENOMEM, "out of memory");
}

static bool
is_host(const char *host, const char *pattern)
{
    size_t len = strlen(host), tail = strlen(pattern);

    if (pattern[0] != '*') {
        return strcasecmp(host, pattern) == 0;
    }
    return len > tail - 1
           && strcasecmp(host + len - (tail - 1), pattern + 1) == 0;
}

/* The trackers that may hear of this URL; NULL: none. */
static const char *const *
trackers_for(const struct shoal *d)
{
    const struct settings *s = d->settings;
    char host[256];
    uint16_t port;

    if (s->tracker.n == 0 || s->tracker_hosts.n == 0) {
        return (const char *const *) s->tracker.v;
    }
    if (url_split(d->clean, host, sizeof(host), &port) != 0) {
        return NULL;
    }
    for (size_t i = 0; i < s->tracker_hosts.n; i++) {
        if (is_host(host, s->tracker_hosts.v[i])) {
            return (const char *const *) s->tracker.v;
        }
    }
    return NULL;
}

static int
share(struct shoal *d, bool tracked)
{
    const struct settings *s = d->settings;
    struct share_options so = { s, d->file, NULL, tracked };
    char why[256], limit[64] = "";

    d->callers = so.callers = callers_create();
    if (d->callers == NULL) {
        return no_memory(d);
    }
    int err = share_start(&so, &d->serve, why, sizeof(why));
    if (err != 0) {
        return shoal_fail(d, err, "listen-port: %s", why);
    }
    if (d->serve == NULL) {
        return 0;
    }
    if (s->max_upload_limit > 0) {
        snprintf(limit, sizeof(limit), " at most %g Mbit/s;",
                 (double) s->max_upload_limit * 8 / 1e6);
    }
    shoal_say(d, SHOAL_NOTICE,
              "sharing: serving this file's blocks at port %u,%s --no-upload "
              "switches it off",
              serve_port(d->serve), limit);
    return 0;
}

static int
add_overrides(struct shoal *d)
{
    const struct strings *list = &d->settings->resolve;

    d->resolve = list->n > 0 ? resolve_create() : NULL;
    if (list->n > 0 && d->resolve == NULL) {
        return no_memory(d);
    }
    for (size_t i = 0; i < list->n; i++) {
        int err = resolve_add(d->resolve, list->v[i]);

        if (err != 0) {
            return shoal_fail(d, err, "resolve: %s: %s", list->v[i],
                              shoal_strerror(err));
        }
    }
    return 0;
}

static int
create_transfer(struct shoal *d, const char *const *trackers)
{
    const struct settings *s = d->settings;
    const struct metalink_file *f = given_file(d->given);
    struct transfer_options to = {
        .url = d->clean,
        .mirrors = given_mirrors(d->given),
        .size = f != NULL && f->size != METALINK_UNKNOWN ? f->size : 0,
        .pieces = f != NULL ? &f->pieces : NULL,
        .metalinks = f == NULL,
        .settings = s,
        .http = &d->http,
        .resolve = d->resolve,
        .bind_address = s->bind_address,
        .trackers = trackers,
        .layer = s->layer,
        .checksum = shoal_checksum(d),
        .resuming = output_resumes(d),
        .port = d->serve != NULL ? serve_port(d->serve) : 0,
        .client = d->serve != NULL ? serve_epoch(d->serve) : 0,
        .callers = d->callers,
        .max_peers = s->max_peers,
        .explain = d->explain,
        .stop = &d->cancelled,
        .ops = &ops,
        .ctx = d,
    };

    d->transfer = to.mirrors != NULL ? transfer_create(&to) : NULL;
    return d->transfer != NULL ? 0 : no_memory(d);
}

/* The URL that the file goes by: the one that was given, or a Metalink's
 * first. */
static int
choose_url(struct shoal *d)
{
    const struct metalink_file *f = given_file(d->given);
    const char *url = d->url;

    if (f != NULL && f->n_urls > 0 && (url == NULL || d->is_metalink)) {
        url = f->urls[0].url;
    }
    if (url == NULL) {
        return shoal_fail(d, SHOAL_EINVAL, "no URL");
    }
    free(d->clean);
    d->clean = url_clean(url);
    if (d->clean == NULL) {
        char shown[256];

        url_shown(url, shown, sizeof(shown));
        return shoal_fail(d, SHOAL_EINVAL, "%s: not an http or https URL",
                          shown);
    }
    return 0;
}

static int
choose_sum(struct shoal *d)
{
    const struct metalink_file *f = given_file(d->given);
    char *path = strndup(d->clean, strcspn(d->clean, "?#"));
    char *name = path != NULL ? name_from_url(path) : NULL;
    int err = name != NULL
                  ? given_sum(d->given, f != NULL ? f->name : name, &d->sum)
                  : no_memory(d);

    free(name);
    free(path);
    return err;
}

static int
take_http(struct shoal *d)
{
    http_settings_from(&d->http, d->settings);
    if (!d->settings->no_netrc) {
        d->netrc = http_settings_netrc();
        d->http.netrc = d->netrc;
    }
    return http_settings_check(&d->http, d->why, sizeof(d->why));
}

/* Whatever the origin answers, it knows who asks. */
static bool
is_secret(const struct shoal *d)
{
    return http_settings_secret(&d->http) || url_has_user(d->clean);
}

static void
say_private(const struct shoal *d, bool tracked)
{
    if (tracked || d->settings->listen_port != 0) {
        shoal_say(d, SHOAL_NOTICE,
                  "not shared: the origin is told who its user is");
    }
}

/* What goes out is here no more. */
static void
say_unkept(const struct shoal *d)
{
    if (d->settings->listen_port != 0 && !d->settings->no_upload) {
        shoal_say(d, SHOAL_NOTICE,
                  "not shared: what goes out is not kept here");
    }
}

/* It is known what is to be fetched. */
static int
begin(struct shoal *d)
{
    int err = choose_url(d);

    d->stage = STAGE_TRANSFER;
    if (err == 0) {
        err = choose_sum(d);
    }
    if (err == 0 && output_open(d) != 0) {
        err = no_memory(d);
    }
    if (err != 0 || d->there) {
        return err;
    }
    const char *const *trackers = trackers_for(d);
    if (is_secret(d)) {
        say_private(d, trackers != NULL);
    } else if (file_sink(d->file)) {
        say_unkept(d);
    } else if (!d->settings->spider) {
        err = share(d, trackers != NULL);
    }
    if (err == 0) {
        err = create_transfer(d, trackers);
    }
    return err;
}

static int
start(struct shoal *d)
{
    int err = shoal_check(d);

    d->start_ms = clock_ms();
    d->explain = explain_create();
    d->given = given_create(d);
    if (err == 0 && d->given == NULL) {
        err = no_memory(d);
    }
    if (err == 0) {
        err = add_overrides(d);
    }
    if (err == 0) {
        err = take_http(d);
    }
    if (err == 0) {
        err = given_read(d->given);
    }
    if (err == 0 && given_url(d->given) != NULL) {
        d->stage = STAGE_METALINK;
        return 0;
    }
    return err == 0 ? begin(d) : err;
}

/* What was begun for the Metalink itself. */
static void
undo(struct shoal *d)
{
    serve_stop(d->serve);
    transfer_free(d->transfer);
    callers_free(d->callers);
    file_free(d->file);
    d->serve = NULL;
    d->transfer = NULL;
    d->callers = NULL;
    d->file = NULL;
}

/* The URL turned out to be a Metalink: what it tells of is the file. */
static void
turn_to_metalink(struct shoal *d)
{
    undo(d);
    d->is_metalink = true;
    d->stage = STAGE_METALINK;
}

static int
fetch_metalink(struct shoal *d, unsigned timeout_ms)
{
    const char *url = d->is_metalink ? d->clean : given_url(d->given);
    int err = given_fetch(d->given, url, timeout_ms);

    return err == 0 ? begin(d) : err;
}

/* The file's words say more than the transfer's about the file. */
static void
note_error(struct shoal *d, int err, bool finishing)
{
    const char *why = file_error(d->file);

    if (*why == '\0') {
        why = finishing ? "stopped" : transfer_error(d->transfer);
    }
    shoal_fail(d, err, "%s", why);
}

static bool
wants_to_seed(const struct shoal *d)
{
    const struct settings *s = d->settings;

    if (s->seed_time_ms == 0) {
        return false;
    }
    return d->saved && d->serve != NULL
           && (s->seed_time_ms != SETTINGS_UNSET || s->seed_ratio >= 0);
}

static void
finish_spider(struct shoal *d, int err)
{
    uint64_t size = transfer_total(d->transfer);

    if (err != 0) {
        shoal_fail(d, err, "%s", transfer_error(d->transfer));
    } else if (size == UINT64_MAX) {
        shoal_say(d, SHOAL_NOTICE, "remote file exists; its size is unknown");
    } else {
        shoal_say(d, SHOAL_NOTICE, "remote file exists: %" PRIu64 " bytes",
                  size);
    }
}

static void
warn_unverified(const struct shoal *d)
{
    unsigned votes;

    if (d->saved && transfer_trust(d->transfer, &votes) == SHOAL_TRUST_NONE) {
        shoal_say(d, SHOAL_WARNING,
                  "%s: parts of it came from peers, and nothing bears them "
                  "out",
                  file_path(d->file));
    }
}

/* The transfer is over: the file gets its name, or what came is kept. */
static void
finish(struct shoal *d, int err)
{
    bool finishing = err == 0;

    if (d->there) {
        err = 0;
    } else if (d->settings->spider) {
        finish_spider(d, err);
    } else if (file_done(d->file)) {
        shoal_say(d, SHOAL_NOTICE,
                  "%s is there already; there is nothing to continue",
                  file_path(d->file));
        d->there = d->saved = true;
        err = 0;
    } else if (finishing) {
        tell_progress(d, SHOAL_FINISHING);
        err = file_finish(d->file, transfer_mtime(d->transfer));
        d->saved = err == 0;
        warn_unverified(d);
    }
    if (err != 0 && !d->settings->spider) {
        file_abandon(d->file);
        note_error(d, err, finishing);
    }
    d->result = err;
    d->end_ms = clock_ms();
    d->stage = wants_to_seed(d) ? STAGE_SEED : STAGE_LEAVE;
}

static bool
seeded_enough(const struct shoal *d, uint64_t now)
{
    const struct settings *s = d->settings;
    double given = (double) download_uploaded(d);

    return d->cancelled
           || (s->seed_time_ms != SETTINGS_UNSET
               && now - d->end_ms >= s->seed_time_ms)
           || (s->seed_ratio > 0
               && given
                      >= s->seed_ratio * (double) transfer_held(d->transfer));
}

static void
seed(struct shoal *d, unsigned timeout_ms)
{
    uint64_t now = clock_ms();

    if (seeded_enough(d, now)) {
        d->stage = STAGE_LEAVE;
        return;
    }
    if (now >= d->tell_ms) {
        d->tell_ms = now + TELL_MS;
        tell_progress(d, SHOAL_SEEDING);
    }
    transfer_seed(d->transfer, timeout_ms < TELL_MS ? timeout_ms : TELL_MS);
}

static void
end(struct shoal *d)
{
    d->uploaded = download_uploaded(d);
    serve_stop(d->serve);
    d->serve = NULL;
    d->stage = STAGE_DONE;
    if (d->transfer != NULL) {
        tell_progress(d, SHOAL_ENDED);
    }
}

static void
end_early(struct shoal *d, int err)
{
    d->result = err;
    d->end_ms = clock_ms();
    end(d);
}

/* An answer under way is of use only when it is whole. */
static bool
is_giving(const struct shoal *d)
{
    struct serve_stats served;

    if (d->serve == NULL || d->cancelled || clock_ms() >= d->end_ms + GIVE_MS)
    {
        return false;
    }
    serve_get_stats(d->serve, &served);
    return served.active > 0;
}

static void
leave(struct shoal *d, unsigned timeout_ms)
{
    if (transfer_leave(d->transfer, timeout_ms) == SHOAL_EAGAIN) {
        return;
    }
    if (is_giving(d)) {
        poll(NULL, 0,
             timeout_ms < GIVE_STEP_MS ? (int) timeout_ms : GIVE_STEP_MS);
        return;
    }
    end(d);
}

int
download_step(struct shoal *d, unsigned timeout_ms)
{
    int err;

    switch (d->stage) {
    case STAGE_NEW:
        err = start(d);
        if (err != 0 || d->there) {
            end_early(d, err);
        }
        break;
    case STAGE_METALINK:
        err = fetch_metalink(d, timeout_ms);
        if (err != SHOAL_EAGAIN && (err != 0 || d->there)) {
            end_early(d, err);
        }
        break;
    case STAGE_TRANSFER:
        err = transfer_step(d->transfer, timeout_ms);
        if (err == TRANSFER_METALINK) {
            turn_to_metalink(d);
        } else if (err != SHOAL_EAGAIN) {
            finish(d, err);
        }
        break;
    case STAGE_SEED:
        seed(d, timeout_ms);
        break;
    case STAGE_LEAVE:
        leave(d, timeout_ms);
        break;
    case STAGE_DONE:
        break;
    }
    return d->stage == STAGE_DONE ? d->result : SHOAL_EAGAIN;
}

uint64_t
download_uploaded(const struct shoal *d)
{
    struct serve_stats served;

    if (d->serve == NULL) {
        return d->uploaded;
    }
    serve_get_stats(d->serve, &served);
    return served.bytes;
}

void
download_fini(struct shoal *d)
{
    if (d->stage == STAGE_TRANSFER && d->file != NULL) {
        file_abandon(d->file);
    }
    undo(d);
    given_free(d->given);
    resolve_free(d->resolve);
    free(d->netrc);
    explain_free(d->explain);
    free(d->clean);
}
