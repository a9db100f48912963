/* The prefetcher's memory of refusals, and the limits of origins. */
#include "unit.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../../superpeer/dns_names.h"
#include "../../superpeer/origins.h"
#include "../../superpeer/prefetch_internal.h"

static struct prefetch_refusal
refusal(uint32_t n, enum prefetch_reason reason)
{
    struct prefetch_refusal r = { .reason = prefetch_reasons[reason] };

    memcpy(r.id, &n, sizeof(n));
    return r;
}

static const struct {
    enum prefetch_reason reason;
    uint64_t worth_ms;
} worths[] = {
    { REASON_ORIGIN, 300000 },  { REASON_TOOLARGE, 300000 },
    { REASON_PRIVATE, 300000 }, { REASON_NOTFOUND, 60000 },
    { REASON_NOAGREE, 60000 },  { REASON_BUSY, 0 },
    { REASON_FAILED, 0 },
};

static void
test_remembered_for_a_while(void **state)
{
    struct refusals *f = calloc(1, sizeof(*f));

    (void) state;
    assert_non_null(f);
    for (uint32_t i = 0; i < sizeof(worths) / sizeof(worths[0]); i++) {
        struct prefetch_refusal r = refusal(i, worths[i].reason);
        uint64_t end = 1000 + worths[i].worth_ms;

        refusals_add(f, &r, 1000);
        unit_expect((refusals_find(f, r.id, end - 1) != NULL)
                        == (worths[i].worth_ms != 0),
                    r.reason);
        unit_expect(refusals_find(f, r.id, end) == NULL, r.reason);
    }
    free(f);
}

static void
test_an_id_once(void **state)
{
    struct refusals *f = calloc(1, sizeof(*f));
    struct prefetch_refusal r = refusal(1, REASON_FAILED),
                            list[PREFETCH_REFUSALS];

    (void) state;
    assert_non_null(f);
    refusals_add(f, &r, 1000);
    assert_null(refusals_find(f, r.id, 1001));
    r = refusal(1, REASON_NOTFOUND);
    refusals_add(f, &r, 1000);
    assert_non_null(refusals_find(f, r.id, 1001));
    assert_int_equal(refusals_latest(f, list), 1);
    assert_string_equal(list[0].reason, "notfound");
    refusals_forget(f);
    assert_null(refusals_find(f, r.id, 1001));
    assert_int_equal(refusals_latest(f, list), 1);
    free(f);
}

/* The oldest go; the newest come first. */
static void
test_bounded(void **state)
{
    struct refusals *f = calloc(1, sizeof(*f));
    struct prefetch_refusal r, list[PREFETCH_REFUSALS];

    (void) state;
    assert_non_null(f);
    for (uint32_t i = 0; i < REFUSALS_MAX + 10; i++) {
        r = refusal(i, REASON_ORIGIN);
        refusals_add(f, &r, 1000);
    }
    r = refusal(9, REASON_ORIGIN);
    assert_null(refusals_find(f, r.id, 1001));
    r = refusal(10, REASON_ORIGIN);
    assert_non_null(refusals_find(f, r.id, 1001));
    assert_int_equal(refusals_latest(f, list), PREFETCH_REFUSALS);
    r = refusal(REFUSALS_MAX + 9, REASON_ORIGIN);
    assert_memory_equal(list[0].id, r.id, sizeof(r.id));
    free(f);
}

#define URL "http://cdn.example.com/a"
#define KEY "cdn.example.com:80"

static bool
has_room(struct origins *o)
{
    struct origins_user *u = origins_join(o, KEY);

    origins_leave(u);
    return u != NULL;
}

