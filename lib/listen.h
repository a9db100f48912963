/* listen.h - listening sockets. */
#ifndef LISTEN_H
#define LISTEN_H

#include <stddef.h>
#include <stdint.h>

/**
 * listen_open(address, port, why, cap):
 * A listening TCP socket at ${address}, numeric; NULL: all addresses, IPv6
 * and IPv4 in one socket, IPv4 alone where there is no IPv6. Port 0 takes a
 * free one. -1 on error, whose words go to ${why}.
 */
int listen_open(const char *address, uint16_t port, char *why, size_t cap);

/** listen_port(fd): the port of a socket that listens. */
uint16_t listen_port(int fd);

#endif
