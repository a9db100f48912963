/* Tickets: keys from files, the signature, and every way to be no ticket. */
#include "unit.h"

#include <stdbool.h>
#include <unistd.h>

#include "shoal.h"
#include "ticket.h"

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

#define KEY_A "000102030405060708090a0b0c0d0e0f"
#define KEY_B "ffeeddccbbaa99887766554433221100"

static const uint8_t id[RESOURCE_ID_LEN] = { 0x12, 0x34 };
static const uint8_t other_id[RESOURCE_ID_LEN] = { 0x12, 0x35 };

/* Reads `text` as a key file; the error, its words in `why`. */
static int
read_keys(struct ticket_keys *k, const char *text, char why[256])
{
    char path[] = "/tmp/shoal-ticket-XXXXXX";

    int fd = mkstemp(path);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, text, strlen(text)), (ssize_t) strlen(text));
    close(fd);
    int err = ticket_keys_read(k, path, why, 256);
    unlink(path);
    return err;
}

static struct ticket_keys *
keys_of(const char *text)
{
    struct ticket_keys *k = ticket_keys_create();
    char why[256] = "";

    assert_non_null(k);
    unit_expect(read_keys(k, text, why) == 0, why);
    return k;
}

/* Fields: key, id, expires, ticket. */
static void
check_vector(char *v[4])
{
    struct ticket_keys *k = keys_of(v[0]);
    char text[TICKET_TEXT_MAX];
    uint8_t of[RESOURCE_ID_LEN];
    uint64_t expires = strtoull(v[2], NULL, 10);

    assert_int_equal(resource_id_parse(v[1], of), 0);
    assert_int_equal(ticket_make(k, of, expires, text), 0);
    assert_string_equal(text, v[3]);
    if (expires > 0) {
        assert_null(ticket_check(k, of, v[3], expires - 1));
    }
    assert_non_null(ticket_check(k, of, v[3], expires));
    ticket_keys_free(k);
}

static void
vectors(void **state)
{
    FILE *f = unit_vectors("ticket.txt");
    char line[1024], *v[4] = { 0 };
    unsigned n = 0;

    (void) state;
    while (fgets(line, sizeof(line), f) != NULL) {
        if (line[0] != '#') {
            unit_fields(line, v, 4);
            check_vector(v);
            n++;
        }
    }
    fclose(f);
    assert_true(n >= 10);
}

/* Of id, key A, good until 1000. `%s` is its HMAC. */
static const struct {
    const char *format, *why;
} faults[] = {
    { "1000.%s", NULL },
    { "1001.%s", "ticket of another id or an unknown key\n" },
    { "9999999999.%s", "ticket of another id or an unknown key\n" },
    { "", "malformed ticket\n" },
    { "1000", "malformed ticket\n" },
    { "1000.", "malformed ticket\n" },
    { ".%s", "malformed ticket\n" },
    { "%s", "malformed ticket\n" },
    { "01000.%s", "malformed ticket\n" },
    { "+1000.%s", "malformed ticket\n" },
    { "-1000.%s", "malformed ticket\n" },
    { " 1000.%s", "malformed ticket\n" },
    { "1000 .%s", "malformed ticket\n" },
    { "1000..%s", "malformed ticket\n" },
    { "0x3e8.%s", "malformed ticket\n" },
    { "1000.%s0", "malformed ticket\n" },
    { "1000.%.31s", "malformed ticket\n" },
    { "1000.%.31sg", "malformed ticket\n" },
    { "1000.%s.", "malformed ticket\n" },
    { "99999999999999999999.%s", "malformed ticket\n" },
    { "9999999999999999999.%s", "malformed ticket\n" },
    { "1000.00000000000000000000000000000000",
      "ticket of another id or an unknown key\n" },
};

static void
test_faults(void **state)
{
    struct ticket_keys *k = keys_of(KEY_A);
    char good[TICKET_TEXT_MAX], text[128];

    (void) state;
    assert_int_equal(ticket_make(k, id, 1000, good), 0);
    for (size_t i = 0; i < COUNT(faults); i++) {
        snprintf(text, sizeof(text), faults[i].format, good + 5);
        const char *why = ticket_check(k, id, text, 999);
        unit_expect(faults[i].why == NULL
                        ? why == NULL
                        : why != NULL && strcmp(why, faults[i].why) == 0,
                    text);
    }
    assert_string_equal(ticket_check(k, id, NULL, 0), "no ticket\n");
    ticket_keys_free(k);
}

/* No character may be another one: not one bit of the HMAC is slack. */
static void
test_every_character_counts(void **state)
{
    struct ticket_keys *k = keys_of(KEY_A);
    char good[TICKET_TEXT_MAX];

    (void) state;
    assert_int_equal(ticket_make(k, id, 1000, good), 0);
    for (size_t i = 0; good[i] != '\0'; i++) {
        for (const char *c = "0123456789abcdefABCDEF."; *c != '\0'; c++) {
            char was = good[i];

            good[i] = *c;
            unit_expect((ticket_check(k, id, good, 0) == NULL) == (*c == was),
                        good);
            good[i] = was;
        }
    }
    ticket_keys_free(k);
}

static void
test_time(void **state)
{
    struct ticket_keys *k = keys_of(KEY_A), *late = keys_of(KEY_A);
    char text[TICKET_TEXT_MAX];

    (void) state;
    ticket_keys_allow(late, 60);
    assert_int_equal(ticket_make(k, id, 1000, text), 0);
    assert_null(ticket_check(k, id, text, 0));
    assert_null(ticket_check(k, id, text, 999));
    assert_string_equal(ticket_check(k, id, text, 1000), "expired ticket\n");
    assert_null(ticket_check(late, id, text, 1059));
    assert_string_equal(ticket_check(late, id, text, 1060),
                        "expired ticket\n");
    assert_string_equal(ticket_check(late, other_id, text, 2000),
                        "ticket of another id or an unknown key\n");
    ticket_keys_free(k);
    ticket_keys_free(late);
}

