/* unit.h - what the unit tests share: cmocka that speaks TAP, vectors. */
#ifndef UNIT_H
#define UNIT_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

/* Run a table of tests and print TAP. */
#define UNIT_MAIN(tests)                                                   \
    int main(void)                                                         \
    {                                                                      \
        cmocka_set_message_output(CM_OUTPUT_TAP);                          \
        return cmocka_run_group_tests_name(__FILE__, (tests), NULL, NULL); \
    }

/* A check inside a loop over cases: names the case. */
static inline void
unit_expect(int ok, const char *what)
{
    if (!ok) {
        fail_msg("failed for: %s", what);
    }
}

/* Opens t/vectors/NAME; tests run in the top folder or with SHOAL_TOP set. */
static inline FILE *
unit_vectors(const char *name)
{
    const char *top = getenv("SHOAL_TOP");
    char path[1024];

    snprintf(path, sizeof(path), "%s/t/vectors/%s", top != NULL ? top : ".",
             name);
    FILE *f = fopen(path, "re");
    if (f == NULL) {
        fail_msg("cannot open %s", path);
    }
    return f;
}

/* Splits a vector line at its TABs into exactly n fields. */
static inline void
unit_fields(char *line, char **fields, size_t n)
{
    char *rest = line;

    line[strcspn(line, "\n")] = '\0';
    for (size_t i = 0; i < n; i++) {
        fields[i] = rest;
        rest = strchr(rest, '\t');
        unit_expect((rest == NULL) == (i + 1 == n), line);
        if (rest == NULL) {
            rest = line;
        } else {
            *rest++ = '\0';
        }
    }
}

/* Replaces \xNN by the byte, in place. */
static inline void
unit_unescape(char *s)
{
    char *out = s;

    while (*s != '\0') {
        if (s[0] == '\\' && s[1] == 'x') {
            char hex[3] = { s[2], s[3], '\0' };

            *out++ = (char) strtoul(hex, NULL, 16);
            s += 4;
        } else {
            *out++ = *s++;
        }
    }
    *out = '\0';
}

#endif
