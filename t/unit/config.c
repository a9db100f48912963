/* The super peer's YAML file: what is taken, and the words of each fault. */
#include "unit.h"

#include <unistd.h>

#include "../../superpeer/config.h"
#include "../../superpeer/guard.h"
#include "resolve.h"
#include "shoal.h"

#define BASE                              \
    "name: sp1\n"                         \
    "cache: { path: /tmp, size: 1GiB }\n" \
    "trackers:\n"                         \
    "  - url: http://127.0.0.1/control\n" \
    "origins: [ \"http://cdn.example.com\" ]\n"

/* Loads `text`; the messages, with the file's name as F, are to be freed. */
static int
load(const char *text, struct config **c, char **messages)
{
    char path[] = "/tmp/shoal-config-XXXXXX";
    size_t len = 0;

    int fd = mkstemp(path);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, text, strlen(text)), (long) strlen(text));
    close(fd);
    FILE *errors = open_memstream(messages, &len);
    assert_non_null(errors);
    int err = config_load(path, errors, c);
    fclose(errors);
    unlink(path);
    for (char *at; (at = strstr(*messages, path)) != NULL;) {
        *at = 'F';
        memmove(at + 1, at + strlen(path), strlen(at + strlen(path)) + 1);
    }
    return err;
}

static void
test_defaults(void **state)
{
    struct config *c;
    char *messages;

    (void) state;
    assert_int_equal(load(BASE, &c, &messages), 0);
    assert_string_equal(messages, "");
    assert_string_equal(c->name, "sp1");
    assert_null(c->listen.host);
    assert_int_equal(c->listen.port, 9090);
    assert_string_equal(c->status_listen.host, "127.0.0.1");
    assert_int_equal(c->status_listen.port, 9091);
    assert_true(c->cache_size == UINT64_C(1) << 30);
    assert_int_equal(c->connections, 1024);
    assert_int_equal(c->prefetch_jobs, 4);
    assert_int_equal(c->tracker_count, 1);
    assert_null(c->trackers[0].token);
    assert_int_equal(guard_url(c->guard, "http://cdn.example.com/x"), 0);
    config_free(c);
    free(messages);
}

static void
test_everything(void **state)
{
    const char *text = BASE "listen: \"[::1]:0\"\n"
                            "status_listen: \"*:9\"\n"
                            "locality: cn/telecom/shanghai\n"
                            "bind_address: 127.0.0.21\n"
                            "allow_addresses: [ 127.0.0.0/8, \"::1\" ]\n"
                            "resolve: [ \"cdn.example.com:80:127.0.0.11\" ]\n"
                            "limits:\n"
                            "  connections: 5\n"
                            "  upload_rate: 10 MiB\n"
                            "  origin_rate: 1GB\n"
                            "  prefetch_jobs: 1\n"
                            "  prefetch_queue: 2\n"
                            "  nodes_per_file: 3\n";
    struct node_addr addrs[RESOLVE_ADDRS_MAX];
    struct config *c;
    char *messages;
    const char *why;
    size_t n;

    (void) state;
    assert_int_equal(load(text, &c, &messages), 0);
    assert_string_equal(messages, "");
    assert_string_equal(c->listen.host, "::1");
    assert_int_equal(c->listen.port, 0);
    assert_null(c->status_listen.host);
    assert_string_equal(c->locality, "cn/telecom/shanghai");
    assert_string_equal(c->bind_address, "127.0.0.21");
    assert_int_equal(c->connections, 5);
    assert_int_equal(c->upload_rate, 10 << 20);
    assert_int_equal(c->origin_rate, 1000000000);
    assert_int_equal(c->prefetch_jobs, 1);
    assert_int_equal(c->prefetch_queue, 2);
    assert_int_equal(c->nodes_per_file, 3);
    assert_int_equal(
        resolve_lookup(c->resolve, "cdn.example.com", 80, addrs, &n, &why), 0);
    assert_int_equal(n, 1);
    assert_string_equal(addrs[0].text, "127.0.0.11");
    config_free(c);
    free(messages);
}

