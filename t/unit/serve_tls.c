/* The block server over TLS: the certificate and its change; and that limits,
 * deadlines and rates hold there too. */
#include "blockserver.h"

#include <gnutls/gnutls.h>
#include <gnutls/x509.h>

#define REQUEST "GET /blocks/" ID " HTTP/1.1\r\nHost: x\r\n"

/* ---- certificates ---- */

static char dir[] = "/tmp/shoal-tls-XXXXXX";

static const char *
path(const char *name)
{
    static char paths[4][128];
    static unsigned n;
    char *out = paths[n++ % 4];

    snprintf(out, sizeof(paths[0]), "%s/%s", dir, name);
    return out;
}

static void
write_file(const char *name, const void *data, size_t len)
{
    FILE *f = fopen(path(name), "we");

    assert_non_null(f);
    assert_int_equal(fwrite(data, 1, len, f), len);
    assert_int_equal(fclose(f), 0);
}

/* NAME.pem, NAME.key: a self-signed certificate of that name. */
static void
make_certificate(const char *name)
{
    gnutls_x509_privkey_t key;
    gnutls_x509_crt_t crt;
    gnutls_datum_t out;
    char file[32];

    assert_int_equal(gnutls_x509_privkey_init(&key), 0);
    assert_int_equal(gnutls_x509_privkey_generate(
                         key, GNUTLS_PK_ECDSA,
                         GNUTLS_CURVE_TO_BITS(GNUTLS_ECC_CURVE_SECP256R1), 0),
                     0);
    assert_int_equal(gnutls_x509_crt_init(&crt), 0);
    gnutls_x509_crt_set_version(crt, 3);
    gnutls_x509_crt_set_serial(crt, name, 1);
    gnutls_x509_crt_set_activation_time(crt, time(NULL) - 60);
    gnutls_x509_crt_set_expiration_time(crt, time(NULL) + 3600);
    gnutls_x509_crt_set_dn_by_oid(crt, GNUTLS_OID_X520_COMMON_NAME, 0, name,
                                  (unsigned) strlen(name));
    gnutls_x509_crt_set_key(crt, key);
    assert_int_equal(
        gnutls_x509_crt_sign2(crt, crt, key, GNUTLS_DIG_SHA256, 0), 0);
    assert_int_equal(gnutls_x509_crt_export2(crt, GNUTLS_X509_FMT_PEM, &out),
                     0);
    snprintf(file, sizeof(file), "%s.pem", name);
    write_file(file, out.data, out.size);
    gnutls_free(out.data);
    assert_int_equal(
        gnutls_x509_privkey_export2(key, GNUTLS_X509_FMT_PEM, &out), 0);
    snprintf(file, sizeof(file), "%s.key", name);
    write_file(file, out.data, out.size);
    gnutls_free(out.data);
    gnutls_x509_crt_deinit(crt);
    gnutls_x509_privkey_deinit(key);
}

static int
make_all(void **state)
{
    (void) state;
    assert_non_null(mkdtemp(dir));
    make_certificate("a");
    make_certificate("b");
    write_file("rubbish", "rubbish\n", 8);
    return 0;
}

static int
remove_all(void **state)
{
    static const char *const names[] = { "a.pem", "a.key", "b.pem", "b.key",
                                         "rubbish" };

    (void) state;
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        unlink(path(names[i]));
    }
    return rmdir(dir);
}

/* ---- a client ---- */

struct client {
    int fd;
    gnutls_session_t session;
    gnutls_certificate_credentials_t cred;
};

/* The name in the certificate that it was shown. */
static void
peer_name(const struct client *c, char *out, size_t cap)
{
    unsigned n = 0;
    const gnutls_datum_t *der = gnutls_certificate_get_peers(c->session, &n);
    gnutls_x509_crt_t crt;

    assert_true(n == 1);
    assert_int_equal(gnutls_x509_crt_init(&crt), 0);
    assert_int_equal(gnutls_x509_crt_import(crt, der, GNUTLS_X509_FMT_DER), 0);
    assert_int_equal(gnutls_x509_crt_get_dn_by_oid(
                         crt, GNUTLS_OID_X520_COMMON_NAME, 0, 0, out, &cap),
                     0);
    gnutls_x509_crt_deinit(crt);
}

/* ${rcvbuf}: bytes that our system keeps for us; 0: as it likes. */
static void
client_open(struct client *c, uint16_t port, int rcvbuf)
{
    int rc;

    c->fd = dial(port);
    if (rcvbuf != 0) {
        setsockopt(c->fd, SOL_SOCKET, SO_RCVBUF, &rcvbuf, sizeof(rcvbuf));
    }
    assert_int_equal(gnutls_certificate_allocate_credentials(&c->cred), 0);
    assert_int_equal(gnutls_init(&c->session, GNUTLS_CLIENT), 0);
    gnutls_set_default_priority(c->session);
    gnutls_credentials_set(c->session, GNUTLS_CRD_CERTIFICATE, c->cred);
    gnutls_transport_set_int(c->session, c->fd);
    do {
        rc = gnutls_handshake(c->session);
    } while (rc == GNUTLS_E_AGAIN || rc == GNUTLS_E_INTERRUPTED);
    assert_int_equal(rc, 0);
}

