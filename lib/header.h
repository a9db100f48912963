/* header.h - header lines that a user adds to requests. */
#ifndef HEADER_H
#define HEADER_H

enum header_kind {
    HEADER_BAD,    /* not `Name: value`, or it would break the request */
    HEADER_OURS,   /* what Shoal itself says in each request */
    HEADER_PLAIN,  /* goes to whomever the CDN redirects to, as wget's */
    HEADER_SECRET, /* goes to the URL's own scheme, host and port only, and
                      what it brings is never shared */
    HEADER_HOST,   /* likewise: another file than the URL's may come */
    HEADER_PROXY   /* for the proxy alone */
};

/** header_kind(line): `Name: value`, or `Name:` for one that is not to be
 *  sent. */
enum header_kind header_kind(const char *line);

#endif
