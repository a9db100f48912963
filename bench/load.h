#ifndef LOAD_H
#define LOAD_H

/* The load generator's options, and what its modes share. */

#include <netinet/in.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "answer.h"
#include "pattern.h"

enum {
    LOAD_REQUEST_MAX = 16384,
    LOAD_READ = 65536,
    LOAD_EVENTS = 256
};

enum load_mode {
    MODE_RUN,
    MODE_PARK,
    MODE_PRINT
};

/* Numbers are unsigned, uint64_t or double: options.c knows which. */
struct load {
    enum load_mode mode;
    struct sockaddr_in server;
    uint32_t from; /* first address of the client's, or 0 */
    uint32_t from_count;
    const char *url;
    char headers[1024];  /* each with its line end */
    const char *control; /* a whole request: park's --control */
    unsigned connections;
    bool keepalive;
    bool spin;         /* never sleep: the server has nobody to wake */
    uint64_t requests; /* 0: no bound */
    double seconds;    /* 0: no bound */
    uint64_t first;
    uint64_t space; /* k is of first..first+space-1; 0: no end */
    bool random;
    uint64_t seed;
    unsigned expect;  /* the status */
    double timeout_s; /* nothing came: give up */
    double rate;      /* park: requests a second */
    double delay_ms;
    double settle_ms;
    bool values; /* print each one's time */

    struct pattern *request;
    int epoll_fd;
};

/**
 * options_parse(l, argc, argv):
 * False after a message on stderr.
 */
bool options_parse(struct load *l, int argc, char **argv);

struct histogram; /* of nanoseconds; values are off by at most 1.6 % */

struct histogram *histogram_new(void);
void histogram_free(struct histogram *h);
void histogram_add(struct histogram *h, uint64_t ns);

/**
 * histogram_at(h, share):
 * The value that ${share} (0 to 1) of all are at or below; 0 without any.
 */
uint64_t histogram_at(const struct histogram *h, double share);

/* CLOCK_MONOTONIC. */
uint64_t load_now_ns(void);

/**
 * load_connect(l, serial):
 * A socket that is connecting to the server, from the client address that
 * follows from ${serial}; registered for writing, with ${data}. -1 on error.
 */
int load_connect(const struct load *l, uint64_t serial, void *data);

/* Change what is waited for; false on error. */
bool load_watch(const struct load *l, int fd, uint32_t events, void *data);

/* The k of the n-th request (from 0). */
uint64_t load_k(const struct load *l, uint64_t n);

/* Modes: 0, or 1 with a line on stderr. */
int run_load(struct load *l);
int park_load(struct load *l);

#endif
