/* http_settings.h - what the user wants of the requests to the CDN, beside the
 * URL. Trackers, super peers and peers see nothing of it but the TLS and
 * address settings. */
#ifndef HTTP_SETTINGS_H
#define HTTP_SETTINGS_H

#include <limits.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct settings;

enum {
    HTTP_REDIRECTS = 20, /* followed, as by wget */
    HTTP_TRIES = 20      /* of a file, as wget's */
};

/** A time or number that the user did not give. */
#define HTTP_UNSET UINT_MAX

/** All strings are borrowed; NULL: not given. */
struct http_settings {
    const char *const *headers; /* `Name: value`, NULL-terminated */
    const char *user_agent;     /* "": none is sent */
    const char *referer;
    const char *user, *password;
    const char *netrc;   /* a file that is there */
    const char *cookies; /* a file in Netscape's format */
    const char *ca;      /* certificates, PEM, beside the system's */
    const char *certificate, *private_key; /* PEM */
    bool no_check_certificate;
    bool no_proxy;
    int family; /* AF_INET, AF_INET6, or AF_UNSPEC: any */

    /* Milliseconds; 0: without end; HTTP_UNSET: as it suits each case. */
    unsigned dns_ms, connect_ms, idle_ms;
    unsigned tries;        /* of the file; 0: without end; or HTTP_UNSET */
    unsigned waitretry_ms; /* 1 s, 2 s and so on up to that; or HTTP_UNSET */
    unsigned redirects;    /* that are followed at most */
    uint64_t rate;         /* bytes a second of the download; 0: unlimited */
    bool server_response;  /* headers of answers are told */
    bool spider;           /* only ask whether it is there, and how large */
};

/** http_settings_init(s): nothing given. */
void http_settings_init(struct http_settings *s);

/** http_settings_from(s, given): those of a download, which are borrowed; but
 *  no netrc. */
void http_settings_from(struct http_settings *s, const struct settings *given);

/** http_settings_netrc(): the file of NETRC, or ~/.netrc, if it can be read;
 *  to be freed. NULL: there is none. */
char *http_settings_netrc(void);

/**
 * http_settings_check(s, why, cap):
 * Are the files readable, the header lines such that they can be sent?
 * Errors:  SHOAL_EINVAL (a header line), SHOAL_EIO (a file); ${why} names it.
 */
int http_settings_check(const struct http_settings *s, char *why, size_t cap);

/** http_settings_secret(s): is there anything in them by which the CDN knows
 *  its user, whatever it asks for? Then nobody else may have the file. */
bool http_settings_secret(const struct http_settings *s);

#endif
