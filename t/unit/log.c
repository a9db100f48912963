/* The log: lines that stay whole, whoever logs at once, and nobody who waits
 * for who reads them. */
#include "unit.h"

#include <fcntl.h>
#include <pthread.h>
#include <unistd.h>

#include "../../superpeer/log.h"
#include "clock.h"

enum {
    THREADS = 8,
    LINES = 200, /* of each */
    OUT_MAX = 4 << 20
};

/* stderr is a pipe from here to end_pipe(). */
struct catcher {
    int saved, read_end;
    char *text;
    size_t len;
};

static void
begin_pipe(struct catcher *c)
{
    int fds[2];

    assert_int_equal(pipe(fds), 0);
    c->saved = dup(STDERR_FILENO);
    assert_int_equal(dup2(fds[1], STDERR_FILENO), STDERR_FILENO);
    close(fds[1]);
    c->read_end = fds[0];
    c->text = calloc(1, OUT_MAX + 1);
    c->len = 0;
}

/* Reads until nobody can write to it any more. */
static void *
read_pipe(void *arg)
{
    struct catcher *c = arg;
    ssize_t n;

    while ((n = read(c->read_end, c->text + c->len, OUT_MAX - c->len)) > 0) {
        c->len += (size_t) n;
    }
    return NULL;
}

static void
end_pipe(struct catcher *c, pthread_t reader)
{
    assert_int_equal(dup2(c->saved, STDERR_FILENO), STDERR_FILENO);
    close(c->saved);
    pthread_join(reader, NULL);
    close(c->read_end);
}

static void *
log_many(void *arg)
{
    for (int i = 0; i < LINES; i++) {
        log_line(LOG_LEVEL_INFO, NULL, "thread %c line %d %s\x01\n",
                 (int) (intptr_t) arg, i, "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx");
    }
    return NULL;
}

static void
log_from_all(void)
{
    pthread_t threads[THREADS];

    for (int i = 0; i < THREADS; i++) {
        pthread_create(&threads[i], NULL, log_many,
                       (void *) (intptr_t) ('a' + i));
    }
    for (int i = 0; i < THREADS; i++) {
        pthread_join(threads[i], NULL);
    }
}

/* What is to stand behind the time; `next` counts the lines of each thread. */
static void
check_line(const char *line, int next[THREADS])
{
    const char *who = strstr(line, " thread ");
    char expected[128];

    if (who == NULL || who[8] < 'a' || who[8] >= 'a' + THREADS) {
        fail_msg("no line of ours: %s", line);
        return;
    }
    snprintf(expected, sizeof(expected),
             "Z info - thread %c line %d xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx??",
             who[8], next[who[8] - 'a']++);
    unit_expect(strlen(line) > 23 && strcmp(line + 23, expected) == 0, line);
}

/* Every line is whole, and those of each thread are in their order. */
static void
check_lines(char *text)
{
    int next[THREADS] = { 0 };
    char *rest = text;

    for (char *line; (line = strsep(&rest, "\n")) != NULL && *line != '\0';) {
        check_line(line, next);
    }
    for (int i = 0; i < THREADS; i++) {
        assert_int_equal(next[i], LINES);
    }
}

static void
test_whole_lines(void **state)
{
    struct catcher c;
    pthread_t reader;

    (void) state;
    begin_pipe(&c);
    pthread_create(&reader, NULL, read_pipe, &c);
    log_open(LOG_TO_STDERR);
    log_from_all();
    log_close(5000);
    end_pipe(&c, reader);
    check_lines(c.text);
    free(c.text);
}

static void
test_nobody_reads(void **state)
{
    struct catcher c;
    pthread_t reader;

    (void) state;
    begin_pipe(&c);
    log_open(LOG_TO_STDERR);
    uint64_t begun = clock_ms();
    for (int i = 0; i < 20; i++) {
        log_from_all();
    }
    /* it has not waited for the reader that is not there */
    assert_true(clock_ms() - begun < 10000);
    begun = clock_ms();
    log_close(50);
    assert_true(clock_ms() - begun < 5000);
    pthread_create(&reader, NULL, read_pipe, &c);
    log_close(5000);
    log_line(LOG_LEVEL_INFO, NULL, "again");
    end_pipe(&c, reader);
    assert_non_null(strstr(c.text, " warn - log: "));
    assert_non_null(strstr(c.text, " lines were lost, as nobody took them\n"));
    assert_non_null(strstr(c.text, " info - again\n"));
    free(c.text);
}

static void
test_levels(void **state)
{
    static const uint8_t id[20] = { 0xab };
    struct catcher c;
    pthread_t reader;

    (void) state;
    begin_pipe(&c);
    pthread_create(&reader, NULL, read_pipe, &c);
    log_open(LOG_TO_STDERR);
    log_line(LOG_LEVEL_DEBUG, NULL, "hidden");
    log_set_level(LOG_LEVEL_DEBUG);
    log_line(LOG_LEVEL_DEBUG, id, "shown");
    log_set_level(LOG_LEVEL_INFO);
    log_close(5000);
    end_pipe(&c, reader);
    assert_null(strstr(c.text, "hidden"));
    assert_non_null(strstr(c.text,
                           " debug ab00000000000000000000000000000000000000 "
                           "shown\n"));
    free(c.text);
}

static void
test_url(void **state)
{
    char out[LOG_URL_MAX];

    (void) state;
    assert_string_equal(log_url("http://a/b?token=c#d", out), "http://a/b");
    assert_string_equal(log_url("http://a/b#d?e", out), "http://a/b");
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(test_whole_lines),
    cmocka_unit_test(test_nobody_reads),
    cmocka_unit_test(test_levels),
    cmocka_unit_test(test_url),
};

UNIT_MAIN(tests)