static const struct {
    const char *text;
    const char *message; /* that must be there */
} faults[] = {
    { "", "F:1: expected settings, given an empty file\n" },
    { "- a\n", "F:1: expected a mapping, given a list\n" },
    { "name: [\n", "F:2: not YAML: " },
    { "name: sp1\n\tx: 1\n", "F:2: not YAML: " },
    { BASE "nonsense: 1\n",
      "F:6: nonsense: expected a setting that is known, given one that is "
      "not\n" },
    { BASE "limits: { uploads: 1 }\n",
      "F:6: limits.uploads: expected a setting that is known" },
    { BASE "name: sp2\n", "F:6: name: expected once, given twice\n" },
    { "name: a b\n" BASE, "F:1: name: expected 1 to 64 letters" },
    { BASE "listen: 9090\n",
      "F:6: listen: expected ADDRESS:PORT, `[V6]:PORT` or `*:PORT`, given "
      "`9090`\n" },
    { BASE "listen: \"localhost:1\"\n", "F:6: listen: expected" },
    { BASE "listen: \"127.0.0.1:65536\"\n", "F:6: listen: expected" },
    { BASE "listen: \"::1:80\"\n", "F:6: listen: expected" },
    { BASE "listen: [ a ]\n", "F:6: listen: expected ADDRESS:PORT, "
                              "`[V6]:PORT` or `*:PORT`, given a list\n" },
    { BASE "limits: { connections: many }\n",
      "F:6: limits.connections: expected a number from 1 to 15000, given "
      "`many`\n" },
    { BASE "limits: { connections: 0 }\n", "given `0`\n" },
    { BASE "limits: { connections: -1 }\n", "given `-1`\n" },
    { BASE "limits: { connections: 15001 }\n", "given `15001`\n" },
    { BASE "limits: { connections: 99999999999999999999 }\n",
      "F:6: limits.connections: expected" },
    { BASE "limits: { connections: { a: b } }\n", "given a mapping\n" },
    { BASE "tickets: { key_file: /dev/null }\n",
      "F:6: tickets.key_file: expected a list, each item a path, given one "
      "value\n" },
    { BASE "tickets:\n  key_file:\n    - /nonexistent/key\n",
      "F:8: tickets.key_file: /nonexistent/key: No such file or "
      "directory\n" },
    { BASE "tickets: { key_file: [ /dev/null ] }\n",
      "F:6: tickets.key_file: /dev/null: no key in it\n" },
    { BASE "tickets: { clock_skew: 2h }\n",
      "F:6: tickets.clock_skew: expected a time" },
    { BASE "limits: 3\n",
      "F:6: limits: expected a mapping, given one value\n" },
    { BASE "limits: { upload_rate: 10Mbit }\n",
      "F:6: limits.upload_rate: expected bytes a second" },
    { BASE "limits: { upload_rate: 1.5GiB }\n",
      "F:6: limits.upload_rate: expected" },
    { "name: sp1\ncache:\n  path: /tmp\n  size: 1MiB\n",
      "F:4: cache.size: expected a size such as `100GiB` from 16777216 to" },
    { "name: sp1\ncache:\n  path: /tmp\n  size: 16777216TiB\n",
      "F:4: cache.size: expected" },
    { "name: sp1\ncache: { size: 1GiB }\n",
      "cache.path: expected a path, given nothing\n" },
    { "cache: { size: 1GiB }\n", "F:1: name: expected" },
    { "name: sp1\n", "F:1: origins: expected" },
    { "name: sp1\ncache: { path: /tmp, size: 1GiB }\n"
      "origins: [ \"http://a.b\" ]\n",
      "trackers: expected at least one, given none\n" },
    { BASE "allow_addresses: 127.0.0.0/8\n",
      "F:6: allow_addresses: expected a list, each item a network such as "
      "`10.0.0.0/8`, given one value\n" },
    { BASE "allow_addresses:\n  - 127.0.0.0/8\n  - 127.0.0.1/8\n",
      "F:8: allow_addresses: expected a network such as `10.0.0.0/8`, given "
      "`127.0.0.1/8`\n" },
    { BASE "resolve: [ \"a:b:c\" ]\n",
      "F:6: resolve: expected HOST:PORT:ADDR[,ADDR]..., given `a:b:c`\n" },
    { "origins: [ \"cdn.example.com\" ]\n",
      "F:1: origins: expected scheme://host[:port]" },
    { "trackers: http://a/\n", "F:1: trackers: expected a list" },
    { "trackers:\n  - token: a\n", "F:2: trackers[].url: expected" },
    { "trackers:\n  - url: http://a/c\n    nonsense: a\n",
      "F:3: trackers[].nonsense: expected a setting that is known" },
    { "trackers:\n  - url: a/c\n", "F:2: trackers[].url: expected an http" },
    { "trackers:\n  - url: http://me:secret@a/c\n",
      "F:2: trackers[].url: expected an http" },
    { "trackers:\n  - url: http://a/c?t=secret\n",
      "F:2: trackers[].url: expected an http" },
    { "trackers:\n  - { url: \"http://a/c\", token: a, token_file: b }\n",
      "expected token or token_file, given both\n" },
    { "trackers:\n  - { url: \"http://a/c\", certificate: a }\n",
      "expected certificate and key, given one of them\n" },
    { "trackers:\n  - { url: \"http://a/c\", token_file: /nonexistent }\n",
      "F:2: trackers[].token_file: /nonexistent: No such file" },
    { "trackers:\n  - { url: \"http://a/c\", token: \"sec\\nret\" }\n",
      "F:2: trackers[].token: expected text, given `(not shown)`\n" },
    { BASE "[ a ]: b\n", "expected a key, given a list or mapping\n" },
    { BASE "locality: \"a b\"\n", "F:6: locality: expected labels" },
    { BASE "bind_address: eth0\n",
      "F:6: bind_address: expected a numeric address, given `eth0`\n" },
};

