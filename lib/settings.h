/* settings.h - what one download is told by its user: one table of settings,
 * and the values that they are read into. The command line, configuration
 * files and the API of shoal.h all go through settings_set(). A new setting is
 * a row in settings_table.c and a field here. */
#ifndef SETTINGS_H
#define SETTINGS_H

#include <limits.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "digest.h"

struct shoal_setting;

enum {
    SETTINGS_LIST_MAX = 256, /* values of one list */
    SETTINGS_TRACKERS = 4,   /* as transfer.h's TRACKERS_MAX */
    SETTINGS_TEXT_MAX = 8192 /* bytes of one value; nginx takes a header line
                                of that size */
};

/** A time that was not given; 0 is `never`. */
#define SETTINGS_UNSET UINT_MAX

/** Values of a setting that may be given several times. */
struct strings {
    char **v; /* NULL-terminated; NULL while there are none */
    size_t n;
};

/** Where the checksum of the whole file comes from. */
enum checksum_from {
    CHECKSUM_NONE,
    CHECKSUM_GIVEN, /* ALG=HEX */
    CHECKSUM_FILE,  /* @FILE, as sha256sum writes it */
    CHECKSUM_AUTO   /* from what the origin publishes */
};

struct checksum_setting {
    enum checksum_from from;
    struct checksum sum; /* CHECKSUM_GIVEN */
    char *file;          /* CHECKSUM_FILE */
};

/** Strings are NULL where nothing was given. */
struct settings {
    /* File */
    char *output_document; /* `-`: standard output, in order */
    char *directory_prefix;
    bool resume; /* continue */
    bool no_clobber;
    bool timestamping;
    bool content_disposition;
    bool spider; /* ask only; nothing is written */

    /* Network */
    unsigned tries;              /* 0: without end; SETTINGS_UNSET */
    unsigned timeout_ms;         /* 0: never; SETTINGS_UNSET: our own */
    unsigned connect_timeout_ms; /* the same */
    unsigned waitretry_ms;       /* at most, between two tries */
    uint64_t limit_rate;         /* bytes a second; 0: none */
    bool inet4_only, inet6_only;
    char *bind_address;
    struct strings resolve; /* HOST:PORT:ADDR[,ADDR]... */
    bool no_proxy;

    /* HTTP */
    struct strings header; /* `Name: value` */
    char *user_agent;
    char *referer;
    char *user, *password;
    bool no_netrc;
    unsigned max_redirect;
    char *load_cookies;   /* a file */
    bool server_response; /* headers go to the message callback */

    /* TLS */
    char *ca_certificate;
    char *certificate;
    char *private_key;
    bool no_check_certificate;

    /* Verification */
    struct checksum_setting checksum;
    char *layer;      /* "auto", a URL or a file */
    char *version_id; /* "etag", "mtime", "none" or a text */
    bool unverified_peers;

    /* Sources */
    struct strings mirror;
    char *input_metalink; /* a file or URL */
    char *preferred_location;
    unsigned select_file; /* of a Metalink; 0: the first */
    struct strings tracker;
    struct strings tracker_hosts; /* patterns: of other hosts, those trackers
                                     hear nothing; none: of all */

    /* Sharing */
    unsigned listen_port; /* 0: any, if at all */
    bool no_upload;
    uint64_t max_upload_limit; /* bytes a second; 0: none */
    unsigned max_uploads;      /* at once */
    unsigned max_peers;        /* neighbours at once */
    unsigned max_connections;  /* of others to us, at once */
    unsigned seed_time_ms;     /* after the end; SETTINGS_UNSET: not given */
    double seed_ratio;         /* uploaded to size; below 0: not given */
};

/** settings_create(): everything as it is when nothing is given. NULL: out of
 *  memory. */
struct settings *settings_create(void);

/** settings_free(s): NULL is a no-op. */
void settings_free(struct settings *s);

/** settings_copy(s): NULL: out of memory. */
struct settings *settings_copy(const struct settings *s);

/**
 * settings_set(s, name, value, why, cap):
 * ${value} is borrowed. A flag takes NULL for yes, or yes, no, true, false,
 * on, off, 1, 0. Each value of a list is added to it, NULL or "" empties it.
 * NULL for anything else makes it what it is when nothing is given.
 * Errors:  SHOAL_ENOTFOUND (no such setting), SHOAL_EINVAL, SHOAL_ENOMEM:
 *          nothing has changed, and ${why} names the setting, what was
 *          expected and what was given (of secrets: that alone is left out).
 */
int settings_set(struct settings *s, const char *name, const char *value,
                 char *why, size_t cap);

/**
 * settings_check(s, why, cap):
 * Do they go together? SHOAL_EINVAL, and ${why} names both.
 */
int settings_check(const struct settings *s, char *why, size_t cap);

/** settings_table(n): the rows as shoal.h shows them; static. */
const struct shoal_setting *settings_table(size_t *n);

#endif
