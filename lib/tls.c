#include "tls.h"

#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <gnutls/abstract.h>
#include <gnutls/gnutls.h>

#include "shoal.h"

enum {
    CHAIN_MAX = 16 /* certificates */
};

struct keypair {
    unsigned refs; /* under the lock of its tls */
    gnutls_pcert_st chain[CHAIN_MAX];
    unsigned chain_len;
    gnutls_privkey_t key;
};

struct tls {
    pthread_mutex_t lock;
    struct keypair *now;
};

/* ---- files ---- */

static void
keypair_free(struct keypair *k)
{
    for (unsigned i = 0; i < k->chain_len; i++) {
        gnutls_pcert_deinit(&k->chain[i]);
    }
    if (k->key != NULL) {
        gnutls_privkey_deinit(k->key);
    }
    free(k);
}

static int
fail(int rc, const char *file, char *why, size_t cap)
{
    snprintf(why, cap, "%s: %s", file, gnutls_strerror(rc));
    return rc == GNUTLS_E_MEMORY_ERROR ? SHOAL_ENOMEM
           : rc == GNUTLS_E_FILE_ERROR ? SHOAL_EIO
                                       : SHOAL_EINVAL;
}

static int
read_chain(struct keypair *k, const char *file, char *why, size_t cap)
{
    gnutls_datum_t data;
    unsigned n = CHAIN_MAX;

    int rc = gnutls_load_file(file, &data);
    if (rc < 0) {
        return fail(rc, file, why, cap);
    }
    rc = gnutls_pcert_list_import_x509_raw(k->chain, &n, &data,
                                           GNUTLS_X509_FMT_PEM, 0);
    gnutls_free(data.data);
    if (rc < 0) {
        return fail(rc, file, why, cap);
    }
    k->chain_len = n;
    return 0;
}

static int
read_key(struct keypair *k, const char *file, char *why, size_t cap)
{
    gnutls_datum_t data;

    int rc = gnutls_load_file(file, &data);
    if (rc < 0) {
        return fail(rc, file, why, cap);
    }
    rc = gnutls_privkey_init(&k->key);
    if (rc == 0) {
        rc = gnutls_privkey_import_x509_raw(k->key, &data, GNUTLS_X509_FMT_PEM,
                                            NULL, 0);
    }
    memset(data.data, 0, data.size);
    gnutls_free(data.data);
    return rc < 0 ? fail(rc, file, why, cap) : 0;
}

/* Is it the key of the first certificate? */
static bool
keys_match(const struct keypair *k)
{
    unsigned char of_key[64], of_cert[64];
    size_t key_len = sizeof(of_key), cert_len = sizeof(of_cert);
    gnutls_pubkey_t public;

    if (gnutls_pubkey_init(&public) != 0) {
        return false;
    }
    bool same =
        gnutls_pubkey_import_privkey(public, k->key, 0, 0) == 0
        && gnutls_pubkey_get_key_id(public, GNUTLS_KEYID_USE_SHA256, of_key,
                                    &key_len)
               == 0
        && gnutls_pubkey_get_key_id(
               k->chain[0].pubkey, GNUTLS_KEYID_USE_SHA256, of_cert, &cert_len)
               == 0
        && key_len == cert_len && memcmp(of_key, of_cert, key_len) == 0;
    gnutls_pubkey_deinit(public);
    return same;
}

static int
keypair_load(const char *certificate, const char *key, struct keypair **out,
             char *why, size_t cap)
{
    struct keypair *k = calloc(1, sizeof(*k));

    if (k == NULL) {
        snprintf(why, cap, "out of memory");
        return SHOAL_ENOMEM;
    }
    k->refs = 1;
    int err = read_chain(k, certificate, why, cap);
    if (err == 0) {
        err = read_key(k, key, why, cap);
    }
    if (err == 0 && !keys_match(k)) {
        snprintf(why, cap, "%s: not the key of the certificate in %s", key,
                 certificate);
        err = SHOAL_EINVAL;
    }
    if (err != 0) {
        keypair_free(k);
        return err;
    }
    *out = k;
    return 0;
}

