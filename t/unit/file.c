/* The client's output file when versions change under the block server. */
#include "unit.h"

#include <pthread.h>
#include <stdatomic.h>
#include <sys/stat.h>
#include <unistd.h>

#include "blockmap.h"
#include "digest.h"
#include "file.h"
#include "resource.h"
#include "shoal.h"
#include "store.h"

enum {
    BLOCK = 65536
};

static const uint8_t id[RESOURCE_ID_LEN] = { 1, 2, 3 };

struct world {
    char dir[64], path[128], name[160], ctl[192];
    atomic_bool stop;
    struct file *file;
    struct blockmap held;
    uint8_t *layer;
    struct store store;
};

static void
open_file(struct world *w, bool resume)
{
    struct file_options o = { .path = w->path,
                              .resume = resume,
                              .stop = &w->stop };

    w->file = file_create(&o);
    assert_non_null(w->file);
}

static void
setup(struct world *w)
{
    memset(w, 0, sizeof(*w));
    snprintf(w->dir, sizeof(w->dir), "/tmp/shoal-file-XXXXXX");
    assert_non_null(mkdtemp(w->dir));
    snprintf(w->path, sizeof(w->path), "%s/f", w->dir);
    snprintf(w->name, sizeof(w->name), "%s.part", w->path);
    snprintf(w->ctl, sizeof(w->ctl), "%s.ctl", w->name);
    open_file(w, false);
}

static void
close_all(struct world *w)
{
    file_free(w->file);
    blockmap_fini(&w->held);
    free(w->layer);
    unlink(w->path);
    unlink(w->name);
    unlink(w->ctl);
    assert_int_equal(rmdir(w->dir), 0);
}

static int
begin(struct world *w, uint32_t blocks, const char *version)
{
    struct resource r;
    uint64_t size = (uint64_t) blocks * BLOCK;

    blockmap_fini(&w->held);
    free(w->layer);
    w->layer = calloc(blocks, DIGEST_LEN);
    assert_int_equal(blockmap_init(&w->held, size), 0);
    assert_int_equal(
        resource_init(&r, "http://example.com/f", size, "", version), 0);
    struct file_blocks out = { &w->held, w->layer, &w->store };
    int err = file_begin(w->file, &r, -1, &out);
    resource_fini(&r);
    return err;
}

static void
put_blocks(struct world *w, uint32_t n, uint8_t value)
{
    static uint8_t data[BLOCK];
    uint8_t hash[DIGEST_LEN];

    memset(data, value, sizeof(data));
    for (uint32_t i = 0; i < n; i++) {
        assert_int_equal(digest_block(data, BLOCK, w->held.size, BLOCK, hash),
                         0);
        assert_int_equal(
            w->store.ops->write(w->store.ctx, i, data, BLOCK, hash), 0);
    }
}

/* An answer about the first version is under way when the second begins. */
static void
second_version(void **state)
{
    struct world w;
    struct serve_set set;
    uint8_t bits[8], layer[64 * DIGEST_LEN], buf[100];
    uint64_t cursor;

    (void) state;
    setup(&w);
    assert_int_equal(begin(&w, 4, "etag:\"a\""), 0);
    put_blocks(&w, 4, 'a');
    assert_int_equal(file_serve.open(w.file, id, NULL, &set), SHOAL_ENOTFOUND);
    file_identify(w.file, id);
    assert_int_equal(file_serve.open(w.file, id, NULL, &set), 0);
    assert_int_equal(file_serve.read(w.file, &set, 0, buf, 100), 100);
    assert_int_equal(begin(&w, 64, "etag:\"b\""), 0);
    put_blocks(&w, 64, 'b');
    assert_int_equal(set.count, 4);
    assert_int_equal(file_serve.read(w.file, &set, 0, buf, 100), SHOAL_EIO);
    assert_int_equal(file_serve.held(w.file, &set, 0, 100), 0);
    assert_int_equal(file_serve.hashes(w.file, &set, layer), SHOAL_EIO);
    assert_int_equal(file_serve.have(w.file, &set, bits, &cursor), SHOAL_EIO);
    file_serve.close(w.file, &set);
    assert_int_equal(file_serve.open(w.file, id, NULL, &set), SHOAL_ENOTFOUND);
    close_all(&w);
}

