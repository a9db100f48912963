/* Counting connections, by total and by address. */
#include "unit.h"

#include <arpa/inet.h>
#include <netinet/in.h>

#include "crowd.h"

struct who {
    struct sockaddr_storage sa;
};

static const struct sockaddr *
who(const char *text, struct who *out)
{
    struct sockaddr_in *in = (struct sockaddr_in *) &out->sa;
    struct sockaddr_in6 *in6 = (struct sockaddr_in6 *) &out->sa;

    memset(out, 0, sizeof(*out));
    if (inet_pton(AF_INET, text, &in->sin_addr) == 1) {
        in->sin_family = AF_INET;
    } else {
        assert_int_equal(inet_pton(AF_INET6, text, &in6->sin6_addr), 1);
        in6->sin6_family = AF_INET6;
    }
    return (const struct sockaddr *) &out->sa;
}

/* Does a second connection count as of the same address? */
static const struct {
    const char *first, *second;
    bool same;
} pairs[] = {
    { "192.0.2.1", "192.0.2.1", true },
    { "192.0.2.1", "192.0.2.2", false },
    { "192.0.2.1", "::ffff:192.0.2.1", true },
    { "::ffff:192.0.2.1", "::ffff:192.0.2.2", false },
    { "2001:db8::1", "2001:db8::ffff:ffff:ffff:ffff", true },
    { "2001:db8::1", "2001:db8:0:1::1", false },
    { "::1", "192.0.2.1", false },
    { "::1", "::2", true },
    { "::1", "2001:db8::1", false },
    { "0.0.0.0", "::1", false },
};

static void
addresses(void **state)
{
    (void) state;
    for (size_t i = 0; i < sizeof(pairs) / sizeof(pairs[0]); i++) {
        struct crowd *c = crowd_create(10, 1);
        struct crowd_address *a, *b;
        struct who first, second;

        assert_non_null(c);
        assert_int_equal(crowd_enter(c, who(pairs[i].first, &first), &a),
                         CROWD_IN);
        unit_expect(crowd_enter(c, who(pairs[i].second, &second), &b)
                        == (pairs[i].same ? CROWD_ADDRESS_FULL : CROWD_IN),
                    pairs[i].second);
        crowd_leave(c, a);
        crowd_leave(c, b);
        assert_int_equal(crowd_count(c), 0);
        crowd_free(c);
    }
}

/* Above the limit some are let in to be told so, and then nobody. */
static void
limits(void **state)
{
    struct crowd *c = crowd_create(3, 2);
    struct crowd_address *in[400];
    struct who one, two;
    unsigned n = 0;

    (void) state;
    assert_non_null(c);
    who("192.0.2.1", &one);
    who("192.0.2.2", &two);
    const struct sockaddr *a = (const struct sockaddr *) &one.sa;
    const struct sockaddr *b = (const struct sockaddr *) &two.sa;
    assert_int_equal(crowd_enter(c, a, &in[n++]), CROWD_IN);
    assert_int_equal(crowd_enter(c, a, &in[n++]), CROWD_IN);
    assert_int_equal(crowd_enter(c, a, &in[n++]), CROWD_ADDRESS_FULL);
    assert_int_equal(crowd_enter(c, b, &in[n++]), CROWD_FULL);
    crowd_set(c, 1000, 0);
    assert_int_equal(crowd_enter(c, a, &in[n++]), CROWD_IN);
    crowd_set(c, 1000, 2);
    while (crowd_room(c, a) == CROWD_IN) {
        assert_int_equal(crowd_enter(c, a, &in[n++]), CROWD_ADDRESS_FULL);
    }
    assert_in_range(n, 6, 20);
    assert_int_equal(crowd_room(c, a), CROWD_ADDRESS_FULL);
    assert_int_equal(crowd_room(c, b), CROWD_IN);
    crowd_set(c, 3, 0);
    while (crowd_room(c, b) == CROWD_IN) {
        assert_int_equal(crowd_enter(c, b, &in[n++]), CROWD_FULL);
    }
    assert_in_range(n, 60, 399);
    assert_int_equal(crowd_count(c), n);
    while (n > 0) {
        crowd_leave(c, in[--n]);
    }
    assert_int_equal(crowd_enter(c, b, &in[0]), CROWD_IN);
    crowd_leave(c, in[0]);
    crowd_close(c);
    assert_int_equal(crowd_room(c, b), CROWD_FULL);
    crowd_free(c);
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(addresses),
    cmocka_unit_test(limits),
};

UNIT_MAIN(tests)
