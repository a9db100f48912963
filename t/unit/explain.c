/* The record of what happened: in order, and bounded. */
#include "unit.h"

#include "explain.h"

static void
add(struct explain *e, const char *what, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    explain_add(e, what, format, args);
    va_end(args);
}

static void
test_few(void **state)
{
    struct explain *e = explain_create();

    (void) state;
    assert_int_equal(explain_count(e), 0);
    add(e, "node", "size %d", 5);
    add(e, "", "done");
    assert_int_equal(explain_count(e), 2);
    assert_int_equal(explain_lost(e), 0);
    struct explain_event x = explain_get(e, 0);
    assert_string_equal(x.what, "node");
    assert_string_equal(x.text, "size 5");
    struct explain_event y = explain_get(e, 1);
    assert_string_equal(y.what, "");
    assert_string_equal(y.text, "done");
    assert_true(y.ms >= x.ms);
    explain_free(e);
}

/* How it began and how it ended is kept. */
static void
test_many(void **state)
{
    enum {
        MANY = 5000,
        KEPT = 512
    };
    struct explain *e = explain_create();
    char text[16];

    (void) state;
    for (int i = 0; i < MANY; i++) {
        add(e, "x", "%d", i);
    }
    assert_int_equal(explain_count(e), KEPT);
    assert_int_equal(explain_lost(e), MANY - KEPT);
    for (size_t i = 0; i < KEPT; i++) {
        size_t which = i < KEPT / 2 ? i : i + MANY - KEPT;

        snprintf(text, sizeof(text), "%zu", which);
        assert_string_equal(explain_get(e, i).text, text);
    }
    explain_free(e);
}

/* What others say may be long. */
static void
test_long(void **state)
{
    struct explain *e = explain_create();
    char text[4096];

    (void) state;
    memset(text, 'a', sizeof(text));
    text[sizeof(text) - 1] = '\0';
    add(e, text, "%s", text);
    struct explain_event x = explain_get(e, 0);
    assert_true(strlen(x.what) > 50 && strlen(x.what) < 200);
    assert_true(strlen(x.text) > 100 && strlen(x.text) < 300);
    explain_free(e);
}

/* Nothing is noted where nobody asks. */
static void
test_none(void **state)
{
    (void) state;
    add(NULL, "x", "y");
    explain_free(NULL);
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(test_few),
    cmocka_unit_test(test_many),
    cmocka_unit_test(test_long),
    cmocka_unit_test(test_none),
};

UNIT_MAIN(tests)
