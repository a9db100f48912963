/* superpeer.c - what the super peer hears of trackers and of its operator, and
 * finds in its cache. */
#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <jansson.h>

#include "../../../superpeer/admin.h"
#include "../../../superpeer/agent_internal.h"
#include "../../../superpeer/cache.h"
#include "../../../superpeer/config.h"
#include "../../../superpeer/db.h"
#include "../../../superpeer/log.h"
#include "../../../superpeer/news.h"
#include "../../../superpeer/prefetch.h"
#include "blockmap.h"
#include "digest.h"
#include "fuzz.h"
#include "resolve.h"
#include "resource.h"
#include "serve.h"
#include "shoal.h"

enum {
    SETS = 2,
    BLOCK = 65536,
    CACHE_SIZE = 64 << 20,
    PATCHES_MAX = 64
};

/* ---- a tracker's answer ---- */

static void
on_prepare(void *ctx, const struct resource *r,
           const struct prefetch_others *others)
{
    struct blockmap map;

    (void) ctx;
    fuzz_check(others->n <= PREFETCH_OTHERS_MAX, "too many others");
    for (size_t i = 0; i < others->n; i++) {
        fuzz_check(strncmp(others->urls[i], "http", 4) == 0, "no base");
    }
    fuzz_check(*r->url != '\0' && r->version != NULL && r->provider != NULL,
               "half a resource");
    if (r->size <= 1 << 30 && blockmap_init(&map, r->size) == 0) {
        blockmap_fini(&map);
    }
}

static struct tracker_link *
make_link(void)
{
    static const char text[] =
        "name: sp1\n"
        "cache: { path: /tmp, size: 1GiB }\n"
        "trackers: [ { url: \"http://127.0.0.1/c\" } ]\n"
        "origins: [ \"http://cdn.example.com\" ]\n";
    static const struct agent_ops ops = { .prepare = on_prepare };
    struct config *config = NULL;
    struct node_addr addr;
    struct agent *a;
    char path[64];
    size_t n;
    int fd = fuzz_file((const uint8_t *) text, sizeof(text) - 1, path,
                       sizeof(path));

    log_set_level(LOG_LEVEL_ERROR);
    fuzz_check(config_load(path, stderr, &config) == 0
                   && agent_create(config, 9090, &ops, &a) == 0
                   && resolve_literal("127.0.0.1", 80, &addr, &n) == 0,
               "an agent");
    close(fd);
    struct tracker_link *l = link_create(a, a->trackers, &addr);
    fuzz_check(l != NULL, "a link");
    a->trackers->links = l;
    l->active = true;
    return l;
}

void
fuzz_prepare(const uint8_t *data, size_t len)
{
    static struct tracker_link *l;
    struct reply reply;
    char *body = fuzz_text(data, len), *news = NULL;
    size_t n = 0;

    if (l == NULL) {
        l = make_link();
    }
    int err = link_parse(l, body, len, &reply);
    fuzz_check(err == 0 || err == SHOAL_EPROTO, "another error");
    if (err == 0) {
        fuzz_check(strlen(reply.epoch) == 16, "epoch");
        link_take_epoch_locked(l, &reply, false);
    }
    fuzz_check(news_take(l->news, &news, &n) == 0, "memory");
    free(news);
    free(body);
}

/* ---- a cache of two files ---- */

static char folder[64];
static struct resource files[SETS];

static void
name_of(const char *file, char out[320])
{
    snprintf(out, 320, "%s/%s", folder, file);
}

static void
remove_files(void)
{
    DIR *d = opendir(folder);
    char name[320];

    fuzz_check(d != NULL, "a folder");
    for (struct dirent *e; (e = readdir(d)) != NULL;) {
        name_of(e->d_name, name);
        unlink(name); /* not `.` and `..` */
    }
    closedir(d);
}

static void
remove_folder(void)
{
    remove_files();
    rmdir(folder);
}

static struct cache *
open_cache(void)
{
    struct cache_options o = { .path = folder, .size = CACHE_SIZE };
    struct cache *c = NULL;
    char why[256] = "";

    if (cache_open(&o, &c, why, sizeof(why)) != 0) {
        fuzz_check(*why != '\0', "no reason");
        return NULL;
    }
    return c;
}

