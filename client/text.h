/* text.h - names, sizes, rates and times as people read them. */
#ifndef TEXT_H
#define TEXT_H

#include <stddef.h>
#include <stdint.h>

enum {
    TEXT_MAX = 4096,  /* bytes of a line that is shown, with its end */
    TEXT_NUMBER = 24, /* bytes of a number that is shown, with its end */
    TEXT_STAMP = 20   /* `2026-11-29 00:28:02` */
};

/**
 * text_locale():
 * Take the characters' encoding from the environment; UTF-8 where that names
 * none, as terminals do today. Call it once, before the others.
 */
void text_locale(void);

/**
 * text_safe(in, out, cap):
 * What of ${in} a terminal may see: what is not printable, the ends of lines
 * and what turns the direction of text around are written as `\ooo`. What
 * does not fit into ${cap} bytes is left out.
 */
void text_safe(const char *in, char *out, size_t cap);

/** text_fit(in, columns, out, cap): the same in exactly so many columns:
 *  blanks are added, or the end is cut off. */
void text_fit(const char *in, unsigned columns, char *out, size_t cap);

/** text_less_secrets(url, out, cap): without its query, user and password. */
void text_less_secrets(const char *url, char *out, size_t cap);

/** text_bytes(n, out): 1536 as `1.50K`. */
void text_bytes(double n, char out[TEXT_NUMBER]);

/** text_about(n, out): in short, 1536 as `1.5K`. */
void text_about(double n, char out[TEXT_NUMBER]);

/** text_rate(rate, gap, out): 1536 bytes a second as `1.50KB/s`, with ${gap}
 *  between number and unit; `--.-KB/s` for 0. */
void text_rate(double rate, const char *gap, char out[TEXT_NUMBER]);

/** text_left(seconds, out): 83 as `1m 23s`. */
void text_left(double seconds, char out[TEXT_NUMBER]);

/** text_took(seconds, out): how long it took, `0.04s`, from a minute on as
 *  text_left(). */
void text_took(double seconds, char out[TEXT_NUMBER]);

/** text_stamp(out): the time of day and the date. */
void text_stamp(char out[TEXT_STAMP]);

#endif
