#include "config.h"

#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "config_internal.h"
#include "guard.h"
#include "resolve.h"
#include "shoal.h"
#include "ticket.h"
#include "tls.h"

enum {
    TOKEN_MAX = 4096 /* bytes */
};

void
config_fault(struct reader *r, size_t line, const char *key,
             const char *format, ...)
{
    va_list args;

    if (r->faults++ >= CONFIG_ERRORS_MAX) {
        return;
    }
    fprintf(r->errors, "%s:%zu: ", r->path, line);
    if (*key != '\0') {
        fprintf(r->errors, "%s: ", key);
    }
    va_start(args, format);
    vfprintf(r->errors, format, args);
    va_end(args);
    fputc('\n', r->errors);
}

void *
config_target(struct reader *r, const struct setting *s)
{
    return (s->flags & OF_TRACKER) != 0 ? (char *) r->tracker + s->offset
                                        : (char *) r->config + s->offset;
}

static void
read_token_file(struct reader *r, struct config_tracker *t, size_t line)
{
    char token[TOKEN_MAX + 2];

    FILE *f = fopen(t->token_file, "re");
    if (f == NULL || fgets(token, sizeof(token), f) == NULL) {
        config_fault(r, line, "trackers[].token_file", "%s: %s", t->token_file,
                     f == NULL ? strerror(errno) : "no line in it");
    } else {
        token[strcspn(token, "\r\n")] = '\0';
        if (take_text(r, NULL, token, &t->token) != 0) {
            config_fault(r, line, "trackers[].token_file",
                         "%s: expected a token in the first line",
                         t->token_file);
        }
    }
    if (f != NULL) {
        fclose(f);
    }
}

void
config_check_ca(struct reader *r, const char *key, const char *path,
                size_t line)
{
    char text[256] = "";
    bool found = false;

    FILE *f = fopen(path, "re");
    if (f == NULL) {
        config_fault(r, line, key, "%s: %s", path, strerror(errno));
        return;
    }
    while (!found && fgets(text, sizeof(text), f) != NULL) {
        found = strncmp(text, "-----BEGIN ", 11) == 0
                && strstr(text, "CERTIFICATE-----") != NULL;
    }
    fclose(f);
    if (!found) {
        config_fault(r, line, key,
                     "%s: expected certificates in PEM, given none", path);
    }
}

void
config_check_tracker(struct reader *r, struct config_tracker *t, size_t line)
{
    char why[512];

    if (t->token != NULL && t->token_file != NULL) {
        config_fault(r, line, "trackers[].token_file",
                     "expected token or token_file, given both");
    } else if (t->token_file != NULL) {
        read_token_file(r, t, line);
    }
    if ((t->certificate != NULL) != (t->key != NULL)) {
        config_fault(r, line, "trackers[].certificate",
                     "expected certificate and key, given one of them");
    } else if (t->certificate != NULL
               && tls_check(t->certificate, t->key, why, sizeof(why)) != 0)
    {
        config_fault(r, line, "trackers[].certificate", "%s", why);
    }
    if (t->ca != NULL) {
        config_check_ca(r, "trackers[].ca", t->ca, line);
    }
}

void
config_check_tls(struct reader *r, size_t line)
{
    const struct config *c = r->config;
    char why[512];

    if (c->tls_certificate == NULL || c->tls_key == NULL) {
        config_fault(r, line, "tls",
                     "expected certificate and key, given one of them");
    } else if (tls_check(c->tls_certificate, c->tls_key, why, sizeof(why))
               != 0) {
        config_fault(r, line, "tls", "%s", why);
    }
}

int
config_note(struct reader *r, const struct setting *s, const char *text)
{
    char **given = &r->config->given[s - config_settings], *both = NULL;

    if ((s->flags & LIST) == 0) {
        both = strdup(text);
    } else if (asprintf(&both, "%s%s\n", *given != NULL ? *given : "", text)
               < 0) {
        both = NULL;
    }
    if (both == NULL) {
        return SHOAL_ENOMEM;
    }
    free(*given);
    *given = both;
    return 0;
}

