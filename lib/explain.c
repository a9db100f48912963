#include "explain.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "clock.h"

enum {
    FIRST = 256, /* events: how it began */
    LAST = 256,  /* and how it ended, in a ring */
    WHAT_MAX = 96,
    TEXT_MAX = 192 /* bytes of them that are kept, with the final NUL */
};

struct event {
    uint64_t ms;
    size_t text_at;
    char data[]; /* what, then text */
};

struct explain {
    uint64_t start_ms;
    uint64_t n; /* that there were */
    struct event *first[FIRST];
    struct event *last[LAST];
};

struct explain *
explain_create(void)
{
    struct explain *e = calloc(1, sizeof(*e));

    if (e != NULL) {
        e->start_ms = clock_ms();
    }
    return e;
}

void
explain_free(struct explain *e)
{
    if (e == NULL) {
        return;
    }
    for (size_t i = 0; i < FIRST; i++) {
        free(e->first[i]);
    }
    for (size_t i = 0; i < LAST; i++) {
        free(e->last[i]);
    }
    free(e);
}

static struct event **
place(struct explain *e, uint64_t i)
{
    return i < FIRST ? &e->first[i] : &e->last[(i - FIRST) % LAST];
}

void
explain_add(struct explain *e, const char *what, const char *format,
            va_list args)
{
    char text[TEXT_MAX];

    if (e == NULL) {
        return;
    }
    vsnprintf(text, sizeof(text), format, args);
    size_t what_len = strnlen(what, WHAT_MAX - 1);
    size_t text_len = strlen(text);
    struct event *new = malloc(sizeof(*new) + what_len + text_len + 2);
    if (new == NULL) {
        return;
    }
    new->ms = clock_ms() - e->start_ms;
    new->text_at = what_len + 1;
    memcpy(new->data, what, what_len);
    new->data[what_len] = '\0';
    memcpy(new->data + new->text_at, text, text_len + 1);
    struct event **at = place(e, e->n++);
    free(*at);
    *at = new;
}

size_t
explain_count(const struct explain *e)
{
    return e->n < FIRST + LAST ? (size_t) e->n : FIRST + LAST;
}

uint64_t
explain_lost(const struct explain *e)
{
    return e->n - explain_count(e);
}

struct explain_event
explain_get(const struct explain *e, size_t i)
{
    uint64_t at = i < FIRST ? i : i + explain_lost(e);
    const struct event *x = *place((struct explain *) e, at);

    return (struct explain_event){ x->ms, x->data, x->data + x->text_at };
}
