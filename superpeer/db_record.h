/* db_record.h - how a set's record is stored. */
#ifndef DB_RECORD_H
#define DB_RECORD_H

#include <stdint.h>

#include "digest.h"

enum stored_flag {
    STORED_COPY = 1,      /* not every byte came from CDN nodes */
    STORED_PROBATION = 2, /* not yet read from two addresses */
    STORED_PLAIN = 4      /* CDN nodes gave some of it by http */
};

enum {
    STORED_CHECK = 8 /* bytes of a hash over id and record, at its end; one
                        of an older version has none */
};

/* A record, in the machine's byte order; then url, provider and version,
 * each with a NUL. */
struct stored {
    uint64_t size;
    uint64_t last_use_us;
    uint32_t state;
    uint32_t flags; /* enum stored_flag */
    uint8_t root[DIGEST_LEN];
};

/** db_record_check(id, begin, end, out): STORED_CHECK bytes over ${id} and
 *  what lies from ${begin} to ${end}. */
void db_record_check(const uint8_t *id, const char *begin, const char *end,
                     char *out);

#endif
