/* pieces.c - hashes of a file's pieces, as a Metalink tells them: which parts
 * are wrong when the whole is, or whether it is right where nothing else
 * tells. */
#include <stdlib.h>
#include <string.h>

#include "explain_transfer.h"
#include "fetch.h"
#include "pieces.h"
#include "shoal.h"
#include "transfer_internal.h"
#include "trust.h"

enum {
    STRONG = 20, /* bytes; SHA-1 at least */
    TRIES = 5,   /* at finding them all right */
    READ_BYTES = 1 << 20
};

void
pieces_set(struct transfer *t, struct pieces *p)
{
    if (p->n == 0 || p->hash_len < STRONG || (t->ordered && t->released)) {
        return;
    }
    free(t->pieces.hashes);
    t->pieces = *p;
    memset(p, 0, sizeof(*p));
    trust_refresh(t);
}

/* 0: right; SHOAL_EVERIFY: wrong; else reading failed. */
static int
check(const struct transfer *t, size_t i, uint8_t *buf)
{
    const struct pieces *p = &t->pieces;
    uint64_t at = i * p->length, end = at + p->length;
    struct checksum sum = { .len = p->hash_len };
    int err = 0;

    memcpy(sum.algorithm, p->algorithm, sizeof(sum.algorithm));
    memcpy(sum.value, p->hashes + i * p->hash_len, p->hash_len);
    struct checksum_state *st = checksum_start(&sum);
    if (st == NULL) {
        return SHOAL_ENOMEM;
    }
    end = end < t->map.size ? end : t->map.size;
    while (err == 0 && at < end) {
        size_t n = end - at < READ_BYTES ? (size_t) (end - at) : READ_BYTES;

        err = t->store.ops->read(t->store.ctx, at, buf, n);
        if (err == 0) {
            checksum_update(st, buf, n);
        }
        at += n;
    }
    bool right = checksum_finish(st, &sum);
    return err != 0 ? err : right ? 0 : SHOAL_EVERIFY;
}

/* Its blocks are fetched again. Who gave all of it, or of those whose version
 * is not the standard's, has given wrong bytes. */
static void
forget(struct transfer *t, size_t i)
{
    uint64_t at = i * t->pieces.length, end = at + t->pieces.length;
    uint32_t first = (uint32_t) (at / t->map.block_size);
    uint32_t last;
    struct source *culprit = NULL;
    bool several = false;

    end = end < t->map.size ? end : t->map.size;
    last = (uint32_t) ((end - 1) / t->map.block_size);
    for (uint32_t b = first; b <= last; b++) {
        struct source *s =
            t->from[b] != NO_SOURCE ? t->sources[t->from[b]] : NULL;

        if (s == NULL
            || (culprit != NULL && s != culprit
                && trust_origin(s) == trust_origin(culprit)))
        {
            several = true;
        } else if (culprit == NULL || trust_origin(culprit)) {
            culprit = s;
        }
    }
    for (uint32_t b = first; b <= last; b++) {
        fetch_forget(t, b);
    }
    if (culprit != NULL && !several) {
        trust_strike(culprit);
    }
}

int
pieces_check(struct transfer *t)
{
    uint8_t *buf = malloc(READ_BYTES);
    size_t wrong = 0;
    int err = buf != NULL ? 0 : SHOAL_ENOMEM;

    for (size_t i = 0; err == 0 && i < t->pieces.n; i++) {
        if (t->o.stop != NULL && *t->o.stop) {
            err = SHOAL_ESTOPPED;
            break;
        }
        err = check(t, i, buf);
        if (err == SHOAL_EVERIFY) {
            wrong++;
            forget(t, i);
            err = 0;
        }
    }
    free(buf);
    if (err != 0 || wrong == 0) {
        return err;
    }
    explain(t, NULL, "%zu pieces are wrong and are fetched again", wrong);
    return ++t->piece_tries < TRIES ? SHOAL_ENOTFOUND : SHOAL_EVERIFY;
}
