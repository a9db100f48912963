/* tls.h - the block server's certificate: read from files, changed while
 * connections are served. The only file that knows GnuTLS. */
#ifndef TLS_H
#define TLS_H

#include <stdbool.h>
#include <stddef.h>

struct tls;
struct keypair;

/** One connection's; its owner keeps it, zeroed at first. */
struct tls_conn {
    struct tls *tls;
    struct keypair *keypair; /* that it was shown; held until tls_end() */
    bool ready;              /* the handshake is over */
};

/**
 * tls_check(certificate, key, why, cap):
 * Can these files be used: PEM, the certificate first, then those that signed
 * it, and the key of the first?
 *
 * Errors:  SHOAL_EIO (cannot be read), SHOAL_EINVAL, SHOAL_ENOMEM; the words,
 *          with the file's name, go to ${why}.
 */
int tls_check(const char *certificate, const char *key, char *why, size_t cap);

/** tls_create(certificate, key, out, why, cap): as tls_check(). */
int tls_create(const char *certificate, const char *key, struct tls **out,
               char *why, size_t cap);

/** tls_reload(t, certificate, key, why, cap): for handshakes from now on.
 *  Errors: as tls_check(); what is in use stays. */
int tls_reload(struct tls *t, const char *certificate, const char *key,
               char *why, size_t cap);

/** tls_begin(t, c, session): ${session}, of GnuTLS, is new; ${c} NULL: it is to
 *  fail. tls_end(c): it is gone. */
void tls_begin(struct tls *t, struct tls_conn *c, void *session);
void tls_end(struct tls_conn *c);

/** tls_retrieve(): for MHD_OPTION_HTTPS_CERT_CALLBACK. */
void *tls_retrieve(void);

/** tls_free(t): no connection is left. NULL is a no-op. */
void tls_free(struct tls *t);

#endif