int
tls_check(const char *certificate, const char *key, char *why, size_t cap)
{
    struct keypair *k;

    int err = keypair_load(certificate, key, &k, why, cap);
    if (err == 0) {
        keypair_free(k);
    }
    return err;
}

/* ---- the server's ---- */

int
tls_create(const char *certificate, const char *key, struct tls **out,
           char *why, size_t cap)
{
    struct keypair *k;

    int err = keypair_load(certificate, key, &k, why, cap);
    if (err != 0) {
        return err;
    }
    struct tls *t = calloc(1, sizeof(*t));
    if (t == NULL) {
        keypair_free(k);
        snprintf(why, cap, "out of memory");
        return SHOAL_ENOMEM;
    }
    pthread_mutex_init(&t->lock, NULL);
    t->now = k;
    *out = t;
    return 0;
}

static void
keypair_unref(struct tls *t, struct keypair *k)
{
    pthread_mutex_lock(&t->lock);
    bool last = --k->refs == 0;
    pthread_mutex_unlock(&t->lock);
    if (last) {
        keypair_free(k);
    }
}

int
tls_reload(struct tls *t, const char *certificate, const char *key, char *why,
           size_t cap)
{
    struct keypair *k;

    int err = keypair_load(certificate, key, &k, why, cap);
    if (err != 0) {
        return err;
    }
    pthread_mutex_lock(&t->lock);
    struct keypair *old = t->now;
    t->now = k;
    pthread_mutex_unlock(&t->lock);
    keypair_unref(t, old);
    return 0;
}

void
tls_free(struct tls *t)
{
    if (t == NULL) {
        return;
    }
    keypair_unref(t, t->now);
    pthread_mutex_destroy(&t->lock);
    free(t);
}

/* ---- connections ---- */

/* The client's Finished is the last of a handshake, or the last but one. */
static int
on_finished(gnutls_session_t session, unsigned type, unsigned when,
            unsigned incoming, const gnutls_datum_t *message)
{
    struct tls_conn *c = gnutls_session_get_ptr(session);

    (void) type;
    (void) when;
    (void) message;
    if (incoming != 0) {
        c->ready = true;
    }
    return 0;
}

void
tls_begin(struct tls *t, struct tls_conn *c, void *session)
{
    gnutls_session_set_ptr(session, c);
    if (c != NULL) {
        c->tls = t;
        gnutls_handshake_set_hook_function(session, GNUTLS_HANDSHAKE_FINISHED,
                                           GNUTLS_HOOK_POST, on_finished);
    }
}

void
tls_end(struct tls_conn *c)
{
    if (c->keypair != NULL) {
        keypair_unref(c->tls, c->keypair);
        c->keypair = NULL;
    }
}

/* What is shown to a client has to stay as long as its connection. */
static int
/* NOLINTNEXTLINE(readability-function-size): GnuTLS' parameters */
retrieve(gnutls_session_t session, const gnutls_datum_t *authorities,
         int n_authorities, const gnutls_pk_algorithm_t *algorithms,
         int n_algorithms, gnutls_pcert_st **chain, unsigned *chain_len,
         gnutls_privkey_t *key)
{
    struct tls_conn *c = gnutls_session_get_ptr(session);

    (void) authorities;
    (void) n_authorities;
    (void) algorithms;
    (void) n_algorithms;
    if (c == NULL) {
        return -1;
    }
    if (c->keypair == NULL) {
        pthread_mutex_lock(&c->tls->lock);
        c->keypair = c->tls->now;
        c->keypair->refs++;
        pthread_mutex_unlock(&c->tls->lock);
    }
    *chain = c->keypair->chain;
    *chain_len = c->keypair->chain_len;
    *key = c->keypair->key;
    return 0;
}

void *
tls_retrieve(void)
{
    gnutls_certificate_retrieve_function2 *f = retrieve;

    return (void *) (uintptr_t) f;
}