static void
test_connections(void **state)
{
    struct origins *o = origins_create();
    struct origins_user *one = origins_join(o, KEY);
    struct origins_user *two = origins_join(o, KEY);
    struct transfer_limits a = origins_hooks(one), b = origins_hooks(two);

    (void) state;
    origins_limit(o, 3, 0);
    assert_true(has_room(o));
    origins_limit(o, 2, 0);
    assert_false(has_room(o)); /* both have their place */
    assert_true(a.open(a.ctx, URL));
    assert_false(a.open(a.ctx, "https://CDN.example.com:80/b"));
    assert_true(b.open(b.ctx, "http://cdn.example.com:81/"));
    assert_false(has_room(o));
    assert_true(b.open(b.ctx, URL));
    assert_false(has_room(o));
    a.close(a.ctx, URL);
    assert_true(has_room(o));
    assert_true(b.open(b.ctx, URL));
    assert_false(a.open(a.ctx, URL));
    b.close(b.ctx, URL);
    assert_false(has_room(o)); /* the other one waits for it */
    assert_false(b.open(b.ctx, URL));
    origins_limit(o, 1, 0);
    assert_false(a.open(a.ctx, URL));
    origins_leave(two);
    assert_true(a.open(a.ctx, URL));
    origins_leave(one);
    assert_true(has_room(o));
    origins_free(o);
}

/* A transfer that is redirected often. */
static void
test_many_origins(void **state)
{
    struct origins *o = origins_create();
    struct origins_user *u = origins_join(o, KEY);
    struct transfer_limits l = origins_hooks(u);
    char url[64];

    (void) state;
    origins_limit(o, 1, 0);
    for (int i = 0; i < 100; i++) {
        snprintf(url, sizeof(url), "http://h%d.example.com/", i);
        assert_true(l.open(l.ctx, url));
        assert_false(l.open(l.ctx, url));
    }
    for (int i = 0; i < 100; i++) {
        snprintf(url, sizeof(url), "http://h%d.example.com/", i);
        l.close(l.ctx, url);
        assert_true(l.open(l.ctx, url));
    }
    origins_leave(u);
    origins_free(o);
}

static void
test_rate(void **state)
{
    struct origins *o = origins_create();
    struct origins_user *one = origins_join(o, KEY);
    struct origins_user *two = origins_join(o, KEY);
    struct transfer_limits a = origins_hooks(one), b = origins_hooks(two);

    (void) state;
    assert_int_equal(a.took(a.ctx, URL, 1 << 30), 0);
    origins_limit(o, 0, 1000000);
    unsigned first = a.took(a.ctx, URL, 100000);
    assert_in_range(first, 75, 81); /* 100 ms less the burst */
    assert_in_range(b.took(b.ctx, URL, 100000), first + 90, first + 101);
    assert_in_range(b.took(b.ctx, "http://other.example.com/", 50000), 25, 31);
    origins_limit(o, 0, 0);
    assert_int_equal(a.took(a.ctx, URL, 1 << 30), 0);
    origins_leave(one);
    origins_leave(two);
    origins_free(o);
}

static void
no_answer(void *arg, int err, const char *why, const struct node_addr *addrs,
          size_t n)
{
    (void) arg;
    (void) err;
    (void) why;
    (void) addrs;
    (void) n;
}

/* What one family was told by servers that are not asked any more. */
static void
test_names_forget(void **state)
{
    struct names *n = names_create();
    struct name *name = names_get(n, "cdn.example.com", 1);

    (void) state;
    name_begin(name);
    assert_int_equal(names_wait(n, name, no_answer, NULL), 0);
    name->deadline_ms = 1000;
    name->families[DNS_V4].answered = name->families[DNS_V6].asked = true;
    name->grace_ms = 5;
    names_forget(n);
    assert_false(name->families[DNS_V4].answered);
    assert_true(name->families[DNS_V6].asked); /* its query has to end */
    assert_false(name_is_done(name, 6));
    free(names_unwait(n, name));
    names_free(n);
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(test_names_forget),
    cmocka_unit_test(test_remembered_for_a_while),
    cmocka_unit_test(test_an_id_once),
    cmocka_unit_test(test_bounded),
    cmocka_unit_test(test_connections),
    cmocka_unit_test(test_many_origins),
    cmocka_unit_test(test_rate),
};

UNIT_MAIN(tests)
