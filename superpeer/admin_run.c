/* admin_run.c - what `superpeer cache` does to the cache, in the agent or in a
 * process of its own. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "admin.h"
#include "cache.h"
#include "clock.h"
#include "describe.h"
#include "digest.h"
#include "log.h"
#include "resource.h"
#include "shoal.h"

enum {
    SO_FAR_MS = 1000
};

struct run {
    struct cache *cache;
    const struct admin_sink *sink;
    const json_t *names; /* sets that were asked for */
    struct cache_info *list;
    size_t n;
    int status;
    bool left; /* nobody reads the answer */
    uint64_t told_ms;
};

static bool
put(struct run *r, const char *what, json_t *value)
{
    json_t *o = json_object();

    json_object_set_new(o, what, value);
    r->left = r->left || !r->sink->put(r->sink->ctx, o);
    return !r->left;
}

static void
put_error(struct run *r, const char *name, const char *words)
{
    char text[400];

    snprintf(text, sizeof(text), "%.200s: %s", name, words);
    put(r, "error", json_string(text));
    r->status = ADMIN_WRONG;
}

static json_t *
describe(const struct cache_info *i)
{
    json_t *o = describe_set(i);

    json_object_set_new(o, "provider", json_string(i->provider));
    json_object_set_new(o, "probation", json_boolean(i->probation));
    json_object_set_new(o, "room", describe_number(i->room));
    return o;
}

/* ---- which sets ---- */

static bool
is_named(const struct cache_info *i, const char *name)
{
    char id[RESOURCE_ID_HEX], plain[LOG_URL_MAX];

    if (strcmp(i->url, name) == 0) {
        return true;
    }
    if (strchr(name, '/') != NULL) {
        return strcmp(log_url(i->url, plain), name) == 0;
    }
    resource_id_hex(i->id, id);
    return strncasecmp(id, name, strlen(name)) == 0;
}

/* NULL: an error was put. */
static const struct cache_info *
find_one(struct run *r, const char *name)
{
    const struct cache_info *found = NULL;
    size_t n = 0;

    for (size_t i = 0; *name != '\0' && i < r->n; i++) {
        if (is_named(&r->list[i], name)) {
            found = &r->list[i];
            n++;
        }
    }
    if (n == 1) {
        return found;
    }
    put_error(r, name,
              n == 0 ? "no such set" : "more than one set: give a longer id");
    return NULL;
}

/* `fn` for each set that was named, or for all where none was. */
static void
each_set(struct run *r,
         void (*fn)(struct run *r, const struct cache_info *set))
{
    size_t names = json_array_size(r->names);
    size_t n = names > 0 ? names : r->n;

    for (size_t i = 0; i < n && !r->left; i++) {
        const struct cache_info *set = &r->list[i];

        if (names > 0) {
            const char *name = json_string_value(json_array_get(r->names, i));

            set = find_one(r, name != NULL ? name : "");
        }
        if (set != NULL) {
            fn(r, set);
        }
    }
}

/* ---- commands ---- */

static void
list_one(struct run *r, const struct cache_info *set)
{
    put(r, "set", describe(set));
}

static void
run_show(struct run *r)
{
    each_set(r, list_one);
}

static void
run_list(struct run *r)
{
    struct cache_stats s;

    cache_get_stats(r->cache, &s);
    put(r, "cache",
        json_pack("{s:I,s:I,s:I,s:I,s:I}", "size", (json_int_t) s.size, "used",
                  (json_int_t) s.used, "file", (json_int_t) s.file_bytes,
                  "sets", (json_int_t) s.sets, "complete",
                  (json_int_t) s.complete));
    run_show(r);
}

static void
remove_one(struct run *r, const struct cache_info *set)
{
    char id[RESOURCE_ID_HEX];
    int err = cache_remove(r->cache, set->id);

    resource_id_hex(set->id, id);
    if (err == 0) {
        put(r, "removed", describe(set));
    } else {
        put_error(r, id,
                  err == SHOAL_EFULL ? "it is being filled"
                                     : shoal_strerror(err));
    }
}

static void
run_remove(struct run *r)
{
    if (json_array_size(r->names) == 0) {
        put_error(r, "rm", "which sets?");
        return;
    }
    each_set(r, remove_one);
}

static json_t *
counts(const struct cache_verified *v)
{
    return json_pack("{s:I,s:I,s:I,s:I}", "blocks", (json_int_t) v->blocks,
                     "bytes", (json_int_t) v->bytes, "wrong",
                     (json_int_t) v->wrong, "astray", (json_int_t) v->astray);
}

/* Says that it is still alive, and so hears whether somebody listens. */
static bool
verify_stop(void *ctx, const struct cache_verified *so_far)
{
    struct run *r = ctx;
    uint64_t now = clock_ms();

    if (now - r->told_ms >= SO_FAR_MS) {
        r->told_ms = now;
        put(r, "so_far", counts(so_far));
    }
    r->left = r->left || r->sink->gone(r->sink->ctx);
    return r->left;
}

struct verify {
    struct run run; /* first: each_set() gives it */
    struct cache_verify_ops ops;
    struct cache_verified sum;
};

static void
verify_one(struct run *r, const struct cache_info *set)
{
    struct verify *v = (struct verify *) r;
    uint64_t wrong = v->sum.wrong;
    char id[RESOURCE_ID_HEX];

    int err = cache_verify(r->cache, set->id, &v->ops, &v->sum);
    if (err != 0 && err != SHOAL_ENOTFOUND && err != SHOAL_ESTOPPED) {
        resource_id_hex(set->id, id);
        put_error(r, id, shoal_strerror(err));
    }
    if (v->sum.wrong > wrong) {
        json_t *o = describe(set);

        json_object_set_new(o, "wrong", describe_number(v->sum.wrong - wrong));
        put(r, "set", o);
    }
}

static void
run_verify(struct run *r)
{
    struct verify v = { .run = *r };

    v.run.told_ms = clock_ms();
    v.ops.stop = verify_stop;
    v.ops.ctx = &v.run;
    each_set(&v.run, verify_one);
    if (json_array_size(r->names) == 0 && !v.run.left) {
        int err = cache_verify_astray(r->cache, &v.ops, &v.sum);

        if (err != 0 && err != SHOAL_ESTOPPED) {
            put_error(&v.run, "verify", shoal_strerror(err));
        }
    }
    put(&v.run, "verified", counts(&v.sum));
    r->left = v.run.left;
    r->status =
        v.sum.wrong > 0 || v.sum.astray > 0 ? ADMIN_WRONG : v.run.status;
}

static const struct {
    const char *name;
    void (*run)(struct run *r);
} commands[] = {
    { "ls", run_list },
    { "show", run_show },
    { "rm", run_remove },
    { "verify", run_verify },
};

static void
run_command(struct run *r, const char *name)
{
    for (size_t i = 0; i < sizeof(commands) / sizeof(commands[0]); i++) {
        if (strcmp(commands[i].name, name) == 0) {
            commands[i].run(r);
            return;
        }
    }
    put_error(r, name, "no such command");
}

void
admin_run(struct cache *c, const json_t *request,
          const struct admin_sink *sink)
{
    struct run r = { .cache = c, .sink = sink };
    const char *command =
        json_string_value(json_object_get(request, "command"));

    r.names = json_object_get(request, "sets");
    int err = cache_list(c, &r.list, &r.n);
    if (err != 0) {
        put_error(&r, "cache", shoal_strerror(err));
    } else {
        run_command(&r, command != NULL ? command : "");
        cache_list_free(r.list, r.n);
    }
    put(&r, "end", json_integer(r.status));
}