/* The first signs, all are good. */
static void
test_rotation(void **state)
{
    struct ticket_keys *a = keys_of(KEY_A), *b = keys_of(KEY_B);
    struct ticket_keys *ab = keys_of(KEY_A "\n" KEY_B "\n");
    char of_a[TICKET_TEXT_MAX], of_b[TICKET_TEXT_MAX], of_ab[TICKET_TEXT_MAX];

    (void) state;
    assert_int_equal(ticket_make(a, id, 1000, of_a), 0);
    assert_int_equal(ticket_make(b, id, 1000, of_b), 0);
    assert_int_equal(ticket_make(ab, id, 1000, of_ab), 0);
    assert_string_equal(of_ab, of_a);
    assert_string_not_equal(of_b, of_a);
    assert_null(ticket_check(ab, id, of_a, 0));
    assert_null(ticket_check(ab, id, of_b, 0));
    assert_non_null(ticket_check(a, id, of_b, 0));
    assert_non_null(ticket_check(b, id, of_a, 0));
    ticket_keys_free(a);
    ticket_keys_free(b);
    ticket_keys_free(ab);
}

static const struct {
    const char *text;
    size_t n; /* keys; 0: refused */
    const char *why;
} files[] = {
    { KEY_A, 1, NULL },
    { "# of May\n\n  " KEY_A "\t# the new one\r\n" KEY_B "\n", 2, NULL },
    { KEY_A KEY_A KEY_A KEY_A, 1, NULL },
    { "", 0, ": no key in it" },
    { "# none\n \n", 0, ": no key in it" },
    { KEY_A "\nsesame\n", 0, ":2: expected a key of 32 to 128 hex digits" },
    { "00112233445566778899aabbccddee", 0, ":1: expected a key of" },
    { KEY_A "0", 0, ":1: expected a key of" },
    { KEY_A KEY_A KEY_A KEY_A "00", 0, ":1: expected a key of" },
    { KEY_A " " KEY_B, 0, ":1: expected a key of" },
};

static void
check_file(const char *text, size_t n, const char *want)
{
    struct ticket_keys *k = ticket_keys_create();
    char why[256] = "";

    int err = read_keys(k, text, why);
    if (n > 0) {
        unit_expect(err == 0 && ticket_keys_count(k) == n, text);
    } else {
        unit_expect(err == SHOAL_EINVAL && strstr(why, want) != NULL, why);
        unit_expect(strstr(why, "sesame") == NULL, "the key is not shown");
    }
    ticket_keys_free(k);
}

static void
test_files(void **state)
{
    char many[17 * sizeof(KEY_A "\n")] = "", line[1300], why[256];
    struct ticket_keys *k = ticket_keys_create();

    (void) state;
    for (size_t i = 0; i < COUNT(files); i++) {
        check_file(files[i].text, files[i].n, files[i].why);
    }
    for (size_t i = 0; i < 17; i++) {
        memcpy(many + strlen(many), KEY_A "\n", sizeof(KEY_A "\n"));
    }
    check_file(many, 0, ":17: expected at most 16 keys");
    snprintf(line, sizeof(line), "%s#%01200d\n", KEY_A, 0);
    check_file(line, 0, ":1: expected a shorter line");

    assert_int_equal(ticket_keys_read(k, "/nonexistent/key", why, 256),
                     SHOAL_EIO);
    assert_string_equal(why, "/nonexistent/key: No such file or directory");
    assert_int_equal(ticket_keys_read(k, "/tmp", why, 256), SHOAL_EIO);
    assert_string_equal(why, "/tmp: cannot be read");
    assert_int_equal(ticket_make(k, id, 1, line), SHOAL_EINVAL);
    assert_non_null(
        ticket_check(k, id, "1.00000000000000000000000000000000", 0));
    ticket_keys_free(k);
}

static void
test_references(void **state)
{
    struct ticket_keys *k = keys_of(KEY_A), *held = ticket_keys_ref(k);
    char text[TICKET_TEXT_MAX];

    (void) state;
    ticket_keys_free(k);
    assert_int_equal(ticket_make(held, id, 1, text), 0);
    ticket_keys_free(held);
    assert_null(ticket_keys_ref(NULL));
    ticket_keys_free(NULL);
}

static void
test_gate(void **state)
{
    struct ticket_keys *a = keys_of(KEY_A), *none = ticket_keys_create();
    struct ticket_gate *g = ticket_gate_create();
    char good[TICKET_TEXT_MAX];

    (void) state;
    assert_int_equal(ticket_make(a, id, INT64_MAX, good), 0);
    assert_null(ticket_gate_check(g, id, NULL));
    ticket_gate_set(g, a);
    ticket_keys_free(a);
    assert_non_null(ticket_gate_check(g, id, NULL));
    assert_non_null(ticket_gate_check(g, other_id, good));
    assert_null(ticket_gate_check(g, id, good));
    ticket_gate_set(g, none);
    assert_null(ticket_gate_check(g, id, NULL));
    ticket_gate_set(g, NULL);
    assert_null(ticket_gate_check(g, id, NULL));
    ticket_keys_free(none);
    ticket_gate_free(g);
    ticket_gate_free(NULL);
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(vectors),
    cmocka_unit_test(test_faults),
    cmocka_unit_test(test_every_character_counts),
    cmocka_unit_test(test_time),
    cmocka_unit_test(test_rotation),
    cmocka_unit_test(test_files),
    cmocka_unit_test(test_references),
    cmocka_unit_test(test_gate),
};

UNIT_MAIN(tests)