static int
set_fallbacks(struct reader *r)
{
    int err = 0;

    for (size_t i = 0; i < config_settings_count && err == 0; i++) {
        const struct setting *s = &config_settings[i];

        if (s->fallback != NULL) {
            err = s->take(r, s, s->fallback, config_target(r, s));
        }
        if (s->fallback != NULL && err == 0) {
            err = config_note(r, s, s->fallback);
        }
    }
    return err;
}

static struct config *
create(void)
{
    struct config *c = calloc(1, sizeof(*c));

    if (c == NULL) {
        return NULL;
    }
    atomic_init(&c->refs, 1);
    c->tickets = ticket_keys_create();
    c->guard = guard_create();
    c->resolve = resolve_create();
    c->trackers = calloc(CONFIG_TRACKERS_MAX, sizeof(*c->trackers));
    c->given = calloc(config_settings_count, sizeof(*c->given));
    if (c->tickets == NULL || c->guard == NULL || c->resolve == NULL
        || c->trackers == NULL || c->given == NULL)
    {
        config_free(c);
        return NULL;
    }
    return c;
}

/* What the cache's start would say, without its traces. */
static void
check_folder(struct reader *r)
{
    const char *path = r->config->cache_path;
    struct stat st;

    bool there = stat(path, &st) == 0;
    if (there && !S_ISDIR(st.st_mode)) {
        config_fault(r, r->folder_line, "cache.path",
                     "expected a folder, given `%s`, which is none", path);
    } else if (!there || access(path, R_OK | W_OK | X_OK) != 0) {
        config_fault(r, r->folder_line, "cache.path",
                     "expected a folder that can be written, given `%s`: %s",
                     path, strerror(errno));
    }
}

static int
load(const char *path, FILE *errors, bool test, struct config **out)
{
    struct reader r = { .path = path, .errors = errors, .config = create() };
    int err = SHOAL_ENOMEM;

    if (r.config == NULL || set_fallbacks(&r) != 0) {
        goto fail;
    }
    FILE *f = fopen(path, "re");
    if (f == NULL) {
        fprintf(errors, "%s: %s\n", path, strerror(errno));
        err = SHOAL_EIO;
        goto fail;
    }
    err = config_read_yaml(&r, f);
    fclose(f);
    if (test && r.config->cache_path != NULL) {
        check_folder(&r);
    }
    if (err != 0 || r.faults > 0) {
        err = err != 0 ? err : SHOAL_EINVAL;
        goto fail;
    }
    ticket_keys_allow(r.config->tickets,
                      (unsigned) (r.config->ticket_skew / 1000));
    *out = r.config;
    return 0;

fail:
    config_free(r.config);
    return err;
}

int
config_load(const char *path, FILE *errors, struct config **out)
{
    return load(path, errors, false, out);
}

int
config_test(const char *path, FILE *errors)
{
    struct config *c;
    int err = load(path, errors, true, &c);

    if (err == 0) {
        config_free(c);
    }
    return err;
}

struct config *
config_ref(struct config *c)
{
    atomic_fetch_add(&c->refs, 1);
    return c;
}

/* Texts and addresses; `base` is what the settings' offsets are in. */
static void
free_values(void *base, unsigned of)
{
    for (size_t i = 0; i < config_settings_count; i++) {
        const struct setting *s = &config_settings[i];
        char *at = (char *) base + s->offset;

        if ((s->flags & OF_TRACKER) != of) {
            continue;
        }
        if (config_storage(s) == STORED_TEXT) {
            free(*(char **) at);
        } else if (config_storage(s) == STORED_ADDRESS) {
            free(((struct config_address *) at)->host);
        }
    }
}

void
config_free(struct config *c)
{
    if (c == NULL || atomic_fetch_sub(&c->refs, 1) > 1) {
        return;
    }
    for (size_t i = 0; c->trackers != NULL && i < c->tracker_count; i++) {
        free_values(&c->trackers[i], OF_TRACKER);
    }
    free_values(c, 0);
    for (size_t i = 0; c->given != NULL && i < config_settings_count; i++) {
        free(c->given[i]);
    }
    free(c->given);
    free(c->trackers);
    ticket_keys_free(c->tickets);
    guard_free(c->guard);
    resolve_free(c->resolve);
    free(c);
}