static void
client_close(struct client *c)
{
    gnutls_deinit(c->session);
    gnutls_certificate_free_credentials(c->cred);
    close(c->fd);
}

static void
client_send(struct client *c, const char *text)
{
    assert_int_equal(gnutls_record_send(c->session, text, strlen(text)),
                     (long) strlen(text));
}

/* Up to ${cap} bytes; 0: the end. */
static size_t
client_recv(struct client *c, void *buf, size_t cap)
{
    ssize_t n;

    do {
        n = gnutls_record_recv(c->session, buf, cap);
    } while (n == GNUTLS_E_AGAIN || n == GNUTLS_E_INTERRUPTED);
    return n > 0 ? (size_t) n : 0;
}

/* The status of one small request over a connection that is kept. */
static int
client_status(struct client *c)
{
    char buf[1024] = "";
    size_t len = 0, n;

    client_send(c, REQUEST "Range: bytes=0-0\r\n\r\n");
    while ((n = client_recv(c, buf + len, sizeof(buf) - 1 - len)) > 0) {
        const char *end = strstr(buf, "\r\n\r\n");

        len += n;
        if (end != NULL && len > (size_t) (end - buf) + 4) {
            break;
        }
    }
    return len > 9 ? (int) strtol(buf + 9, NULL, 10) : 0;
}

static struct serve *
start_tls(struct memory *m, uint64_t size, struct serve_options *o)
{
    o->certificate = path("a.pem");
    o->key = path("a.key");
    return start_as(m, size, o);
}

static void
wait_for_end(const struct serve *s)
{
    double end = now() + 20;

    while (stats_of(s).connections > 0) {
        assert_true(now() < end);
        usleep(1000);
    }
}

/* ---- tests ---- */

static void
serves(void **state)
{
    struct serve_options o = { 0 };
    struct memory m;
    struct serve *s = start_tls(&m, SIZE, &o);
    uint8_t *buf = malloc(SIZE + 4096);
    struct client c;
    size_t len = 0, n;

    (void) state;
    assert_non_null(buf);
    client_open(&c, serve_port(s), 0);
    client_send(&c, REQUEST "Connection: close\r\n\r\n");
    while ((n = client_recv(&c, buf + len, SIZE + 4096 - len)) > 0) {
        len += n;
    }
    assert_memory_equal(buf, "HTTP/1.1 200 ", 13);
    assert_true(len > SIZE);
    for (size_t i = 0; i < SIZE; i++) {
        assert_int_equal(buf[len - SIZE + i], byte_at(i));
    }
    client_close(&c);
    free(buf);
    wait_for_end(s);
    assert_int_equal(stats_of(s).handshakes_failed, 0);
    serve_stop(s);
    mem_fini(&m);
}

static void
check_name(const struct serve *s, const char *want)
{
    struct client c;
    char name[64];

    client_open(&c, serve_port(s), 0);
    peer_name(&c, name, sizeof(name));
    assert_string_equal(name, want);
    assert_int_equal(client_status(&c), 206);
    client_close(&c);
}

static void
changes_the_certificate(void **state)
{
    struct serve_options o = { 0 };
    struct memory m;
    struct serve *s = start_tls(&m, SIZE, &o);
    struct client old;
    char why[300];

    (void) state;
    client_open(&old, serve_port(s), 0);
    assert_int_equal(client_status(&old), 206);
    o.certificate = path("b.pem");
    o.key = path("b.key");
    assert_int_equal(serve_reload(s, &o, why, sizeof(why)), 0);
    check_name(s, "b");
    assert_int_equal(client_status(&old), 206); /* as if nothing had been */
    o.key = path("a.key");
    assert_int_equal(serve_reload(s, &o, why, sizeof(why)), SHOAL_EINVAL);
    assert_non_null(strstr(why, "a.key: not the key of the certificate in"));
    o.certificate = path("rubbish");
    assert_int_equal(serve_reload(s, &o, why, sizeof(why)), SHOAL_EINVAL);
    assert_non_null(strstr(why, "/rubbish: "));
    o.certificate = path("nothing");
    assert_int_equal(serve_reload(s, &o, why, sizeof(why)), SHOAL_EIO);
    assert_non_null(strstr(why, "/nothing: "));
    o.certificate = o.key = NULL;
    assert_int_equal(serve_reload(s, &o, why, sizeof(why)), SHOAL_EINVAL);
    check_name(s, "b");
    client_close(&old);
    serve_stop(s);
    mem_fini(&m);
}

/* One that speaks no TLS, one that says nothing. */
static void
ends_bad_handshakes(void **state)
{
    struct serve_options o = { .header_ms = 300 };
    struct memory m;
    struct serve *s = start_tls(&m, SIZE, &o);
    int plain = dial(serve_port(s)), mute = dial(serve_port(s));
    char buf[256];

    (void) state;
    send(plain, REQUEST "\r\n", strlen(REQUEST) + 2, 0);
    while (recv(plain, buf, sizeof(buf), 0) > 0) {
    }
    assert_int_equal(recv(mute, buf, sizeof(buf), 0), 0);
    wait_for_end(s);
    assert_int_equal(stats_of(s).handshakes_failed, 2);
    assert_int_equal(stats_of(s).ended[SERVE_HEADER], 1);
    close(plain);
    close(mute);
    serve_stop(s);
    mem_fini(&m);
}

