#include "dns.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <ares.h>

#include "clock.h"
#include "dns_names.h"
#include "shoal.h"

enum {
    TRIES = 2,             /* of each server */
    TRY_MIN_MS = 100,      /* a server has that long at least */
    GRACE_MS = 300,        /* what the other family may take longer */
    FRESH_MIN_MS = 1000,   /* a hundred files of a host ask once */
    FRESH_MAX_MS = 300000, /* whatever the records say */
    EDNS_BYTES = 1232      /* of an answer over UDP; DNS flag day 2020 */
};

struct dns {
    pthread_t thread;
    int bell;             /* eventfd: there is news for the thread */
    ares_channel channel; /* the thread's */

    pthread_mutex_t lock; /* of all below */
    char *servers;        /* NULL: the system's */
    unsigned timeout_ms;
    bool stop;
    bool changed; /* the servers are others */
    struct names *names;
    struct dns_stats stats;
};

/* One query of one family, while c-ares has it. */
struct query {
    struct dns *dns;
    struct name *name;
    int family;
};

static void
ring(struct dns *d)
{
    uint64_t one = 1;

    if (write(d->bell, &one, sizeof(one)) < 0) {
        return; /* it is full of rings already */
    }
}

/* ---- answers ---- */

static bool
take_address(const struct ares_addrinfo_node *from, struct node_addr *to)
{
    memset(to, 0, sizeof(*to));
    if (from->ai_addrlen > sizeof(to->sa)) {
        return false;
    }
    memcpy(&to->sa, from->ai_addr, from->ai_addrlen);
    to->len = from->ai_addrlen;
    const void *raw =
        from->ai_family == AF_INET6
            ? (const void *) &((struct sockaddr_in6 *) &to->sa)->sin6_addr
            : (const void *) &((struct sockaddr_in *) &to->sa)->sin_addr;
    return inet_ntop(from->ai_family, raw, to->text, sizeof(to->text)) != NULL;
}

static bool
is_known(const struct dns_family *f, const struct node_addr *a)
{
    for (size_t i = 0; i < f->n; i++) {
        if (strcmp(f->addrs[i].text, a->text) == 0) {
            return true;
        }
    }
    return false;
}

static void
take_answer(struct name *name, int family, const struct ares_addrinfo *info)
{
    struct dns_family *f = &name->families[family];

    free(f->addrs);
    f->n = 0;
    f->addrs = calloc(RESOLVE_ADDRS_MAX, sizeof(*f->addrs));
    if (f->addrs == NULL) {
        f->why = "out of memory";
        return;
    }
    for (const struct ares_addrinfo_node *a = info->nodes;
         a != NULL && f->n < RESOLVE_ADDRS_MAX; a = a->ai_next)
    {
        uint64_t ttl_ms = a->ai_ttl > 0 ? (uint64_t) a->ai_ttl * 1000 : 0;

        if (take_address(a, &f->addrs[f->n]) && !is_known(f, &f->addrs[f->n]))
        {
            f->n++;
            name->ttl_ms = ttl_ms < name->ttl_ms ? ttl_ms : name->ttl_ms;
        }
    }
}

/* c-ares is through with a query; also within ares_getaddrinfo(). */
static void
on_answer(void *arg, int status, int timeouts, struct ares_addrinfo *info)
{
    struct query *q = arg;
    struct dns_family *f = &q->name->families[q->family];
    struct dns *d = q->dns;

    (void) timeouts;
    pthread_mutex_lock(&d->lock);
    bool counts = status != ARES_EDESTRUCTION && !d->changed;
    f->asked = false;
    if (counts && status == ARES_SUCCESS) {
        take_answer(q->name, q->family, info);
    } else if (counts) {
        f->why = ares_strerror(status);
    }
    f->answered = counts; /* else it is asked again */
    if (f->n > 0 && q->name->grace_ms == 0) {
        q->name->grace_ms = clock_ms() + GRACE_MS;
    }
    pthread_mutex_unlock(&d->lock);
    ares_freeaddrinfo(info);
    free(q);
}

