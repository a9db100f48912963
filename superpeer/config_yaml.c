/* config_yaml.c - walks the file's mappings and lists along the table. */
#include <stdlib.h>
#include <string.h>

#include <yaml.h>

#include "config_internal.h"
#include "shoal.h"

enum {
    KEY_MAX = 128 /* characters of a key with its parents */
};

struct config_yaml {
    yaml_document_t doc;
    bool *given; /* by setting */
};

/* A URL that is not taken may have a token or a password in it. */
static bool
is_secret(const struct setting *s)
{
    return strcmp(s->key, "trackers[].token") == 0
           || strcmp(s->key, "trackers[].url") == 0;
}

static void
read_value(struct reader *r, const struct setting *s, const char *key,
           const yaml_node_t *node)
{
    size_t line = node->start_mark.line + 1;
    char range[64];

    config_range(s, range, sizeof(range));
    if (node->type != YAML_SCALAR_NODE) {
        config_fault(r, line, key, "expected %s%s, given a %s", s->expected,
                     range,
                     node->type == YAML_MAPPING_NODE ? "mapping" : "list");
        return;
    }
    const char *text = (const char *) node->data.scalar.value;
    if (strlen(text) != node->data.scalar.length) {
        config_fault(r, line, key, "expected %s, given a NUL byte",
                     s->expected);
        return;
    }
    r->why[0] = '\0';
    if (strcmp(s->key, "cache.path") == 0) {
        r->folder_line = line;
    }
    int err = s->take(r, s, text, config_target(r, s));
    if (err == 0) {
        err = config_note(r, s, text);
    }
    if (err == SHOAL_ENOMEM) {
        config_fault(r, line, key, "out of memory");
    } else if (err != 0 && r->why[0] != '\0') {
        config_fault(r, line, key, "%s", r->why);
    } else if (err != 0) {
        config_fault(r, line, key, "expected %s%s, given `%.100s`",
                     s->expected, range, is_secret(s) ? "(not shown)" : text);
    }
}

static void
read_list(struct reader *r, const struct setting *s, const char *key,
          const yaml_node_t *node)
{
    if (node->type != YAML_SEQUENCE_NODE) {
        config_fault(r, node->start_mark.line + 1, key,
                     "expected a list, each item %s, given %s", s->expected,
                     node->type == YAML_MAPPING_NODE ? "a mapping"
                                                     : "one value");
        return;
    }
    for (yaml_node_item_t *i = node->data.sequence.items.start;
         i < node->data.sequence.items.top; i++)
    {
        read_value(r, s, key, yaml_document_get_node(&r->yaml->doc, *i));
    }
}

static long
find_setting(const char *key)
{
    for (size_t i = 0; i < config_settings_count; i++) {
        if (strcmp(config_settings[i].key, key) == 0) {
            return (long) i;
        }
    }
    return -1;
}

static bool
is_prefix(const char *prefix)
{
    for (size_t i = 0; i < config_settings_count; i++) {
        if (strncmp(config_settings[i].key, prefix, strlen(prefix)) == 0) {
            return true;
        }
    }
    return false;
}

static void read_map(struct reader *r, const char *prefix,
                     const yaml_node_t *map);

/* `given` is of one mapping: cleared for each item of a list of them. */
static void
require(struct reader *r, const char *prefix, const yaml_node_t *map)
{
    size_t len = strlen(prefix);

    for (size_t i = 0; i < config_settings_count; i++) {
        const struct setting *s = &config_settings[i];

        if ((s->flags & REQUIRED) != 0 && !r->yaml->given[i]
            && strncmp(s->key, prefix, len) == 0
            && (len > 0 || (s->flags & OF_TRACKER) == 0))
        {
            config_fault(r, map->start_mark.line + 1, s->key,
                         "expected %s, given nothing", s->expected);
        }
    }
}

static void
clear_given(struct reader *r, const char *prefix)
{
    for (size_t i = 0; i < config_settings_count; i++) {
        if (strncmp(config_settings[i].key, prefix, strlen(prefix)) == 0) {
            r->yaml->given[i] = false;
        }
    }
}

static void
read_trackers(struct reader *r, const yaml_node_t *node)
{
    struct config *c = r->config;

    if (node->type != YAML_SEQUENCE_NODE) {
        config_fault(r, node->start_mark.line + 1, "trackers",
                     "expected a list of mappings, given none");
        return;
    }
    for (yaml_node_item_t *i = node->data.sequence.items.start;
         i < node->data.sequence.items.top; i++)
    {
        const yaml_node_t *item = yaml_document_get_node(&r->yaml->doc, *i);
        size_t line = item->start_mark.line + 1;

        if (c->tracker_count == CONFIG_TRACKERS_MAX) {
            config_fault(r, line, "trackers",
                         "expected at most %d, given more",
                         CONFIG_TRACKERS_MAX);
            return;
        }
        r->tracker = &c->trackers[c->tracker_count++];
        clear_given(r, "trackers[].");
        read_map(r, "trackers[].", item);
        config_check_tracker(r, r->tracker, line);
    }
}

