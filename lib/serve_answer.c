/* serve_answer.c - requests of the block server and their answers
 * (docs/protocol.md "Block server"). */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "digest.h"
#include "range.h"
#include "resource.h"
#include "serve_internal.h"
#include "shoal.h"

enum MHD_Result
serve_send(struct serve *s, struct MHD_Connection *c, unsigned status,
           struct MHD_Response *r)
{
    if (r == NULL) {
        return MHD_NO;
    }
    enum MHD_Result ok = MHD_queue_response(c, status, r);
    MHD_destroy_response(r);
    if (!serve_conn_of(c)->uncounted) {
        atomic_fetch_add(&s->answered[status / 100], 1);
    }
    return ok;
}

enum MHD_Result
serve_say(struct serve *s, struct MHD_Connection *c, unsigned status,
          const char *text, const char *name, const char *value)
{
    struct MHD_Response *r = MHD_create_response_from_buffer(
        strlen(text), (void *) (uintptr_t) text, MHD_RESPMEM_PERSISTENT);

    if (r != NULL) {
        MHD_add_response_header(r, "Content-Type", "text/plain");
        if (name != NULL) {
            MHD_add_response_header(r, name, value);
        }
    }
    return serve_send(s, c, status, r);
}

enum MHD_Result
serve_say_busy(struct serve *s, struct MHD_Connection *c)
{
    struct MHD_Response *r = MHD_create_response_from_buffer(
        5, (void *) (uintptr_t) "busy\n", MHD_RESPMEM_PERSISTENT);

    if (r != NULL) {
        MHD_add_response_header(r, "Content-Type", "text/plain");
        MHD_add_response_header(r, "Retry-After", "1");
        MHD_add_response_header(r, "Connection", "close");
    }
    atomic_fetch_add(&s->busy, 1);
    return serve_send(s, c, MHD_HTTP_SERVICE_UNAVAILABLE, r);
}

static enum MHD_Result
say_unsatisfiable(struct serve *s, struct MHD_Connection *c, uint64_t size)
{
    char value[40];

    snprintf(value, sizeof(value), "bytes */%" PRIu64, size);
    return serve_say(s, c, MHD_HTTP_RANGE_NOT_SATISFIABLE,
                     "starts behind the end\n", "Content-Range", value);
}

struct range_field {
    const char *value;
    bool twice;
};

static enum MHD_Result
/* NOLINTNEXTLINE(readability-function-size): libmicrohttpd's parameters */
find_range(void *cls, enum MHD_ValueKind kind, const char *name,
           size_t name_len, const char *value, size_t len)
{
    struct range_field *f = cls;

    (void) kind;
    (void) name_len;
    (void) len;
    if (strcasecmp(name, "Range") == 0) {
        f->twice = f->value != NULL;
        f->value = value;
    }
    return f->twice ? MHD_NO : MHD_YES;
}

/* NULL where there is none, or more than one. */
static const char *
range_header(struct MHD_Connection *c)
{
    struct range_field f = { NULL, false };

    MHD_get_connection_values_n(c, MHD_HEADER_KIND, find_range, &f);
    return f.twice ? NULL : f.value;
}

static enum MHD_Result
answer_blocks(struct serve *s, struct MHD_Connection *c, struct serve_set *set)
{
    struct serve_part part = { 0, set->size, set->size, false };

    int err = range_parse(range_header(c), set->size, &part.off, &part.len);
    if (err == SHOAL_EINVAL) {
        s->ops->close(s->ctx, set);
        return say_unsatisfiable(s, c, set->size);
    }
    part.partial = err == 0;
    uint64_t held = s->ops->held(s->ctx, set, part.off, part.len);
    if (part.partial ? held == 0 : held < part.len) {
        s->ops->close(s->ctx, set);
        return serve_say(s, c, MHD_HTTP_NOT_FOUND, "not held\n", NULL, NULL);
    }
    part.len = held;
    return serve_body_blocks(s, c, set, &part);
}

static enum MHD_Result
answer_hashes(struct serve *s, struct MHD_Connection *c,
              const struct serve_set *set)
{
    struct serve_part part = { .size = (uint64_t) set->count * DIGEST_LEN };

    part.len = part.size;
    int err = range_parse(range_header(c), part.size, &part.off, &part.len);
    if (err == SHOAL_EINVAL) {
        return say_unsatisfiable(s, c, part.size);
    }
    part.partial = err == 0;
    uint8_t *layer = malloc(part.size + 1);
    if (layer == NULL || s->ops->hashes(s->ctx, set, layer) != 0) {
        free(layer);
        return serve_say_busy(s, c);
    }
    memmove(layer, layer + part.off, part.len);
    return serve_body_memory(s, c, layer, &part);
}

/* /blocks/ID, /blocks/ID/have, /blocks/ID/hashes; all else is another page. */
static enum serve_kind
parse_path(const char *path, uint8_t id[RESOURCE_ID_LEN])
{
    char hex[RESOURCE_ID_HEX];

    if (strncmp(path, "/blocks/", 8) != 0 || strlen(path) < 8 + 40) {
        return SERVE_OTHER;
    }
    memcpy(hex, path + 8, 40);
    hex[40] = '\0';
    if (resource_id_parse(hex, id) != 0) {
        return SERVE_OTHER;
    }
    path += 8 + 40;
    if (*path == '\0') {
        return SERVE_BLOCKS;
    }
    if (strcmp(path, "/have") == 0) {
        return SERVE_HAVE;
    }
    return strcmp(path, "/hashes") == 0 ? SERVE_HASHES : SERVE_OTHER;
}

/* NULL: it may have blocks of that id; else why not. */
static const char *
refusal(struct serve *s, struct MHD_Connection *c,
        const uint8_t id[RESOURCE_ID_LEN])
{
    return ticket_gate_check(
        s->gate, id,
        MHD_lookup_connection_value(c, MHD_GET_ARGUMENT_KIND, "t"));
}

enum MHD_Result
serve_answer(struct serve *s, struct MHD_Connection *c, const char *url,
             struct poll **poll)
{
    uint8_t id[RESOURCE_ID_LEN];
    struct serve_set set;

    enum serve_kind kind = parse_path(url, id);
    if (!serve_conn_of(c)->uncounted) {
        atomic_fetch_add(&s->asked[kind], 1);
    }
    if (kind == SERVE_OTHER) {
        return serve_say(s, c, MHD_HTTP_NOT_FOUND, "no such page\n", NULL,
                         NULL);
    }
    const char *why = refusal(s, c, id);
    if (why != NULL) {
        atomic_fetch_add(&s->denied, 1);
        return serve_say(s, c, MHD_HTTP_FORBIDDEN, why, NULL, NULL);
    }
    memset(&set, 0, sizeof(set));
    int err = s->ops->open(s->ctx, id, serve_address_of(c), &set);
    if (err == SHOAL_ENOTFOUND) {
        return serve_say(s, c, MHD_HTTP_NOT_FOUND, "not held\n", NULL, NULL);
    }
    if (err != 0) {
        return serve_say_busy(s, c);
    }
    if (kind == SERVE_BLOCKS) {
        return answer_blocks(s, c, &set); /* takes the set */
    }
    if (kind == SERVE_HAVE) {
        return serve_have(s, c, &set, poll); /* so does this */
    }
    enum MHD_Result result = answer_hashes(s, c, &set);
    s->ops->close(s->ctx, &set);
    return result;
}
