#include "ticket.h"

#include <errno.h>
#include <inttypes.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <pthread.h>

#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/params.h>

#include "digest.h"
#include "shoal.h"

enum {
    LINE_MAX_LEN = 1024, /* bytes of a line with its comment */
    EXPIRES_DIGITS = 19  /* as many fit 64 bits for sure */
};

struct ticket_keys {
    atomic_uint refs;
    unsigned skew_s;
    size_t n;
    EVP_MAC_CTX *macs[TICKET_KEYS_MAX]; /* keyed; used by copies alone */
};

struct ticket_gate {
    pthread_rwlock_t lock;
    struct ticket_keys *keys; /* NULL: open */
};

struct ticket_keys *
ticket_keys_create(void)
{
    struct ticket_keys *k = calloc(1, sizeof(*k));

    if (k != NULL) {
        atomic_init(&k->refs, 1);
    }
    return k;
}

struct ticket_keys *
ticket_keys_ref(struct ticket_keys *k)
{
    if (k != NULL) {
        atomic_fetch_add(&k->refs, 1);
    }
    return k;
}

void
ticket_keys_free(struct ticket_keys *k)
{
    if (k == NULL || atomic_fetch_sub(&k->refs, 1) != 1) {
        return;
    }
    for (size_t i = 0; i < k->n; i++) {
        EVP_MAC_CTX_free(k->macs[i]);
    }
    free(k);
}

void
ticket_keys_allow(struct ticket_keys *k, unsigned skew_s)
{
    k->skew_s = skew_s;
}

size_t
ticket_keys_count(const struct ticket_keys *k)
{
    return k->n;
}

/* ---- keys ---- */

static EVP_MAC_CTX *
mac_create(const uint8_t *key, size_t len)
{
    char sha256[] = "SHA256";
    OSSL_PARAM params[] = {
        OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST, sha256, 0),
        OSSL_PARAM_construct_end(),
    };

    EVP_MAC *hmac = EVP_MAC_fetch(NULL, "HMAC", NULL);
    EVP_MAC_CTX *mac = hmac != NULL ? EVP_MAC_CTX_new(hmac) : NULL;
    EVP_MAC_free(hmac); /* the context holds it */
    if (mac != NULL && EVP_MAC_init(mac, key, len, params) != 1) {
        EVP_MAC_CTX_free(mac);
        mac = NULL;
    }
    return mac;
}

/* Takes the blanks and the comment off; returns how long the rest is. */
static size_t
trim(char **line)
{
    char *s = *line + strspn(*line, " \t");
    size_t len = strcspn(s, "#\r\n");

    while (len > 0 && (s[len - 1] == ' ' || s[len - 1] == '\t')) {
        len--;
    }
    s[len] = '\0';
    *line = s;
    return len;
}

static int
add_line(struct ticket_keys *k, char *line, const char **what)
{
    uint8_t key[TICKET_KEY_MAX];
    size_t len = trim(&line);

    if (len == 0) {
        return 0;
    }
    if (len < 2 * TICKET_KEY_MIN || len > 2 * TICKET_KEY_MAX
        || hex_decode(line, key, len / 2) != 0)
    {
        *what = "expected a key of 32 to 128 hex digits";
        return SHOAL_EINVAL;
    }
    if (k->n == TICKET_KEYS_MAX) {
        *what = "expected at most 16 keys";
        return SHOAL_EINVAL;
    }
    k->macs[k->n] = mac_create(key, len / 2);
    OPENSSL_cleanse(key, sizeof(key));
    if (k->macs[k->n] == NULL) {
        *what = "out of memory";
        return SHOAL_ENOMEM;
    }
    k->n++;
    return 0;
}

static int
read_lines(struct ticket_keys *k, FILE *f, size_t *number, const char **what)
{
    char line[LINE_MAX_LEN];
    int err = 0;

    while (err == 0 && fgets(line, sizeof(line), f) != NULL) {
        ++*number;
        if (strchr(line, '\n') == NULL && !feof(f)) {
            *what = "expected a shorter line";
            err = SHOAL_EINVAL;
        } else {
            err = add_line(k, line, what);
        }
    }
    OPENSSL_cleanse(line, sizeof(line));
    return err;
}

int
ticket_keys_read(struct ticket_keys *k, const char *path, char *why,
                 size_t cap)
{
    const char *what = NULL;
    size_t number = 0, before = k->n;

    FILE *f = fopen(path, "re");
    if (f == NULL) {
        snprintf(why, cap, "%s: %s", path, strerror(errno));
        return SHOAL_EIO;
    }
    int err = read_lines(k, f, &number, &what);
    if (err != 0) {
        snprintf(why, cap, "%s:%zu: %s", path, number, what);
    } else if (ferror(f)) {
        snprintf(why, cap, "%s: cannot be read", path);
        err = SHOAL_EIO;
    } else if (k->n == before) {
        snprintf(why, cap, "%s: no key in it", path);
        err = SHOAL_EINVAL;
    }
    fclose(f);
    return err;
}

