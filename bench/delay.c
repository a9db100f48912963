/*
 * A line between two network namespaces that takes its time: two TUN devices,
 * one in each; packets go from one to the other after a delay, as many a
 * second as the rate has room for, in order, and none is lost unless the
 * queue is full.
 */

#include <errno.h>
#include <fcntl.h>
#include <linux/if.h>
#include <linux/if_tun.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <time.h>
#include <unistd.h>

enum {
    PACKET_MAX = 2048, /* bytes; above the MTU of a TUN device */
    READ_AT_ONCE = 64, /* packets, before the other way has its turn */
    SECOND_NS = 1000000000,
    QUEUE_KIB = 16384 /* by default */
};

static const char usage[] =
    "usage: delay --near NAME --far NAME --far-netns PATH [OPTION]...\n"
    "\n"
    "  --near NAME       TUN device in this network namespace\n"
    "  --far NAME        and in the one whose file is\n"
    "  --far-netns PATH  for instance /proc/PID/ns/net\n"
    "  --delay-ms D      each way (20)\n"
    "  --rate-mbit R     each way, of whole packets; 0: no limit (0)\n"
    "  --queue-kib N     each way; what does not fit is lost (16384)\n"
    "Says \"ready\" when the devices are there; they have no addresses yet.\n"
    "SIGTERM ends it, and it says how many packets passed and were lost.\n";

struct packet {
    struct packet *next;
    uint64_t due_ns;
    size_t len;
    char data[];
};

struct way {
    int from, to;
    struct packet *head, **tail;
    size_t bytes;        /* in the queue */
    uint64_t free_at_ns; /* the line has sent what was before */
    uint64_t passed, lost;
};

struct relay {
    const char *near_name, *far_name, *far_netns;
    double delay_ms, rate_mbit, queue_kib;
    uint64_t delay_ns;
    size_t queue_bytes;
    struct way ways[2];
};

static volatile sig_atomic_t ended;

static void
end(int signal)
{
    (void) signal;
    ended = 1;
}

static uint64_t
now_ns(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t) t.tv_sec * SECOND_NS + (uint64_t) t.tv_nsec;
}

static int
open_tun(const char *name)
{
    struct ifreq r;
    int fd = open("/dev/net/tun", O_RDWR | O_NONBLOCK | O_CLOEXEC);

    if (fd < 0)
        return -1;
    memset(&r, 0, sizeof(r));
    r.ifr_flags = IFF_TUN | IFF_NO_PI;
    snprintf(r.ifr_name, sizeof(r.ifr_name), "%s", name);
    if (ioctl(fd, TUNSETIFF, &r) != 0) {
        close(fd);
        return -1;
    }
    return fd;
}

/* Stays in the other namespace: nothing else is opened. */
static bool
open_devices(struct relay *r)
{
    int near, far, netns;

    near = open_tun(r->near_name);
    if (near < 0) {
        fprintf(stderr, "delay: %s: %s\n", r->near_name, strerror(errno));
        return false;
    }
    netns = open(r->far_netns, O_RDONLY | O_CLOEXEC);
    if (netns < 0 || setns(netns, CLONE_NEWNET) != 0) {
        fprintf(stderr, "delay: %s: %s\n", r->far_netns, strerror(errno));
        return false;
    }
    far = open_tun(r->far_name);
    if (far < 0) {
        fprintf(stderr, "delay: %s: %s\n", r->far_name, strerror(errno));
        return false;
    }
    r->ways[0].from = r->ways[1].to = near;
    r->ways[1].from = r->ways[0].to = far;
    return true;
}

static uint64_t
send_ns(const struct relay *r, size_t len)
{
    return r->rate_mbit > 0 ? (uint64_t) ((double) len * 8e3 / r->rate_mbit)
                            : 0;
}

static void
enqueue(const struct relay *r, struct way *w, const char *data, size_t len)
{
    struct packet *p;
    uint64_t now = now_ns();

    if (w->bytes + len > r->queue_bytes
        || (p = malloc(sizeof(*p) + len)) == NULL) {
        w->lost++;
        return;
    }
    if (w->free_at_ns < now)
        w->free_at_ns = now;
    w->free_at_ns += send_ns(r, len);
    p->next = NULL;
    p->due_ns = w->free_at_ns + r->delay_ns;
    p->len = len;
    memcpy(p->data, data, len);
    *w->tail = p;
    w->tail = &p->next;
    w->bytes += len;
}

static void
read_some(const struct relay *r, struct way *w)
{
    char buf[PACKET_MAX];
    ssize_t n;

    for (int i = 0; i < READ_AT_ONCE; i++) {
        n = read(w->from, buf, sizeof(buf));
        if (n <= 0)
            return;
        enqueue(r, w, buf, (size_t) n);
    }
}

