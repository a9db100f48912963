/* flood.h - clients whose requests have no end, for servers that stop. */
#ifndef FLOOD_H
#define FLOOD_H

#include <pthread.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/socket.h>

enum {
    FLOODERS_MAX = 100
};

struct flood {
    pthread_t thread;
    int fds[FLOODERS_MAX];
    int n;
    atomic_bool stop;
};

/* A request that has no end, over and over. */
static inline void *
flood(void *arg)
{
    struct flood *f = arg;
    char junk[20000];

    memset(junk, 'X', sizeof(junk));
    while (!f->stop) {
        for (int i = 0; i < f->n; i++) {
            send(f->fds[i], junk, sizeof(junk), MSG_DONTWAIT | MSG_NOSIGNAL);
        }
    }
    return NULL;
}

#endif