static void
give(struct waiter *w, int err, const char *why, const struct node_addr *addrs,
     size_t n)
{
    while (w != NULL) {
        struct waiter *next = w->next;

        w->done(w->arg, err, why, addrs, n);
        free(w);
        w = next;
    }
}

/* The lock is held, and let go meanwhile. */
static void
finish_locked(struct dns *d, struct name *name)
{
    struct node_addr addrs[RESOLVE_ADDRS_MAX];
    struct waiter *w = names_unwait(d->names, name);
    const char *why;
    size_t n = name_addresses(name, addrs, &why);
    uint64_t ttl = name->ttl_ms;

    if (n > 0) {
        ttl = ttl > FRESH_MIN_MS ? ttl : FRESH_MIN_MS;
        name->fresh_ms =
            clock_ms() + (ttl < FRESH_MAX_MS ? ttl : FRESH_MAX_MS);
    } else {
        d->stats.failed++;
    }
    pthread_mutex_unlock(&d->lock);
    give(w, n > 0 ? 0 : SHOAL_ENET, why, addrs, n);
    pthread_mutex_lock(&d->lock);
}

static void
finish_all(struct dns *d)
{
    pthread_mutex_lock(&d->lock);
    for (struct name *name = names_waited(d->names); name != NULL;) {
        if (d->stop || name_is_done(name, clock_ms())) {
            finish_locked(d, name);
            name = names_waited(d->names); /* it may have changed */
        } else {
            name = name->next_waited;
        }
    }
    pthread_mutex_unlock(&d->lock);
}

/* ---- questions ---- */

static void
ask(struct dns *d, struct name *name, int family)
{
    struct ares_addrinfo_hints hints = {
        .ai_flags = ARES_AI_NOSORT,
        .ai_family = family == DNS_V6 ? AF_INET6 : AF_INET,
        .ai_socktype = SOCK_STREAM,
    };
    struct query *q = malloc(sizeof(*q));

    if (q == NULL) {
        pthread_mutex_lock(&d->lock);
        name->families[family].asked = false;
        name->families[family].answered = true;
        name->families[family].why = "out of memory";
        pthread_mutex_unlock(&d->lock);
        return;
    }
    *q = (struct query){ d, name, family };
    ares_getaddrinfo(d->channel, name->host, NULL, &hints, on_answer, q);
}

static bool
is_open(const struct dns_family *f)
{
    return !f->asked && !f->answered;
}

/* A family that is to be asked for; marked as such. */
static struct name *
next_question(struct dns *d, int *family)
{
    pthread_mutex_lock(&d->lock);
    struct name *name = names_waited(d->names);
    while (name != NULL && !is_open(&name->families[DNS_V4])
           && !is_open(&name->families[DNS_V6]))
    {
        name = name->next_waited;
    }
    if (name != NULL) {
        *family = is_open(&name->families[DNS_V4]) ? DNS_V4 : DNS_V6;
        name->families[*family].asked = true;
    }
    pthread_mutex_unlock(&d->lock);
    return name;
}

static void
ask_all(struct dns *d)
{
    struct name *name;
    int family = 0;

    while ((name = next_question(d, &family)) != NULL) {
        ask(d, name, family);
    }
}

/* ---- the thread ---- */

static int
open_channel(const char *servers, unsigned timeout_ms, ares_channel *out)
{
    struct ares_options o = { .tries = TRIES, .ednspsz = EDNS_BYTES };
    int mask = ARES_OPT_TIMEOUTMS | ARES_OPT_TRIES | ARES_OPT_FLAGS
               | ARES_OPT_EDNSPSZ;
    unsigned n = 2; /* how many the system has is not known yet */

    o.flags = ARES_FLAG_EDNS;
    if (servers != NULL) {
        n = 1;
        for (const char *s = servers; *s != '\0'; s++) {
            n += *s == ',';
        }
        /* Names are whole, and answered by these servers alone. */
        o.flags |= ARES_FLAG_NOSEARCH;
        o.lookups = (char *) (uintptr_t) "b";
        mask |= ARES_OPT_LOOKUPS;
    }
    /* The second round takes twice as long as the first one. */
    unsigned each = timeout_ms / (3 * n);
    o.timeout = (int) (each > TRY_MIN_MS ? each : TRY_MIN_MS);
    int rc = ares_init_options(out, &o, mask);
    if (rc != ARES_SUCCESS) {
        return SHOAL_ENOMEM;
    }
    if (servers != NULL
        && ares_set_servers_ports_csv(*out, servers) != ARES_SUCCESS)
    {
        ares_destroy(*out);
        return SHOAL_EINVAL;
    }
    return 0;
}

