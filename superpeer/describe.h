/* describe.h - what the status and `superpeer cache` print in JSON. */
#ifndef DESCRIBE_H
#define DESCRIBE_H

#include <stdint.h>

#include <jansson.h>

struct cache_info;

/** All: NULL when out of memory, which json_object_set_new() passes over. */
json_t *describe_number(uint64_t n);
json_t *describe_id(const uint8_t id[20]);

/** describe_url(url): without its query, which holds tokens. URLs are bytes,
 *  JSON is UTF-8: one that is not is said to be so. */
json_t *describe_url(const char *url);

/** describe_set(i): an object. */
json_t *describe_set(const struct cache_info *i);

#endif