static void
read_pair(struct reader *r, const char *prefix, const yaml_node_t *key_node,
          const yaml_node_t *value)
{
    char key[KEY_MAX], below[KEY_MAX + 8];
    size_t line = key_node->start_mark.line + 1;

    if (key_node->type != YAML_SCALAR_NODE) {
        config_fault(r, line, prefix,
                     "expected a key, given a list or mapping");
        return;
    }
    snprintf(key, sizeof(key), "%s%.64s", prefix,
             (const char *) key_node->data.scalar.value);
    long i = find_setting(key);
    snprintf(below, sizeof(below), "%s.", key);
    if (i >= 0) {
        if (r->yaml->given[i]) {
            config_fault(r, line, key, "expected once, given twice");
            return;
        }
        r->yaml->given[i] = true;
        if ((config_settings[i].flags & LIST) != 0) {
            read_list(r, &config_settings[i], key, value);
        } else {
            read_value(r, &config_settings[i], key, value);
        }
        if (strcmp(key, "origin_ca") == 0 && r->config->origin_ca != NULL) {
            config_check_ca(r, key, r->config->origin_ca, line);
        }
    } else if (strcmp(key, "trackers") == 0) {
        read_trackers(r, value);
    } else if (strpbrk(key, "[") == NULL && is_prefix(below)) {
        read_map(r, below, value);
        if (strcmp(key, "tls") == 0) {
            config_check_tls(r, line);
        }
    } else {
        config_fault(r, line, key,
                     "expected a setting that is known, given one "
                     "that is not");
    }
}

static void
read_map(struct reader *r, const char *prefix, const yaml_node_t *map)
{
    char key[KEY_MAX];

    if (map->type != YAML_MAPPING_NODE) {
        size_t len = strlen(prefix);

        snprintf(key, sizeof(key), "%.*s", len > 0 ? (int) len - 1 : 0,
                 prefix); /* less its dot */
        config_fault(r, map->start_mark.line + 1, key,
                     "expected a mapping, given %s",
                     map->type == YAML_SEQUENCE_NODE ? "a list" : "one value");
        return;
    }
    for (yaml_node_pair_t *p = map->data.mapping.pairs.start;
         p < map->data.mapping.pairs.top; p++)
    {
        read_pair(r, prefix, yaml_document_get_node(&r->yaml->doc, p->key),
                  yaml_document_get_node(&r->yaml->doc, p->value));
    }
    if (*prefix == '\0' || strcmp(prefix, "trackers[].") == 0) {
        require(r, prefix, map);
    }
}

static void
read_document(struct reader *r)
{
    yaml_node_t *root = yaml_document_get_root_node(&r->yaml->doc);

    if (root == NULL) {
        config_fault(r, 1, "", "expected settings, given an empty file");
        return;
    }
    read_map(r, "", root);
    if (r->faults == 0 && r->config->tracker_count == 0) {
        config_fault(r, 1, "trackers", "expected at least one, given none");
    }
    if (r->faults == 0 && r->config->origin_count == 0) {
        config_fault(r, 1, "origins", "expected at least one, given none");
    }
}

static int
parse(struct reader *r, FILE *f)
{
    yaml_parser_t parser;
    int err = 0;

    if (yaml_parser_initialize(&parser) == 0) {
        return SHOAL_ENOMEM;
    }
    yaml_parser_set_input_file(&parser, f);
    if (yaml_parser_load(&parser, &r->yaml->doc) == 0) {
        config_fault(r, parser.problem_mark.line + 1, "", "not YAML: %s",
                     parser.problem != NULL ? parser.problem
                                            : "cannot be read");
        err = SHOAL_EINVAL;
    }
    yaml_parser_delete(&parser);
    return err;
}

int
config_read_yaml(struct reader *r, FILE *f)
{
    r->yaml = calloc(1, sizeof(*r->yaml));
    if (r->yaml == NULL) {
        return SHOAL_ENOMEM;
    }
    r->yaml->given = calloc(config_settings_count, sizeof(bool));
    int err = r->yaml->given != NULL ? parse(r, f) : SHOAL_ENOMEM;
    if (err == 0) {
        read_document(r);
        yaml_document_delete(&r->yaml->doc);
    }
    free(r->yaml->given);
    free(r->yaml);
    r->yaml = NULL;
    return err == 0 && r->faults != 0 ? SHOAL_EINVAL : err;
}
