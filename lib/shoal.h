/* shoal.h - the errors of libshoal, and what an application includes. */
#ifndef SHOAL_H
#define SHOAL_H

/** Results: 0, or one of these. Each says what it means to the caller. */
enum shoal_error {
    SHOAL_OK = 0,
    SHOAL_ENOMEM = -1,    /* out of memory */
    SHOAL_EINVAL = -2,    /* an argument or an input does not parse */
    SHOAL_EIO = -3,       /* reading or writing a local file failed */
    SHOAL_EFULL = -4,     /* no room: disk or cache is full */
    SHOAL_ENOTFOUND = -5, /* not there: block, set, key, HTTP 404 or 410 */
    SHOAL_ENET = -6,      /* no host, no connection, or it broke */
    SHOAL_ETLS = -7,      /* the certificate did not verify */
    SHOAL_EAUTH = -8,     /* HTTP 401, 407 */
    SHOAL_EPROTO = -9,    /* an answer that makes no sense */
    SHOAL_EHTTP = -10,    /* any other HTTP error status */
    SHOAL_EVERIFY = -11,  /* the bytes are not what they must be */
    SHOAL_ENOAGREE = -12, /* no CDN node has that size and version */
    SHOAL_EDENIED = -13,  /* not allowed by configuration */
    SHOAL_ESTOPPED = -14, /* the caller asked to stop */
    SHOAL_EPRIVATE = -15, /* the origin forbids sharing it */
    SHOAL_ECONNECT = -16, /* cannot connect: refused, or no answer in time */
    SHOAL_EBUSY = -17     /* not now: as many connections as are allowed */
};

/** shoal_strerror(err): what ${err} means, a static string. */
const char *shoal_strerror(int err);

#endif