/* ---- tickets ---- */

/* The HMAC over what a ticket stands for, in hex. */
static int
sign(EVP_MAC_CTX *keyed, const uint8_t id[RESOURCE_ID_LEN], uint64_t expires,
     char hex[2 * TICKET_MAC_LEN + 1])
{
    char hex_id[RESOURCE_ID_HEX], text[96];
    uint8_t full[DIGEST_LEN];
    size_t len = 0;

    resource_id_hex(id, hex_id);
    int n = snprintf(text, sizeof(text), "shoal-ticket1\n%s\n%" PRIu64 "\n",
                     hex_id, expires);
    EVP_MAC_CTX *mac = EVP_MAC_CTX_dup(keyed);
    bool ok = mac != NULL
              && EVP_MAC_update(mac, (const uint8_t *) text, (size_t) n) == 1
              && EVP_MAC_final(mac, full, &len, sizeof(full)) == 1
              && len == sizeof(full);
    EVP_MAC_CTX_free(mac);
    if (!ok) {
        return SHOAL_ENOMEM;
    }
    hex_encode(full, TICKET_MAC_LEN, hex);
    return 0;
}

int
ticket_make(const struct ticket_keys *k, const uint8_t id[RESOURCE_ID_LEN],
            uint64_t expires, char text[TICKET_TEXT_MAX])
{
    char hex[2 * TICKET_MAC_LEN + 1];

    if (k->n == 0 || expires > INT64_MAX) {
        return SHOAL_EINVAL;
    }
    int err = sign(k->macs[0], id, expires, hex);
    if (err == 0) {
        snprintf(text, TICKET_TEXT_MAX, "%" PRIu64 ".%s", expires, hex);
    }
    return err;
}

/* EXPIRES.HMAC in its only form. */
static bool
parse(const char *text, uint64_t *expires, const char **hex)
{
    size_t digits = strspn(text, "0123456789");

    if (digits == 0 || digits > EXPIRES_DIGITS || text[digits] != '.'
        || (text[0] == '0' && digits > 1))
    {
        return false;
    }
    *expires = strtoull(text, NULL, 10);
    *hex = text + digits + 1;
    return *expires <= INT64_MAX && strlen(*hex) == 2 * TICKET_MAC_LEN
           && strspn(*hex, "0123456789abcdef") == 2 * TICKET_MAC_LEN;
}

const char *
ticket_check(const struct ticket_keys *k, const uint8_t id[RESOURCE_ID_LEN],
             const char *text, uint64_t now)
{
    char right[2 * TICKET_MAC_LEN + 1];
    const char *hex;
    uint64_t expires;
    bool good = false;

    if (text == NULL) {
        return "no ticket\n";
    }
    if (!parse(text, &expires, &hex)) {
        return "malformed ticket\n";
    }
    for (size_t i = 0; i < k->n && !good; i++) {
        good = sign(k->macs[i], id, expires, right) == 0
               && CRYPTO_memcmp(hex, right, 2 * TICKET_MAC_LEN) == 0;
    }
    if (!good) {
        return "ticket of another id or an unknown key\n";
    }
    return now < expires + k->skew_s ? NULL : "expired ticket\n";
}

/* ---- the gate ---- */

struct ticket_gate *
ticket_gate_create(void)
{
    struct ticket_gate *g = calloc(1, sizeof(*g));

    if (g != NULL) {
        pthread_rwlock_init(&g->lock, NULL);
    }
    return g;
}

void
ticket_gate_free(struct ticket_gate *g)
{
    if (g != NULL) {
        ticket_keys_free(g->keys);
        pthread_rwlock_destroy(&g->lock);
        free(g);
    }
}

void
ticket_gate_set(struct ticket_gate *g, struct ticket_keys *keys)
{
    bool open = keys == NULL || keys->n == 0;
    struct ticket_keys *next = open ? NULL : ticket_keys_ref(keys);

    pthread_rwlock_wrlock(&g->lock);
    struct ticket_keys *old = g->keys;
    g->keys = next;
    pthread_rwlock_unlock(&g->lock);
    ticket_keys_free(old);
}

const char *
ticket_gate_check(struct ticket_gate *g, const uint8_t id[RESOURCE_ID_LEN],
                  const char *text)
{
    pthread_rwlock_rdlock(&g->lock);
    const char *why = g->keys != NULL ? ticket_check(g->keys, id, text,
                                                     (uint64_t) time(NULL))
                                      : NULL;
    pthread_rwlock_unlock(&g->lock);
    return why;
}
