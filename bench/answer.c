#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "answer.h"

void
answer_init(struct answer *a)
{
    a->len = 0;
    a->status = 0;
    a->closes = false;
    a->body = -1;
    a->got = 0;
}

static bool
is_header(const char *line, const char *name, const char **value)
{
    size_t len = strlen(name);

    if (strncasecmp(line, name, len) != 0 || line[len] != ':')
        return false;
    *value = line + len + 1 + strspn(line + len + 1, " ");
    return true;
}

static enum answer_state
parse_head(struct answer *a)
{
    const char *line, *value;

    if (strncmp(a->head, "HTTP/1.", 7) != 0 || a->len < 12)
        return ANSWER_BAD;
    a->closes = a->head[7] == '0';
    a->status = (int) strtol(a->head + 8, NULL, 10);
    for (line = strchr(a->head, '\n'); line; line = strchr(line, '\n')) {
        line++;
        if (is_header(line, "Content-Length", &value))
            a->body = strtoll(value, NULL, 10);
        else if (is_header(line, "Connection", &value)
                 && strncasecmp(value, "close", 5) == 0)
            a->closes = true;
        else if (is_header(line, "Transfer-Encoding", &value))
            return ANSWER_BAD;
    }
    return a->status < 100 ? ANSWER_BAD : ANSWER_MORE;
}

/* How much of the data belongs to the head; all of it when it goes on. */
static size_t
take_head(struct answer *a, const char *data, size_t len)
{
    size_t old = a->len, room = ANSWER_HEAD_MAX - old, n, skip;
    const char *end;

    n = len < room ? len : room;
    memcpy(a->head + old, data, n);
    a->len += n;
    a->head[a->len] = '\0';

    skip = old > 3 ? old - 3 : 0;
    end = strstr(a->head + skip, "\r\n\r\n");
    if (end == NULL)
        return n;
    a->len = (size_t) (end - a->head) + 2;
    a->head[a->len] = '\0';
    a->status = -1;
    return a->len + 2 - old;
}

enum answer_state
answer_take(struct answer *a, const char *data, size_t len)
{
    size_t n;

    if (a->status == 0) {
        n = take_head(a, data, len);
        if (a->status == 0)
            return n < len || a->len == ANSWER_HEAD_MAX ? ANSWER_BAD
                                                        : ANSWER_MORE;
        if (parse_head(a) == ANSWER_BAD)
            return ANSWER_BAD;
        len -= n;
    }
    a->got += (int64_t) len;
    if (a->body < 0 || a->got < a->body)
        return ANSWER_MORE;
    return a->got == a->body ? ANSWER_DONE : ANSWER_BAD;
}

enum answer_state
answer_end(const struct answer *a)
{
    return a->status > 0 && a->body < 0 ? ANSWER_DONE : ANSWER_BAD;
}