/* A device that is still down takes nothing: no loss of the line's. */
static void
write_due(struct way *w)
{
    struct packet *p;

    while ((p = w->head) != NULL && p->due_ns <= now_ns()) {
        if (write(w->to, p->data, p->len) == (ssize_t) p->len)
            w->passed++;
        else if (errno != EIO)
            w->lost++;
        w->bytes -= p->len;
        w->head = p->next;
        if (w->head == NULL)
            w->tail = &w->head;
        free(p);
    }
}

static struct timespec *
until_due(const struct relay *r, struct timespec *out)
{
    uint64_t due = UINT64_MAX, now = now_ns();

    for (int i = 0; i < 2; i++) {
        const struct packet *p = r->ways[i].head;

        if (p != NULL && p->due_ns < due)
            due = p->due_ns;
    }
    if (due == UINT64_MAX)
        return NULL;
    due = due > now ? due - now : 0;
    out->tv_sec = (time_t) (due / SECOND_NS);
    out->tv_nsec = (long) (due % SECOND_NS);
    return out;
}

/* Signals come in ppoll() only, so that none is missed. */
static void
run(struct relay *r, const sigset_t *unblocked)
{
    struct pollfd fds[2] = { { r->ways[0].from, POLLIN, 0 },
                             { r->ways[1].from, POLLIN, 0 } };
    struct timespec ts;

    while (!ended) {
        if (ppoll(fds, 2, until_due(r, &ts), unblocked) < 0)
            fds[0].revents = fds[1].revents = 0;
        for (int i = 0; i < 2; i++) {
            if (fds[i].revents)
                read_some(r, &r->ways[i]);
            write_due(&r->ways[i]);
        }
    }
}

static bool
take_option(struct relay *r, const char *name, const char *value)
{
    const struct {
        const char *name;
        const char **text;
        double *number;
    } options[] = {
        { "--near", &r->near_name, NULL },
        { "--far", &r->far_name, NULL },
        { "--far-netns", &r->far_netns, NULL },
        { "--delay-ms", NULL, &r->delay_ms },
        { "--rate-mbit", NULL, &r->rate_mbit },
        { "--queue-kib", NULL, &r->queue_kib },
    };
    char *rest;

    for (size_t i = 0; i < sizeof(options) / sizeof(options[0]); i++) {
        if (strcmp(name, options[i].name) != 0)
            continue;
        if (options[i].text) {
            *options[i].text = value;
            return true;
        }
        *options[i].number = strtod(value, &rest);
        return rest != value && !*rest && *options[i].number >= 0
               && *options[i].number < 1e6;
    }
    return false;
}

static bool
parse(struct relay *r, int argc, char **argv)
{
    for (int i = 1; i < argc; i += 2) {
        if (i + 1 == argc || !take_option(r, argv[i], argv[i + 1])) {
            fprintf(stderr, "delay: %s: unknown, or a bad value\n", argv[i]);
            return false;
        }
    }
    if (!r->near_name || !r->far_name || !r->far_netns) {
        fputs(usage, stderr);
        return false;
    }
    r->delay_ns = (uint64_t) (r->delay_ms * 1e6);
    r->queue_bytes = (size_t) (r->queue_kib * 1024);
    return true;
}

static void
catch_end(sigset_t *unblocked)
{
    struct sigaction act = { .sa_handler = end };
    sigset_t block;

    sigemptyset(&block);
    sigaddset(&block, SIGTERM);
    sigaddset(&block, SIGINT);
    sigprocmask(SIG_BLOCK, &block, unblocked);
    sigaction(SIGTERM, &act, NULL);
    sigaction(SIGINT, &act, NULL);
}

int
main(int argc, char **argv)
{
    struct relay r = { .delay_ms = 20, .queue_kib = QUEUE_KIB };
    sigset_t unblocked;

    if (!parse(&r, argc, argv))
        return 2;
    catch_end(&unblocked);
    (void) prctl(PR_SET_TIMERSLACK, 1UL, 0UL, 0UL, 0UL);
    if (!open_devices(&r))
        return 1;
    for (int i = 0; i < 2; i++)
        r.ways[i].tail = &r.ways[i].head;
    puts("ready");
    (void) fflush(stdout);
    run(&r, &unblocked);
    for (int i = 0; i < 2; i++) {
        printf("%s passed %llu lost %llu\n", i == 0 ? "out" : "in",
               (unsigned long long) r.ways[i].passed,
               (unsigned long long) r.ways[i].lost);
        while (r.ways[i].head != NULL) {
            struct packet *p = r.ways[i].head;

            r.ways[i].head = p->next;
            free(p);
        }
    }
    return 0;
}