static void
ends_who_stalls(void **state)
{
    struct serve_options o = { .idle_ms = 600,
                               .header_ms = 300,
                               .min_rate = 100000,
                               .min_window_ms = 300 };
    struct memory m;
    struct serve *s = start_tls(&m, RATE_SIZE, &o);
    struct client c;
    char buf[16];

    (void) state;
    client_open(&c, serve_port(s), 0); /* no request */
    assert_int_equal(client_recv(&c, buf, sizeof(buf)), 0);
    client_close(&c);
    wait_for_end(s);
    assert_int_equal(stats_of(s).ended[SERVE_HEADER], 1);
    client_open(&c, serve_port(s), 0); /* one, and then nothing */
    assert_int_equal(client_status(&c), 206);
    assert_int_equal(client_recv(&c, buf, sizeof(buf)), 0);
    client_close(&c);
    wait_for_end(s);
    assert_int_equal(stats_of(s).ended[SERVE_IDLE], 1);
    client_open(&c, serve_port(s), 16384); /* takes nothing of the answer */
    client_send(&c, REQUEST "\r\n");
    wait_for_end(s);
    assert_int_equal(stats_of(s).ended[SERVE_MIN_RATE], 1);
    client_close(&c);
    serve_stop(s);
    mem_fini(&m);
}

static void
keeps_the_rate(void **state)
{
    struct serve_options o = { .max_rate = 1250000,
                               .min_rate = 10000000, /* ours does not count */
                               .min_window_ms = 300 };
    struct memory m;
    struct serve *s = start_tls(&m, RATE_SIZE, &o);
    struct client c;
    char buf[16384];
    size_t sum = 0, n;

    (void) state;
    client_open(&c, serve_port(s), 0);
    client_send(&c, REQUEST "\r\n");
    double begun = now();
    while (now() - begun < 2 && (n = client_recv(&c, buf, sizeof(buf))) > 0) {
        sum += n;
    }
    double share = (double) sum / (1250000 * (now() - begun));
    print_message("# %.3f of the rate\n", share);
    assert_true(share > 0.9 && share < 1.08);
    client_close(&c);
    serve_stop(s);
    mem_fini(&m);
}

static void
says_that_it_is_full(void **state)
{
    struct serve_options o = { .max_connections = 1 };
    struct memory m;
    struct serve *s = start_tls(&m, SIZE, &o);
    struct client c, other;

    (void) state;
    client_open(&c, serve_port(s), 0);
    client_open(&other, serve_port(s), 0);
    assert_int_equal(client_status(&other), 503);
    assert_int_equal(client_status(&c), 206);
    client_close(&c);
    client_close(&other);
    serve_stop(s);
    mem_fini(&m);
}

static void *
add_later(void *arg)
{
    struct memory *m = arg;

    usleep(200000);
    pthread_mutex_lock(&m->lock);
    havelog_have(&m->log, 7);
    pthread_mutex_unlock(&m->lock);
    return NULL;
}

static void
tells_news(void **state)
{
    struct serve_options o = { 0 };
    struct memory m;
    struct serve *s = start_tls(&m, SIZE, &o);
    char request[256], buf[2048] = "";
    struct client c;
    pthread_t thread;

    (void) state;
    client_open(&c, serve_port(s), 0);
    client_send(&c, "GET /blocks/" ID "/have HTTP/1.1\r\nHost: x\r\n\r\n");
    assert_true(client_recv(&c, buf, sizeof(buf) - 1) > 0);
    const char *epoch = strstr(buf, "Shoal-Epoch: ");
    assert_non_null(epoch);
    snprintf(request, sizeof(request),
             "GET /blocks/" ID "/have?epoch=%.16s&since=1000&wait_ms=20000 "
             "HTTP/1.1\r\nHost: x\r\n\r\n",
             epoch + 13);
    assert_int_equal(pthread_create(&thread, NULL, add_later, &m), 0);
    client_send(&c, request);
    do {
        memset(buf, 0, sizeof(buf));
        assert_true(client_recv(&c, buf, sizeof(buf) - 1) > 0);
    } while (strstr(buf, "Shoal-Cursor: 1001\r\n") == NULL);
    pthread_join(thread, NULL);
    client_close(&c);
    serve_stop(s);
    mem_fini(&m);
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(serves),
    cmocka_unit_test(changes_the_certificate),
    cmocka_unit_test(ends_bad_handshakes),
    cmocka_unit_test(ends_who_stalls),
    cmocka_unit_test(keeps_the_rate),
    cmocka_unit_test(says_that_it_is_full),
    cmocka_unit_test(tells_news),
};

int
main(void)
{
    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests_name(__FILE__, tests, make_all, remove_all);
}
