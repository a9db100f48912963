/* A reader gets the pieces in order, once, whatever order they come in. */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "shoal.h"
#include "sink.h"
#include "unit.h"

struct fixture {
    char dir[32], path[48];
    int in; /* the reader's end */
    struct sink *sink;
};

static int
setup(void **state)
{
    struct fixture *f = calloc(1, sizeof(*f));

    snprintf(f->dir, sizeof(f->dir), "/tmp/shoal-sink-XXXXXX");
    if (mkdtemp(f->dir) == NULL) {
        free(f);
        return -1;
    }
    snprintf(f->path, sizeof(f->path), "%s/fifo", f->dir);
    f->in = mkfifo(f->path, 0600) == 0
                ? open(f->path, O_RDONLY | O_NONBLOCK | O_CLOEXEC)
                : -1;
    f->sink = sink_create(f->path, NULL);
    *state = f;
    return f->in >= 0 && f->sink != NULL ? 0 : -1;
}

static int
teardown(void **state)
{
    struct fixture *f = *state;

    sink_free(f->sink);
    if (f->in >= 0) {
        close(f->in);
    }
    unlink(f->path);
    rmdir(f->dir);
    free(f);
    return 0;
}

static void
put(struct fixture *f, uint64_t index, const char *text)
{
    assert_int_equal(sink_put(f->sink, index, text, strlen(text)), 0);
}

static void
wait_for_out(struct fixture *f, uint64_t bytes)
{
    uint64_t out = 0;

    for (int i = 0; i < 3000 && out < bytes; i++) {
        assert_int_equal(sink_look(f->sink, &out), 0);
        usleep(10000);
    }
    assert_int_equal(out, bytes);
}

static void
assert_read(struct fixture *f, const char *want)
{
    char buf[64] = "";

    assert_int_equal(read(f->in, buf, sizeof(buf) - 1), strlen(want));
    assert_string_equal(buf, want);
}

static void
in_order(void **state)
{
    struct fixture *f = *state;

    put(f, 2, "three");
    put(f, 0, "one");
    assert_false(sink_started(f->sink));
    assert_int_equal(sink_go(f->sink), 0);
    wait_for_out(f, 3);
    assert_read(f, "one");
    put(f, 3, "four");
    put(f, 1, "two");
    assert_int_equal(sink_end(f->sink), 0);
    assert_read(f, "twothreefour");
}

static void
what_is_dropped_comes_anew(void **state)
{
    struct fixture *f = *state;

    put(f, 0, "wrong");
    put(f, 1, "b");
    assert_int_equal(sink_drop(f->sink, 0), 0);
    assert_int_equal(sink_drop(f->sink, 7), 0);
    put(f, 0, "a");
    assert_int_equal(sink_end(f->sink), 0);
    assert_read(f, "ab");
}

static void
nothing_after_a_wrong_one(void **state)
{
    struct fixture *f = *state;

    put(f, 0, "wrong");
    assert_int_equal(sink_go(f->sink), 0);
    wait_for_out(f, 5);
    assert_int_equal(sink_drop(f->sink, 0), SHOAL_EVERIFY);
    sink_put(f->sink, 1, "more", 4);
    assert_int_equal(sink_end(f->sink), SHOAL_ESTOPPED);
    assert_read(f, "wrong");
}

static void
reader_leaves(void **state)
{
    struct fixture *f = *state;
    uint64_t out;
    int err = 0;

    put(f, 0, "a");
    assert_int_equal(sink_go(f->sink), 0);
    wait_for_out(f, 1);
    close(f->in);
    f->in = -1;
    put(f, 1, "b");
    for (int i = 0; i < 3000 && err == 0; i++) {
        err = sink_look(f->sink, &out);
        usleep(err == 0 ? 10000 : 0);
    }
    assert_int_equal(err, SHOAL_EIO);
    assert_int_equal(sink_look(f->sink, &out), SHOAL_EIO);
    assert_int_equal(errno, EPIPE);
    assert_int_equal(sink_put(f->sink, 2, "c", 1), SHOAL_EIO);
    assert_int_equal(sink_end(f->sink), SHOAL_EIO);
}

#define WITH(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

static const struct CMUnitTest tests[] = {
    WITH(in_order),
    WITH(what_is_dropped_comes_anew),
    WITH(nothing_after_a_wrong_one),
    WITH(reader_leaves),
};

UNIT_MAIN(tests)
