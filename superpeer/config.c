#include "config.h"

#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "config_internal.h"
#include "guard.h"
#include "resolve.h"
#include "shoal.h"

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

/* The range, for those kinds that have one. */
void
config_range(const struct setting *s, char *out, size_t cap)
{
    *out = '\0';
    if ((s->take == take_count || s->take == take_bytes)) {
        snprintf(out, cap, " from %" PRIu64 " to %" PRIu64, s->min, s->max);
    }
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
config_check_tracker(struct reader *r, struct config_tracker *t, size_t line)
{
    if (t->token != NULL && t->token_file != NULL) {
        config_fault(r, line, "trackers[].token_file",
                     "expected token or token_file, given both");
    } else if (t->token_file != NULL) {
        read_token_file(r, t, line);
    }
    if ((t->certificate != NULL) != (t->key != NULL)) {
        config_fault(r, line, "trackers[].certificate",
                     "expected certificate and key, given one of them");
    }
}

static int
set_fallbacks(struct reader *r)
{
    for (int i = 0; i < CONFIG_SETTINGS; i++) {
        const struct setting *s = &config_settings[i];

        if (s->fallback != NULL
            && s->take(r, s, s->fallback, config_target(r, s)) != 0)
        {
            return SHOAL_ENOMEM;
        }
    }
    return 0;
}

int
config_load(const char *path, FILE *errors, struct config *out)
{
    struct reader *r = calloc(1, sizeof(*r));
    int err = SHOAL_ENOMEM;

    memset(out, 0, sizeof(*out));
    if (r == NULL) {
        return SHOAL_ENOMEM;
    }
    r->path = path;
    r->errors = errors;
    r->config = out;
    out->guard = guard_create();
    out->resolve = resolve_create();
    out->trackers = calloc(CONFIG_TRACKERS_MAX, sizeof(*out->trackers));
    if (out->guard == NULL || out->resolve == NULL || out->trackers == NULL
        || set_fallbacks(r) != 0)
    {
        goto done;
    }
    FILE *f = fopen(path, "re");
    if (f == NULL) {
        fprintf(errors, "%s: %s\n", path, strerror(errno));
        err = SHOAL_EIO;
        goto done;
    }
    err = config_read_yaml(r, f);
    fclose(f);

done:
    free(r);
    if (err != 0) {
        config_fini(out);
    }
    return err;
}

void
config_fini(struct config *c)
{
    for (size_t i = 0; c->trackers != NULL && i < c->tracker_count; i++) {
        struct config_tracker *t = &c->trackers[i];

        free(t->url);
        free(t->token);
        free(t->token_file);
        free(t->certificate);
        free(t->key);
        free(t->ca);
    }
    free(c->trackers);
    free(c->name);
    free(c->listen.host);
    free(c->status_listen.host);
    free(c->locality);
    free(c->bind_address);
    free(c->cache_path);
    guard_free(c->guard);
    resolve_free(c->resolve);
    memset(c, 0, sizeof(*c));
}

void
config_print_settings(FILE *out)
{
    for (int i = 0; i < CONFIG_SETTINGS; i++) {
        const struct setting *s = &config_settings[i];
        char range[64];

        config_range(s, range, sizeof(range));
        fprintf(out, "### `%s`\n\n%s\n\nExpects %s%s%s. ", s->key, s->help,
                (s->flags & LIST) != 0 ? "a list, each item " : "",
                s->expected, range);
        if ((s->flags & REQUIRED) != 0) {
            fprintf(out, "Required.\n\n");
        } else if (s->fallback != NULL) {
            fprintf(out, "Default: `%s`.\n\n", s->fallback);
        } else {
            fprintf(out, "Default: none.\n\n");
        }
    }
}