/* Other servers; queries of the old ones end, and are asked again. */
static void
reopen(struct dns *d)
{
    ares_channel fresh;

    pthread_mutex_lock(&d->lock);
    bool changed = d->changed;
    d->changed = false;
    int err = changed ? open_channel(d->servers, d->timeout_ms, &fresh) : 0;
    pthread_mutex_unlock(&d->lock);
    if (changed && err == 0) {
        ares_destroy(d->channel);
        d->channel = fresh;
    }
}

static int
wait_ms(struct dns *d)
{
    struct timeval tv;
    uint64_t now = clock_ms(), until = now + 60000;

    if (ares_timeout(d->channel, NULL, &tv) != NULL) {
        until = now + (uint64_t) tv.tv_sec * 1000
                + (uint64_t) tv.tv_usec / 1000 + 1;
    }
    pthread_mutex_lock(&d->lock);
    for (struct name *n = names_waited(d->names); n != NULL;
         n = n->next_waited) {
        until = n->deadline_ms < until ? n->deadline_ms : until;
        if (n->grace_ms != 0 && n->grace_ms < until) {
            until = n->grace_ms;
        }
    }
    pthread_mutex_unlock(&d->lock);
    return until > now ? (int) (until - now) : 0;
}

static void
wait_and_read(struct dns *d)
{
    struct pollfd fds[ARES_GETSOCK_MAXNUM + 1] = { { d->bell, POLLIN, 0 } };
    ares_socket_t socks[ARES_GETSOCK_MAXNUM];
    /* not by c-ares' macros, which shift a 1 into the sign */
    unsigned readable =
        (unsigned) ares_getsock(d->channel, socks, ARES_GETSOCK_MAXNUM);
    unsigned writable = readable >> ARES_GETSOCK_MAXNUM;
    nfds_t n = 1;
    uint64_t rings;

    for (int i = 0; i < ARES_GETSOCK_MAXNUM; i++) {
        short events = (short) (((readable >> i & 1) != 0 ? POLLIN : 0)
                                | ((writable >> i & 1) != 0 ? POLLOUT : 0));

        if (events != 0) {
            fds[n++] = (struct pollfd){ socks[i], events, 0 };
        }
    }
    if (poll(fds, n, wait_ms(d)) < 0) {
        return;
    }
    if (fds[0].revents != 0 && read(d->bell, &rings, sizeof(rings)) < 0) {
        return; /* somebody else's wake: look again */
    }
    for (nfds_t i = 1; i < n; i++) {
        bool in = (fds[i].revents & (POLLIN | POLLERR | POLLHUP)) != 0;
        bool out = (fds[i].revents & POLLOUT) != 0;

        ares_process_fd(d->channel, in ? fds[i].fd : ARES_SOCKET_BAD,
                        out ? fds[i].fd : ARES_SOCKET_BAD);
    }
    ares_process_fd(d->channel, ARES_SOCKET_BAD, ARES_SOCKET_BAD);
}

static bool
is_stopped(struct dns *d)
{
    pthread_mutex_lock(&d->lock);
    bool stop = d->stop;
    pthread_mutex_unlock(&d->lock);
    return stop;
}

static void *
run(void *arg)
{
    struct dns *d = arg;

    while (!is_stopped(d)) {
        reopen(d);
        ask_all(d);
        finish_all(d);
        wait_and_read(d);
    }
    ares_destroy(d->channel);
    finish_all(d);
    return NULL;
}

