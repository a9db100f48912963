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
    MODE_HOLD,
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
    bool values;     /* print each one's time */
    uint64_t size;   /* of the file: ranges of it are asked for; 0: none */
    uint64_t range;  /* bytes */
    double warm_s;   /* cut: before the time begins */
    unsigned meter;  /* process whose CPU time is told; 0: none */
    bool cut;        /* requests under way at the end are given up */
    bool discard;    /* bodies stay in the kernel */
    bool sum;        /* SHA-256 of all bodies */
    bool unread;     /* hold: nothing of an answer is read */
    unsigned rcvbuf; /* bytes; 0: as the system has it */

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

/* CPU time of all threads of a process, user and system. */
uint64_t meter_cpu_ns(unsigned pid);

/* How many ranges the file has. */
uint64_t range_count(const struct load *l);

/* The pattern of the header line that asks for range k; false: no room. */
bool range_header(const struct load *l, char *out, size_t room);

/**
 * range_right(l, k, a):
 * Is the whole answer 206 with exactly the range k in Content-Range,
 * Content-Length and body?
 */
bool range_right(const struct load *l, uint64_t k, const struct answer *a);

struct range_sum; /* SHA-256; NULL stands for none and is no error */

struct range_sum *range_sum_new(void);
void range_sum_add(struct range_sum *s, const void *data, size_t len);

/* As a member of a JSON object, a comma before it. */
void range_sum_print(struct range_sum *s, FILE *out);
void range_sum_free(struct range_sum *s);

/* Modes: 0, or 1 with a line on stderr. */
int run_load(struct load *l);
int park_load(struct load *l);
int hold_load(struct load *l);

#endif