static void
check_fault(size_t i)
{
    struct config *c;
    char *messages;

    int err = load(faults[i].text, &c, &messages);
    if (err != SHOAL_EINVAL || strstr(messages, faults[i].message) == NULL) {
        fail_msg("case %zu: %d; wanted\n%s\ngiven\n%s", i, err,
                 faults[i].message, messages);
    }
    free(messages);
}

static void
test_faults(void **state)
{
    (void) state;
    for (size_t i = 0; i < sizeof(faults) / sizeof(faults[0]); i++) {
        check_fault(i);
    }
}

/* All faults are told, not the first one alone. */
static void
test_all_faults(void **state)
{
    struct config *c;
    char *messages;

    (void) state;
    assert_int_equal(load(BASE "a: 1\nb: 2\nlisten: x\n", &c, &messages),
                     SHOAL_EINVAL);
    assert_non_null(strstr(messages, "F:6: a: "));
    assert_non_null(strstr(messages, "F:7: b: "));
    assert_non_null(strstr(messages, "F:8: listen: "));
    free(messages);
}

static void
test_no_file(void **state)
{
    char *messages;
    size_t len;
    struct config *c;
    FILE *errors = open_memstream(&messages, &len);

    (void) state;
    assert_int_equal(config_load("/nonexistent/x.yaml", errors, &c),
                     SHOAL_EIO);
    fclose(errors);
    assert_string_equal(messages,
                        "/nonexistent/x.yaml: No such file or directory\n");
    free(messages);
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(test_defaults), cmocka_unit_test(test_everything),
    cmocka_unit_test(test_faults),   cmocka_unit_test(test_all_faults),
    cmocka_unit_test(test_no_file),
};

UNIT_MAIN(tests)
