/* fuzz.h - the parsers of library, client and super peer under libFuzzer: one
 * program, the target is the name it is called by (t/fuzz/lib.sh). */
#ifndef FUZZ_H
#define FUZZ_H

#include <stddef.h>
#include <stdint.h>

/** One input for the target; must neither crash nor keep memory. */
typedef void fuzz_target(const uint8_t *data, size_t len);

/** fuzz_text(data, len): a copy with a NUL behind it; free it. */
char *fuzz_text(const uint8_t *data, size_t len);

/** fuzz_file(data, len, path, cap): a file with that content, for what reads
 *  files alone: its descriptor, to be closed, and its ${path}. */
int fuzz_file(const uint8_t *data, size_t len, char *path, size_t cap);

/** fuzz_check(ok, what): ends the program with ${what} unless ${ok}. */
void fuzz_check(int ok, const char *what);

/* answers.c: what servers, trackers and peers say. */
fuzz_target fuzz_header, fuzz_tracker, fuzz_have, fuzz_events, fuzz_values,
    fuzz_url, fuzz_range;

/* files.c: what is read from disk, or given by the user. */
fuzz_target fuzz_control, fuzz_layer, fuzz_metalink, fuzz_sums, fuzz_yaml,
    fuzz_checksum, fuzz_ticket;

/* client.c: what shoal itself reads. */
fuzz_target fuzz_rcfile, fuzz_input;

/* superpeer.c: what the super peer hears of trackers and of its operator, and
 * finds in its cache. */
fuzz_target fuzz_prepare, fuzz_admin, fuzz_cache, fuzz_record;

/* request.c: what somebody sends to the block server. */
fuzz_target fuzz_request;

#endif