static void
make_block(uint32_t set, uint32_t block, uint8_t *out)
{
    for (size_t i = 0; i < BLOCK; i++) {
        out[i] = (uint8_t) (i * 31 + set * 5 + block * 7 + (i >> 8));
    }
}

static void
fill(struct cache *c, uint32_t n)
{
    static uint8_t data[BLOCK];
    uint8_t hash[DIGEST_LEN];
    struct blockmap map;
    struct cache_set *set = NULL;
    int err = cache_fill(c, &files[n], &set);

    fuzz_check(blockmap_init(&map, files[n].size) == 0, "memory");
    for (uint32_t i = 0; err == 0 && i < map.count; i++) {
        size_t len = blockmap_length(&map, i);

        make_block(n, i, data);
        digest_block(data, len, map.size, BLOCK, hash);
        err = cache_write(c, set, i, data, len, hash);
    }
    fuzz_check(err == 0 && cache_finish(c, set, hash, false) == 0, "filling");
    cache_fill_end(c, set);
    blockmap_fini(&map);
}

/* In memory, where the system has such a folder. */
static void
begin_cache(void)
{
    static const uint64_t sizes[SETS] = { 300, 2 * BLOCK + 5 };
    char url[64];

    log_set_level(LOG_LEVEL_ERROR);
    snprintf(folder, sizeof(folder), "%s/shoal-fuzz-XXXXXX",
             access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp");
    fuzz_check(mkdtemp(folder) != NULL, "a folder");
    atexit(remove_folder);
    struct cache *c = open_cache();
    fuzz_check(c != NULL, "a cache");
    for (uint32_t i = 0; i < SETS; i++) {
        snprintf(url, sizeof(url), "http://cdn.example.com/%u", i);
        fuzz_check(resource_init(&files[i], url, sizes[i], NULL, "etag:\"x\"")
                       == 0,
                   "memory");
        fill(c, i);
    }
    cache_close(c);
}

/* ---- what the operator wants ---- */

static bool
put(void *ctx, json_t *object)
{
    (void) ctx;
    json_decref(object);
    return true;
}

static bool
gone(void *ctx)
{
    (void) ctx;
    return false;
}

void
fuzz_admin(const uint8_t *data, size_t len)
{
    static const struct admin_sink sink = { put, gone, NULL };
    static struct cache *c;
    struct cache_stats stats;

    if (c == NULL) {
        begin_cache();
        c = open_cache();
        fuzz_check(c != NULL, "a cache");
    }
    json_t *request = json_loadb((const char *) data, len, 0, NULL);
    if (request != NULL) {
        admin_run(c, request, &sink);
        json_decref(request);
    }
    cache_get_stats(c, &stats);
    for (uint32_t i = 0; stats.sets < SETS && i < SETS; i++) {
        cache_forget(c, files[i].id);
        fill(c, i);
    }
}

/* ---- a cache that something else has written to ---- */

/* A block that the disk gives back is the one that was written, or none is
 * given back. */
static void
check_set(struct cache *c, uint32_t n)
{
    static uint8_t want[BLOCK], got[BLOCK];
    const struct serve_ops *ops = &cache_serve_ops;
    struct serve_set set;

    memset(&set, 0, sizeof(set));
    if (ops->open(c, files[n].id, NULL, &set) != 0) {
        return;
    }
    for (uint32_t i = 0; set.size == files[n].size && i < set.count; i++) {
        uint64_t off = (uint64_t) i * BLOCK;
        uint64_t held = ops->held(c, &set, off, BLOCK);
        long len = held > 0 ? ops->read(c, &set, off, got, (size_t) held) : 0;

        make_block(n, i, want);
        fuzz_check(len <= (long) held
                       && (len <= 0 || memcmp(got, want, (size_t) len) == 0),
                   "a wrong byte");
    }
    ops->close(c, &set);
}

static void
use_cache(void)
{
    struct cache_verify_ops ops = { NULL, NULL };
    struct cache_verified sum = { 0 };
    struct cache_info *list = NULL;
    struct cache *c = open_cache();
    size_t n = 0;

    if (c == NULL) {
        return;
    }
    for (uint32_t i = 0; i < SETS; i++) {
        check_set(c, i);
    }
    fuzz_check(cache_list(c, &list, &n) == 0, "memory");
    for (size_t i = 0; i < n; i++) {
        (void) cache_verify(c, list[i].id, &ops, &sum);
    }
    (void) cache_verify_astray(c, &ops, &sum);
    for (size_t i = 0; i < n; i++) {
        cache_forget(c, list[i].id);
    }
    cache_list_free(list, n);
    cache_close(c);
}

/* The file as it was, and nothing that says that it is sound. */
static void
put_back(const uint8_t *image, size_t len)
{
    char name[320];

    remove_files();
    name_of("data.mdb", name);
    int fd = open(name, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
    fuzz_check(fd >= 0 && write(fd, image, len) == (ssize_t) len, "a file");
    close(fd);
}

static uint8_t *
take_image(size_t *len)
{
    char name[320];
    struct stat st;

    begin_cache();
    name_of("data.mdb", name);
    int fd = open(name, O_RDONLY | O_CLOEXEC);
    fuzz_check(fd >= 0 && fstat(fd, &st) == 0, "a file");
    *len = (size_t) st.st_size;
    uint8_t *image = malloc(*len);
    fuzz_check(image != NULL && read(fd, image, *len) == (ssize_t) *len,
               "a file");
    close(fd);
    return image;
}

/* Pieces of the file that are others: where (three bytes), how many bytes
 * (one), these bytes. */
void
fuzz_cache(const uint8_t *data, size_t len)
{
    static uint8_t *image, *copy;
    static size_t size;

    if (image == NULL) {
        image = take_image(&size);
        copy = malloc(size);
        fuzz_check(copy != NULL, "memory");
    }
    memcpy(copy, image, size);
    for (int i = 0; i < PATCHES_MAX && len > 4; i++) {
        size_t at = (size_t) (data[0] | data[1] << 8 | data[2] << 16) % size;
        size_t n = data[3];

        data += 4;
        len -= 4;
        n = n < len ? n : len;
        n = n < size - at ? n : size - at;
        memcpy(copy + at, data, n);
        data += n;
        len -= n;
    }
    put_back(copy, size);
    use_cache();
}

/* A record as another version of the program may have written it: which of
 * the files, or of none, size, state, flags, then provider, version and URL,
 * each with its NUL; what is left is the bitmap. */
struct fixed {
    uint64_t size;
    uint8_t set, state, copy, probation;
};

static const char *
next_text(char **at, const char *end)
{
    char *text = *at, *nul = memchr(text, '\0', (size_t) (end - text) + 1);

    *at = nul < end ? nul + 1 : nul;
    return text;
}

void
fuzz_record(const uint8_t *data, size_t len)
{
    static uint8_t *image, other[RESOURCE_ID_LEN];
    static size_t size;
    struct fixed f;
    char why[256];
    struct db *d;
    int err;

    if (image == NULL) {
        image = take_image(&size);
    }
    if (len < sizeof(f)) {
        return;
    }
    memcpy(&f, data, sizeof(f));
    char *text = fuzz_text(data + sizeof(f), len - sizeof(f)), *at = text;
    const char *end = text + len - sizeof(f);
    struct db_record rec = {
        .id = f.set % 3 < SETS ? files[f.set % 3].id : other,
        .size = f.size,
        .state = (enum db_state) f.state,
        .copy = f.copy % 2,
        .probation = f.probation % 2,
    };

    rec.provider = next_text(&at, end);
    rec.version = next_text(&at, end);
    rec.url = next_text(&at, end);
    put_back(image, size);
    fuzz_check(db_open(folder, CACHE_SIZE, 0, &d, why, sizeof(why)) == 0, why);
    struct db_txn *t = db_begin(d, &err);
    fuzz_check(t != NULL, "a transaction");
    err = db_put_record(t, &rec);
    if (err == 0 && end > at) {
        err =
            db_put_bits(t, rec.id, (const uint8_t *) at, (size_t) (end - at));
    }
    (void) db_end(t, err);
    db_close(d);
    free(text);
    use_cache();
}
