/* link.h - Link headers (RFC 8288). Pure. */
#ifndef LINK_H
#define LINK_H

#include <stdbool.h>
#include <stddef.h>

/** One link of a header's value; its pieces point into that. */
struct link {
    const char *url;
    size_t url_len;
    const char *params;
    size_t params_len;
};

/** link_next(at, out): the next one of the list at ${*at}, which is moved
 *  behind it. False: there are no more. */
bool link_next(const char **at, struct link *out);

/** link_param(l, name, out, cap): a parameter's value, without quotes; the
 *  first of that name. False: it has none that fits. */
bool link_param(const struct link *l, const char *name, char *out, size_t cap);

/** link_has(l, name): is the parameter there, with or without a value? */
bool link_has(const struct link *l, const char *name);

/** link_is(l, rel): is ${rel} among its relations? */
bool link_is(const struct link *l, const char *rel);

#endif
