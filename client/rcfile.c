#include "rcfile.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <yaml.h>

#include "shoal.h"

enum {
    REASON_MAX = 512 /* bytes of a message without its place */
};

struct rcfile {
    const char *path;
    yaml_document_t doc;
    rcfile_fn *fn;
    void *ctx;
    char *why;
    size_t cap;
};

static int
fail(const struct rcfile *r, const yaml_mark_t *mark, const char *what)
{
    snprintf(r->why, r->cap, "%s:%zu: %s", r->path, mark->line + 1, what);
    return SHOAL_EINVAL;
}

static int
fail_key(const struct rcfile *r, const yaml_node_t *key, const char *what)
{
    char reason[REASON_MAX];

    snprintf(reason, sizeof(reason), "%.128s: %s",
             (const char *) key->data.scalar.value, what);
    return fail(r, &key->start_mark, reason);
}

/* `key:` and `key: ~` say nothing; quoted they are texts. */
static bool
is_null(const yaml_node_t *node)
{
    const char *text = (const char *) node->data.scalar.value;

    return node->data.scalar.style == YAML_PLAIN_SCALAR_STYLE
           && (*text == '\0' || strcmp(text, "~") == 0
               || strcmp(text, "null") == 0);
}

static int
take(const struct rcfile *r, const yaml_node_t *key, const yaml_node_t *node,
     int first)
{
    char reason[REASON_MAX] = "";

    if (node->type != YAML_SCALAR_NODE) {
        return fail_key(r, key,
                        node->type == YAML_MAPPING_NODE
                            ? "expected a value, got a mapping"
                            : "expected a value, got a list in a list");
    }
    if (is_null(node)) {
        return fail_key(r, key, "expected a value, got none");
    }
    if (strlen((const char *) node->data.scalar.value)
        != node->data.scalar.length) {
        return fail_key(r, key, "expected a text, got one with a NUL in it");
    }
    int err = r->fn(r->ctx, (const char *) key->data.scalar.value,
                    (const char *) node->data.scalar.value, first, reason,
                    sizeof(reason));
    if (err != 0) {
        fail(r, &node->start_mark, reason);
    }
    return err;
}

static int
take_value(struct rcfile *r, const yaml_node_t *key, const yaml_node_t *value)
{
    int err = 0, first = true;

    if (value->type != YAML_SEQUENCE_NODE) {
        return take(r, key, value, true);
    }
    for (yaml_node_item_t *i = value->data.sequence.items.start;
         err == 0 && i < value->data.sequence.items.top; i++)
    {
        err = take(r, key, yaml_document_get_node(&r->doc, *i), first);
        first = false;
    }
    return err;
}

static bool
is_earlier_key(struct rcfile *r, const yaml_node_t *map,
               const yaml_node_pair_t *end, const yaml_node_t *key)
{
    for (yaml_node_pair_t *p = map->data.mapping.pairs.start; p < end; p++) {
        const yaml_node_t *k = yaml_document_get_node(&r->doc, p->key);

        if (strcmp((const char *) k->data.scalar.value,
                   (const char *) key->data.scalar.value)
            == 0)
        {
            return true;
        }
    }
    return false;
}

static int
take_map(struct rcfile *r, const yaml_node_t *map)
{
    int err = 0;

    if (map->type != YAML_MAPPING_NODE) {
        return fail(r, &map->start_mark, "expected lines of `option: value`");
    }
    for (yaml_node_pair_t *p = map->data.mapping.pairs.start;
         err == 0 && p < map->data.mapping.pairs.top; p++)
    {
        const yaml_node_t *key = yaml_document_get_node(&r->doc, p->key);

        if (key->type != YAML_SCALAR_NODE) {
            err = fail(r, &key->start_mark,
                       "expected an option's name, got a list or mapping");
        } else if (is_earlier_key(r, map, p, key)) {
            err = fail_key(r, key, "given twice");
        } else {
            err =
                take_value(r, key, yaml_document_get_node(&r->doc, p->value));
        }
    }
    return err;
}

static int
load(struct rcfile *r, FILE *f)
{
    yaml_parser_t parser;
    char reason[REASON_MAX];
    int err = 0;

    if (yaml_parser_initialize(&parser) == 0) {
        snprintf(r->why, r->cap, "%s: out of memory", r->path);
        return SHOAL_ENOMEM;
    }
    yaml_parser_set_input_file(&parser, f);
    if (yaml_parser_load(&parser, &r->doc) == 0) {
        snprintf(reason, sizeof(reason), "not YAML: %s",
                 parser.problem != NULL ? parser.problem : "cannot be read");
        err = fail(r, &parser.problem_mark, reason);
    }
    yaml_parser_delete(&parser);
    return err;
}

int
rcfile_read(const char *path, rcfile_fn *fn, void *ctx, char *why, size_t cap)
{
    struct rcfile r = {
        .path = path, .fn = fn, .ctx = ctx, .why = why, .cap = cap
    };
    FILE *f = fopen(path, "re");

    if (f == NULL) {
        int missing = errno == ENOENT || errno == ENOTDIR;

        snprintf(why, cap, "%s: %s", path, strerror(errno));
        return missing ? SHOAL_ENOTFOUND : SHOAL_EIO;
    }
    int err = load(&r, f);
    fclose(f);
    if (err != 0) {
        return err;
    }
    const yaml_node_t *root = yaml_document_get_root_node(&r.doc);
    if (root != NULL) { /* else it is empty */
        err = take_map(&r, root);
    }
    yaml_document_delete(&r.doc);
    return err;
}
