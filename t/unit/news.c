/* What trackers are to be told. */
#include "unit.h"

#include <stdbool.h>

#include "../../superpeer/news.h"

static struct news_item
item(enum news_kind kind, uint8_t id)
{
    struct news_item i = { .kind = kind };

    memset(i.id, id, sizeof(i.id));
    memset(i.root, 0xab, sizeof(i.root));
    i.reason = "noagree";
    i.held = 7;
    return i;
}

static void
put(struct news *n, enum news_kind kind, uint8_t id)
{
    struct news_item i = item(kind, id);

    assert_int_equal(news_put(n, &i), 0);
}

static void
expect(struct news *n, const char *want)
{
    char *body;
    size_t len;

    assert_int_equal(news_take(n, &body, &len), 0);
    assert_string_equal(body, want);
    assert_int_equal(len, strlen(want));
    free(body);
}

#define ID1 "0101010101010101010101010101010101010101"
#define ID2 "0202020202020202020202020202020202020202"
#define ROOT                           \
    "abababababababababababababababab" \
    "abababababababababababababababab"

static void
lines(void **state)
{
    struct news *n = news_create();
    struct news_item i = item(NEWS_HELD, 2);

    (void) state;
    put(n, NEWS_FILLING, 1);
    i.copy = true;
    assert_int_equal(news_put(n, &i), 0);
    expect(n, "~" ID1 " 7\n+" ID2 " " ROOT " copy\n");
    i.empty = true;
    i.copy = false;
    assert_int_equal(news_put(n, &i), 0);
    put(n, NEWS_GONE, 1);
    expect(n, "+" ID2 " - cdn\n-" ID1 "\n");
    i.plain = true;
    assert_int_equal(news_put(n, &i), 0);
    i = item(NEWS_FILLING, 1);
    i.plain = true;
    assert_int_equal(news_put(n, &i), 0);
    expect(n, "+" ID2 " - cdn http\n~" ID1 " 7 http\n");
    put(n, NEWS_REFUSED, 1);
    expect(n, "?" ID1 " noagree\n");
    expect(n, "");
    news_free(n);
}

static void
the_last_word_counts(void **state)
{
    struct news *n = news_create();

    (void) state;
    put(n, NEWS_FILLING, 1);
    put(n, NEWS_FILLING, 2);
    put(n, NEWS_HELD, 1);
    put(n, NEWS_GONE, 1);
    assert_int_equal(news_count(n), 2);
    expect(n, "~" ID2 " 7\n-" ID1 "\n");
    put(n, NEWS_GONE, 2);
    put(n, NEWS_REFUSED, 1);
    put(n, NEWS_HELD, 2);
    news_keep_refusals(n);
    expect(n, "?" ID1 " noagree\n");
    news_free(n);
}

static void
many(void **state)
{
    struct news *n = news_create();
    struct news_item i = item(NEWS_GONE, 0);
    size_t lengths[] = { 8192, 8192, 3616 };

    (void) state;
    for (uint32_t k = 0; k < 20000; k++) {
        memcpy(i.id, &k, sizeof(k));
        assert_int_equal(news_put(n, &i), 0);
    }
    assert_int_equal(news_count(n), 20000);
    for (int k = 0; k < 3; k++) {
        char *body;
        size_t len;

        assert_int_equal(news_take(n, &body, &len), 0);
        assert_int_equal(len, lengths[k] * 42);
        free(body);
    }
    put(n, NEWS_GONE, 9);
    news_free(n);
}

/* Refusals do not pile up; what is held is always said. */
static void
too_many(void **state)
{
    struct news *n = news_create();
    struct news_item no = item(NEWS_REFUSED, 0), held = item(NEWS_HELD, 1);

    (void) state;
    for (uint32_t k = 0; k < NEWS_ITEMS_MAX + 10; k++) {
        memcpy(no.id, &k, sizeof(k));
        assert_int_equal(news_put(n, &no), 0);
    }
    assert_int_equal(news_count(n), NEWS_ITEMS_MAX);
    assert_int_equal(news_put(n, &held), 0);
    assert_int_equal(news_count(n), NEWS_ITEMS_MAX + 1);
    news_free(n);
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(lines),
    cmocka_unit_test(the_last_word_counts),
    cmocka_unit_test(many),
    cmocka_unit_test(too_many),
};

UNIT_MAIN(tests)
