/* The listener for the operator is stopped while requests come. */
#include "unit.h"

#include "flood.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <sys/socket.h>
#include <unistd.h>

#include "../../superpeer/config.h"
#include "../../superpeer/status.h"
#include "listen.h"

enum {
    FLOODERS = 30, /* it lets in two more */
    ROUNDS = 400
};

static uint16_t
free_port(void)
{
    char why[200];

    int fd = listen_open("127.0.0.1", 0, why, sizeof(why));
    assert_true(fd >= 0);
    uint16_t port = listen_port(fd);
    close(fd);
    return port;
}

static struct status *
start_at(uint16_t port)
{
    struct config_address address = { .host = (char[]){ "127.0.0.1" },
                                      .port = port };
    struct status_sources sources = { .name = "x" };
    struct status *s;
    char why[200];

    if (status_start(&address, &sources, &s, why, sizeof(why)) != 0) {
        fail_msg("%s", why);
    }
    return s;
}

static int
dial(uint16_t port)
{
    struct sockaddr_in in = { .sin_family = AF_INET,
                              .sin_addr.s_addr = htonl(INADDR_LOOPBACK),
                              .sin_port = htons(port) };
    struct timeval tv = { 20, 0 };

    int fd = socket(AF_INET, SOCK_STREAM, 0);
    assert_true(fd >= 0);
    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &tv, sizeof(tv));
    assert_int_equal(connect(fd, (struct sockaddr *) &in, sizeof(in)), 0);
    return fd;
}

/* Twice on one connection: it is one that goes on. */
static void
answers(void **state)
{
    static const char request[] = "GET /x HTTP/1.1\r\nHost: x\r\n\r\n";
    uint16_t port = free_port();
    struct status *s = start_at(port);
    char reply[1000];

    (void) state;
    int fd = dial(port);
    for (int i = 0; i < 2; i++) {
        assert_int_equal(send(fd, request, sizeof(request) - 1, 0),
                         sizeof(request) - 1);
        assert_true(recv(fd, reply, sizeof(reply), 0) > 13);
        assert_memory_equal(reply, "HTTP/1.1 404 ", 13);
    }
    status_stop(s);
    while (recv(fd, reply, sizeof(reply), 0) > 0) {
    }
    close(fd);
}

/* libmicrohttpd 0.9.75 crashes when it has to refuse a request while its
 * daemon is being stopped. */
static void
stops_while_requests_are_refused(void **state)
{
    (void) state;
    for (unsigned round = 0; round < ROUNDS; round++) {
        uint16_t port = free_port();
        struct status *s = start_at(port);
        struct flood f = { .n = FLOODERS };

        for (int i = 0; i < FLOODERS; i++) {
            f.fds[i] = dial(port);
        }
        assert_int_equal(pthread_create(&f.thread, NULL, flood, &f), 0);
        usleep(5 * (round % 100)); /* some of them, not yet all */
        status_stop(s);
        f.stop = true;
        pthread_join(f.thread, NULL);
        for (int i = 0; i < FLOODERS; i++) {
            close(f.fds[i]);
        }
    }
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(answers),
    cmocka_unit_test(stops_while_requests_are_refused),
};

UNIT_MAIN(tests)
