#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include <openssl/evp.h>

#include "load.h"

/*
 * Ranges of one file: the header that asks for the k-th of them, the check of
 * an answer's, and one SHA-256 over all bodies.
 */

uint64_t
range_count(const struct load *l)
{
    return (l->size + l->range - 1) / l->range;
}

/* The last range ends with the file, so a request beyond it is no mistake. */
bool
range_header(const struct load *l, char *out, size_t room)
{
    int n = snprintf(out, room,
                     "Range: bytes={k*%" PRIu64 "}-{k*%" PRIu64 "+%" PRIu64
                     "}\r\n",
                     l->range, l->range, l->range - 1);

    return n > 0 && (size_t) n < room;
}

static uint64_t
last_of(const struct load *l, uint64_t k)
{
    uint64_t last = (k + 1) * l->range - 1;

    return last < l->size ? last : l->size - 1;
}

bool
range_right(const struct load *l, uint64_t k, const struct answer *a)
{
    uint64_t first = k * l->range, last = last_of(l, k);
    char want[96];
    const char *line;

    snprintf(want, sizeof(want),
             "\nContent-Range: bytes %" PRIu64 "-%" PRIu64 "/%" PRIu64 "\r",
             first, last, l->size);
    line = strcasestr(a->head, want);
    return line != NULL && a->status == 206
           && (uint64_t) a->body == last - first + 1 && a->got == a->body;
}

struct range_sum {
    EVP_MD_CTX *ctx;
};

struct range_sum *
range_sum_new(void)
{
    struct range_sum *s = calloc(1, sizeof(*s));

    if (s == NULL)
        return NULL;
    s->ctx = EVP_MD_CTX_new();
    if (s->ctx == NULL || EVP_DigestInit_ex(s->ctx, EVP_sha256(), NULL) != 1) {
        range_sum_free(s);
        return NULL;
    }
    return s;
}

void
range_sum_add(struct range_sum *s, const void *data, size_t len)
{
    if (s != NULL)
        (void) EVP_DigestUpdate(s->ctx, data, len);
}

void
range_sum_print(struct range_sum *s, FILE *out)
{
    unsigned char sum[EVP_MAX_MD_SIZE];
    unsigned len = 0;

    if (s == NULL || EVP_DigestFinal_ex(s->ctx, sum, &len) != 1)
        return;
    fputs(",\"sha256\":\"", out);
    for (unsigned i = 0; i < len; i++)
        fprintf(out, "%02x", sum[i]);
    fputs("\"", out);
}

void
range_sum_free(struct range_sum *s)
{
    if (s == NULL)
        return;
    EVP_MD_CTX_free(s->ctx);
    free(s);
}
