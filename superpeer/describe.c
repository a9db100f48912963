#include "describe.h"

#include "cache.h"
#include "digest.h"
#include "log.h"
#include "resource.h"

json_t *
describe_number(uint64_t n)
{
    return json_integer((json_int_t) n);
}

json_t *
describe_id(const uint8_t id[20])
{
    char hex[RESOURCE_ID_HEX];

    resource_id_hex(id, hex);
    return json_string(hex);
}

json_t *
describe_url(const char *url)
{
    char plain[LOG_URL_MAX];

    json_t *s = json_string(log_url(url, plain));
    return s != NULL ? s : json_string("(not UTF-8)");
}

json_t *
describe_set(const struct cache_info *i)
{
    char root[DIGEST_HEX];
    json_t *o = json_object();

    json_object_set_new(o, "id", describe_id(i->id));
    json_object_set_new(o, "url", describe_url(i->url));
    json_object_set_new(o, "size", describe_number(i->size));
    json_object_set_new(o, "version", json_string(i->version));
    json_object_set_new(o, "blocks", describe_number(i->blocks));
    json_object_set_new(o, "held", describe_number(i->held));
    json_object_set_new(o, "state",
                        json_string(i->complete  ? "complete"
                                    : i->filling ? "filling"
                                                 : "incomplete"));
    if (i->complete && i->blocks > 0) {
        hex_encode(i->root, DIGEST_LEN, root);
        json_object_set_new(o, "root", json_string(root));
    }
    json_object_set_new(o, "copy", json_boolean(i->copy));
    json_object_set_new(o, "last_use", describe_number(i->last_use));
    return o;
}
