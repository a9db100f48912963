#include "link.h"

#include <string.h>
#include <strings.h>

enum {
    REL_MAX = 256
};

/* How long the item is that ends with one of ${ends}, quoted strings left
 * alone. */
static size_t
item_len(const char *s, size_t len, const char *ends)
{
    bool quoted = false;
    size_t i = 0;

    for (; i < len && (quoted || strchr(ends, s[i]) == NULL); i++) {
        if (s[i] == '"') {
            quoted = !quoted;
        } else if (quoted && s[i] == '\\' && i + 1 < len) {
            i++;
        }
    }
    return i;
}

bool
link_next(const char **at, struct link *out)
{
    const char *open = strchr(*at, '<');
    const char *close = open != NULL ? strchr(open, '>') : NULL;

    if (close == NULL) {
        return false;
    }
    out->url = open + 1;
    out->url_len = (size_t) (close - open - 1);
    out->params = close + 1;
    out->params_len = item_len(out->params, strlen(out->params), ",");
    *at = out->params + out->params_len;
    return true;
}

struct param {
    const char *name, *value; /* value NULL: none */
    size_t name_len, value_len;
};

static bool
next_param(const char **at, const char *end, struct param *p)
{
    while (*at < end && strchr("; \t", **at) != NULL) {
        (*at)++;
    }
    if (*at == end) {
        return false;
    }
    const char *s = *at;
    size_t len = item_len(s, (size_t) (end - s), ";");
    const char *equals = memchr(s, '=', len);

    *at = s + len;
    while (len > 0 && (s[len - 1] == ' ' || s[len - 1] == '\t')) {
        len--;
    }
    size_t name = equals != NULL ? (size_t) (equals - s) : len;
    p->value = equals != NULL ? equals + 1 : NULL;
    p->value_len = equals != NULL ? len - name - 1 : 0;
    while (p->value_len > 0 && *p->value == ' ') {
        p->value++;
        p->value_len--;
    }
    while (name > 0 && s[name - 1] == ' ') {
        name--;
    }
    p->name = s;
    p->name_len = name;
    return true;
}

static bool
find(const struct link *l, const char *name, struct param *p)
{
    const char *at = l->params, *end = l->params + l->params_len;

    while (next_param(&at, end, p)) {
        if (p->name_len == strlen(name)
            && strncasecmp(p->name, name, p->name_len) == 0)
        {
            return true;
        }
    }
    return false;
}

bool
link_has(const struct link *l, const char *name)
{
    struct param p;

    return find(l, name, &p);
}

bool
link_param(const struct link *l, const char *name, char *out, size_t cap)
{
    struct param p;
    size_t n = 0;

    if (!find(l, name, &p) || p.value == NULL) {
        return false;
    }
    bool quoted = p.value_len >= 2 && p.value[0] == '"'
                  && p.value[p.value_len - 1] == '"';
    size_t end = quoted ? p.value_len - 1 : p.value_len;
    for (size_t i = quoted; i < end; i++) {
        if (quoted && p.value[i] == '\\' && i + 1 < end) {
            i++;
        }
        if (n + 1 >= cap) {
            return false;
        }
        out[n++] = p.value[i];
    }
    out[n] = '\0';
    return true;
}

bool
link_is(const struct link *l, const char *rel)
{
    char list[REL_MAX];
    size_t len = strlen(rel);

    if (!link_param(l, "rel", list, sizeof(list))) {
        return false;
    }
    for (const char *at = list; *at != '\0';) {
        size_t n = strcspn(at, " \t");

        if (n == len && strncasecmp(at, rel, n) == 0) {
            return true;
        }
        at += n + strspn(at + n, " \t");
    }
    return false;
}