/* ---- from other threads ---- */

static void
start_lookup(void *ctx, const char *host, lookup_done *done, void *arg)
{
    struct node_addr addrs[RESOLVE_ADDRS_MAX];
    const char *why = "too many names are looked up";
    struct dns *d = ctx;
    uint64_t now = clock_ms();
    int err = SHOAL_ENET;
    size_t n = 0;

    pthread_mutex_lock(&d->lock);
    d->stats.lookups++;
    struct name *name = d->stop ? NULL : names_get(d->names, host, now);
    if (name != NULL && now < name->fresh_ms) {
        n = name_addresses(name, addrs, &why);
        err = 0;
        d->stats.cached++;
    } else if (name != NULL) {
        if (name->waiters == NULL) {
            name_begin(name);
            name->deadline_ms = now + d->timeout_ms;
        }
        err = names_wait(d->names, name, done, arg) == 0 ? LOOKUP_PENDING
                                                         : SHOAL_ENOMEM;
    }
    d->stats.failed += err != 0 && err != LOOKUP_PENDING;
    pthread_mutex_unlock(&d->lock);
    if (err == LOOKUP_PENDING) {
        ring(d);
    } else {
        done(arg, err, why, addrs, n);
    }
}

struct lookup_hook
dns_hook(struct dns *d)
{
    return (struct lookup_hook){ start_lookup, d };
}

static void
dns_free(struct dns *d)
{
    if (d->bell >= 0) {
        close(d->bell);
    }
    pthread_mutex_destroy(&d->lock);
    names_free(d->names);
    free(d->servers);
    free(d);
    ares_library_cleanup();
}

int
dns_start(const struct dns_options *options, struct dns **out)
{
    struct dns *d = calloc(1, sizeof(*d));
    int err = SHOAL_ENOMEM;

    if (d == NULL || ares_library_init(ARES_LIB_INIT_ALL) != ARES_SUCCESS) {
        free(d);
        return SHOAL_ENOMEM;
    }
    pthread_mutex_init(&d->lock, NULL);
    d->timeout_ms = options->timeout_ms;
    d->bell = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    d->names = names_create();
    d->servers = options->servers != NULL ? strdup(options->servers) : NULL;
    if (d->bell < 0 || d->names == NULL
        || (options->servers != NULL && d->servers == NULL))
    {
        goto fail;
    }
    err = open_channel(d->servers, d->timeout_ms, &d->channel);
    if (err != 0) {
        goto fail;
    }
    if (pthread_create(&d->thread, NULL, run, d) != 0) {
        ares_destroy(d->channel);
        err = SHOAL_ENOMEM;
        goto fail;
    }
    *out = d;
    return 0;

fail:
    dns_free(d);
    return err;
}

int
dns_reload(struct dns *d, const struct dns_options *options)
{
    char *servers = options->servers != NULL ? strdup(options->servers) : NULL;
    ares_channel trial;

    if (options->servers != NULL && servers == NULL) {
        return SHOAL_ENOMEM;
    }
    int err = open_channel(servers, options->timeout_ms, &trial);
    if (err != 0) {
        free(servers);
        return err;
    }
    ares_destroy(trial);
    pthread_mutex_lock(&d->lock);
    free(d->servers);
    d->servers = servers;
    d->timeout_ms = options->timeout_ms;
    d->changed = true;
    names_forget(d->names);
    pthread_mutex_unlock(&d->lock);
    ring(d);
    return 0;
}

void
dns_stop(struct dns *d)
{
    if (d == NULL) {
        return;
    }
    pthread_mutex_lock(&d->lock);
    d->stop = true;
    pthread_mutex_unlock(&d->lock);
    ring(d);
    pthread_join(d->thread, NULL);
    dns_free(d);
}

void
dns_get_stats(struct dns *d, struct dns_stats *out)
{
    pthread_mutex_lock(&d->lock);
    *out = d->stats;
    pthread_mutex_unlock(&d->lock);
}
