/* answerer.h - a server that gives the same answer, or several in their order,
 * to whoever connects, one request a connection, and keeps what it was asked.
 */
#ifndef ANSWERER_H
#define ANSWERER_H

#include <arpa/inet.h>
#include <netinet/in.h>
#include <pthread.h>
#include <stdatomic.h>
#include <unistd.h>

#include "unit.h"

struct server {
    int fd;
    uint16_t port;
    const char *answer;  /* the last one, again and again */
    const char *first;   /* before that, once; or NULL */
    char asked[4][4096]; /* requests; those after the fourth are not kept */
    pthread_t thread;
    atomic_uint connections;
};

static inline void
answer_one(struct server *s, int c, unsigned number)
{
    const char *text = number == 0 && s->first != NULL ? s->first : s->answer;
    char spare[sizeof(s->asked[0])];
    char *buf = number < 4 ? s->asked[number] : spare;
    size_t n = 0;
    ssize_t got = 1;

    while (got > 0 && n < sizeof(spare) - 1
           && (n < 4 || memcmp(buf + n - 4, "\r\n\r\n", 4) != 0))
    {
        got = read(c, buf + n, sizeof(spare) - 1 - n);
        n += got > 0 ? (size_t) got : 0;
    }
    buf[n] = '\0';
    if (write(c, text, strlen(text)) < 0) {
        perror("write");
    }
    close(c);
}

static inline void *
serve(void *arg)
{
    struct server *s = arg;

    for (int c; (c = accept(s->fd, NULL, NULL)) >= 0;) {
        answer_one(s, c, atomic_fetch_add(&s->connections, 1));
    }
    return NULL;
}

static inline void
server_start(struct server *s, const char *answer)
{
    struct sockaddr_in in = { .sin_family = AF_INET,
                              .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    socklen_t len = sizeof(in);

    memset(s, 0, sizeof(*s));
    s->answer = answer;
    s->fd = socket(AF_INET, SOCK_STREAM, 0);
    assert_int_equal(bind(s->fd, (struct sockaddr *) &in, len), 0);
    assert_int_equal(listen(s->fd, 8), 0);
    assert_int_equal(getsockname(s->fd, (struct sockaddr *) &in, &len), 0);
    s->port = ntohs(in.sin_port);
    assert_int_equal(pthread_create(&s->thread, NULL, serve, s), 0);
}

static inline void
server_stop(struct server *s)
{
    shutdown(s->fd, SHUT_RDWR);
    pthread_join(s->thread, NULL);
    close(s->fd);
}

#endif
