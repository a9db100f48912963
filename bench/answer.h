#ifndef ANSWER_H
#define ANSWER_H

/*
 * An HTTP/1 answer as it comes in: its end is found by Content-Length, or it
 * is the connection's end. The body is counted, not kept.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    ANSWER_HEAD_MAX = 4096
};

enum answer_state {
    ANSWER_MORE, /* not whole yet */
    ANSWER_DONE,
    ANSWER_BAD /* no HTTP, chunked, or too much */
};

struct answer {
    size_t len;   /* of head */
    int status;   /* 0: head not whole yet */
    bool closes;  /* the server said so, or it is an HTTP/1.0 one */
    int64_t body; /* Content-Length, or -1 */
    int64_t got;  /* of the body */
    char head[ANSWER_HEAD_MAX + 1];
};

/**
 * answer_init(a):
 * Before the first byte of each answer.
 */
void answer_init(struct answer *a);

/**
 * answer_take(a, data, len), answer_end(a):
 * What was read, or that the connection has ended.
 */
enum answer_state answer_take(struct answer *a, const char *data, size_t len);
enum answer_state answer_end(const struct answer *a);

#endif
