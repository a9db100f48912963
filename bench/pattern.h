#ifndef PATTERN_H
#define PATTERN_H

/*
 * Text with numbers in it that follow from one number, the request's k:
 *
 *     /f?n={k/50%1000}&port={k%50+10000}&info_hash={k%1000:id}
 *
 * A field is {VAR OP... :FORMAT}, without spaces. VAR is k, or r, a number
 * that looks random but is the same for each k. OP is one of + * / % with a
 * number, done from left to right on 64 bits. FORMAT is none (decimal), ip
 * (10.1.2.3 of the low 32 bits), ip6 (below 2001:db8::), hex (40 digits: an id
 * made of the number) or id (the same 20 bytes, percent-encoded). What is not
 * of this form, a lone { or } included, stands for itself.
 */

#include <stddef.h>
#include <stdint.h>

struct pattern;

/**
 * pattern_new(text):
 * Parse ${text}. NULL without memory, or when it has more than 32 fields.
 */
struct pattern *pattern_new(const char *text);
void pattern_free(struct pattern *p);

/**
 * pattern_put(p, k, out, room):
 * Write the text for ${k}. Returns its length, or 0 when it does not fit.
 */
size_t pattern_put(const struct pattern *p, uint64_t k, char *out,
                   size_t room);

/**
 * pattern_mix(n):
 * A number that looks random, always the same for ${n} (splitmix64).
 */
uint64_t pattern_mix(uint64_t n);

#endif