static void
plain_after_blocks(void **state)
{
    struct world w;
    struct stat st;

    (void) state;
    setup(&w);
    assert_int_equal(begin(&w, 4, "etag:\"a\""), 0);
    put_blocks(&w, 4, 'a');
    assert_int_equal(file_begin_plain(w.file, UINT64_MAX), 0);
    assert_int_equal(file_write_plain(w.file, "short", 5), 0);
    assert_int_equal(file_resumed(w.file), 0);
    file_save(w.file);
    assert_int_not_equal(access(w.ctl, F_OK), 0);
    assert_int_equal(file_finish(w.file, -1), 0);
    assert_int_equal(stat(w.path, &st), 0);
    assert_int_equal(st.st_size, 5);
    close_all(&w);
}

static void
resumed_blocks(void **state)
{
    struct world w;

    (void) state;
    setup(&w);
    assert_int_equal(begin(&w, 4, "etag:\"a\""), 0);
    put_blocks(&w, 3, 'a');
    file_abandon(w.file);
    file_free(w.file);
    open_file(&w, true);
    w.stop = true; /* nothing is hashed, nothing is lost */
    assert_int_equal(begin(&w, 4, "etag:\"a\""), SHOAL_ESTOPPED);
    file_abandon(w.file);
    file_free(w.file);
    w.stop = false;
    open_file(&w, true);
    assert_true(file_promising(w.file));
    assert_int_equal(begin(&w, 4, "etag:\"a\""), 0);
    assert_int_equal(w.held.held, 3);
    assert_int_equal(file_resumed(w.file), 3 * BLOCK);
    w.store.ops->drop(w.store.ctx, 1); /* it was wrong: kept no more */
    assert_int_equal(file_resumed(w.file), 2 * BLOCK);
    assert_int_equal(begin(&w, 5, "etag:\"b\""), 0);
    assert_int_equal(file_resumed(w.file), 0);
    assert_int_equal(w.held.held, 0);
    close_all(&w);
}

/* The server's threads ask while versions change. */
static void *
ask(void *arg)
{
    struct world *w = arg;
    static _Thread_local uint8_t bits[8], layer[64 * DIGEST_LEN], buf[BLOCK];
    struct serve_set set;
    uint64_t cursor;

    while (!w->stop) {
        if (file_serve.open(w->file, id, NULL, &set) != 0) {
            continue;
        }
        file_serve.have(w->file, &set, bits, &cursor);
        file_serve.hashes(w->file, &set, layer);
        if (file_serve.read(w->file, &set, 0, buf, BLOCK) == BLOCK
            && buf[0] != (set.count == 4 ? 'a' : 'b'))
        {
            return w; /* bytes of the other version */
        }
        file_serve.close(w->file, &set);
    }
    return NULL;
}

static void
versions_in_turn(void **state)
{
    struct world w;
    pthread_t threads[2];
    void *bad;

    (void) state;
    setup(&w);
    for (size_t i = 0; i < 2; i++) {
        assert_int_equal(pthread_create(&threads[i], NULL, ask, &w), 0);
    }
    for (unsigned i = 0; i < 40; i++) {
        bool odd = i % 2 != 0;

        assert_int_equal(begin(&w, odd ? 64 : 4, odd ? "etag:\"b\"" : ""), 0);
        file_identify(w.file, id);
        put_blocks(&w, odd ? 64 : 4, odd ? 'b' : 'a');
    }
    w.stop = true;
    for (size_t i = 0; i < 2; i++) {
        assert_int_equal(pthread_join(threads[i], &bad), 0);
        assert_null(bad);
    }
    close_all(&w);
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(second_version),
    cmocka_unit_test(plain_after_blocks),
    cmocka_unit_test(resumed_blocks),
    cmocka_unit_test(versions_in_turn),
};

UNIT_MAIN(tests)
