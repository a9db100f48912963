
#include "ngx_http_tracker_lines.h"


static ngx_int_t ngx_http_tracker_lines_take(ngx_http_tracker_lines_t *lines,
    u_char *p, u_char *end, ngx_http_tracker_line_pt handler, void *data,
    ngx_http_tracker_refusal_t *refusal);
static const char *ngx_http_tracker_line_parse(u_char *p, u_char *end,
    u_char *id, ngx_http_tracker_said_t *said);
static u_char *ngx_http_tracker_line_plain(u_char *p, u_char *end,
    ngx_http_tracker_said_t *said);
static const char *ngx_http_tracker_line_complete(u_char *p, u_char *end,
    ngx_http_tracker_said_t *said);
static const char *ngx_http_tracker_line_refused(u_char *p, u_char *end,
    ngx_http_tracker_said_t *said);


ngx_str_t  ngx_http_tracker_refusal_words[NGX_HTTP_TRACKER_REFUSAL_WORDS] = {
    ngx_string("origin"), ngx_string("notfound"), ngx_string("noagree"),
    ngx_string("toolarge"), ngx_string("private"), ngx_string("busy"),
    ngx_string("failed")
};


static ngx_int_t
ngx_http_tracker_lines_refuse(ngx_http_tracker_lines_t *lines,
    const char *why, ngx_http_tracker_refusal_t *refusal)
{
    u_char  *p;

    refusal->status = NGX_HTTP_BAD_REQUEST;

    p = ngx_snprintf(refusal->text, NGX_HTTP_TRACKER_TEXT_MAX,
                     "line %ui: %s\n", lines->n, why);

    refusal->len = p - refusal->text;

    return NGX_DECLINED;
}


ngx_int_t
ngx_http_tracker_lines_feed(ngx_http_tracker_lines_t *lines, u_char *p,
    u_char *end, ngx_http_tracker_line_pt handler, void *data,
    ngx_http_tracker_refusal_t *refusal)
{
    size_t   len;
    u_char  *lf;

    while (p < end) {

        lf = ngx_strlchr(p, end, LF);
        len = (lf ? lf : end) - p;

        if (lines->carried + len > NGX_HTTP_TRACKER_LINE_MAX) {
            lines->n++;
            return ngx_http_tracker_lines_refuse(lines, "too long", refusal);
        }

        if (lf && lines->carried == 0) {

            if (ngx_http_tracker_lines_take(lines, p, lf, handler, data,
                                            refusal)
                != NGX_OK)
            {
                return NGX_DECLINED;
            }

            p = lf + 1;
            continue;
        }

        ngx_memcpy(lines->carry + lines->carried, p, len);
        lines->carried += len;

        if (lf == NULL) {
            break;
        }

        len = lines->carried;
        lines->carried = 0;

        if (ngx_http_tracker_lines_take(lines, lines->carry,
                                        lines->carry + len, handler, data,
                                        refusal)
            != NGX_OK)
        {
            return NGX_DECLINED;
        }

        p = lf + 1;
    }

    return NGX_OK;
}


ngx_int_t
ngx_http_tracker_lines_end(ngx_http_tracker_lines_t *lines,
    ngx_http_tracker_refusal_t *refusal)
{
    if (lines->carried == 0) {
        return NGX_OK;
    }

    lines->n++;

    return ngx_http_tracker_lines_refuse(lines, "not ended by a line feed",
                                         refusal);
}


static ngx_int_t
ngx_http_tracker_lines_take(ngx_http_tracker_lines_t *lines, u_char *p,
    u_char *end, ngx_http_tracker_line_pt handler, void *data,
    ngx_http_tracker_refusal_t *refusal)
{
    u_char                    id[NGX_HTTP_TRACKER_ID_LEN];
    const char               *why;
    ngx_http_tracker_said_t   said;

    if (++lines->n > NGX_HTTP_TRACKER_LINES_MAX) {
        return ngx_http_tracker_refuse(refusal,
                                       NGX_HTTP_REQUEST_ENTITY_TOO_LARGE,
                                       "body", "more than 8192 lines");
    }

    ngx_memzero(&said, sizeof(ngx_http_tracker_said_t));

    why = ngx_http_tracker_line_parse(p, end, id, &said);

    if (why) {
        return ngx_http_tracker_lines_refuse(lines, why, refusal);
    }

    handler(data, id, &said);

    return NGX_OK;
}


/* Returns what is wrong, or NULL. */
static const char *
ngx_http_tracker_line_parse(u_char *p, u_char *end, u_char *id,
    ngx_http_tracker_said_t *said)
{
    u_char    sign;
    uint64_t  held;

    if (p == end || (*p != '~' && *p != '+' && *p != '-' && *p != '?')) {
        return "not ~, +, - or ? at its start";
    }

    sign = *p++;

    if (end - p < 2 * NGX_HTTP_TRACKER_ID_LEN
        || ngx_http_tracker_hex(p, id, NGX_HTTP_TRACKER_ID_LEN) != NGX_OK)
    {
        return "id: not 40 hex digits";
    }

    p += 2 * NGX_HTTP_TRACKER_ID_LEN;

    if (sign == '-') {
        said->state = NGX_HTTP_TRACKER_GONE;
        return (p == end) ? NULL : "id: not 40 hex digits";
    }

    if (p == end || *p != ' ') {
        return "no space after the id";
    }

    p++;

    switch (sign) {

    case '~':
        said->state = NGX_HTTP_TRACKER_FILLING;
        end = ngx_http_tracker_line_plain(p, end, said);

        if (ngx_http_tracker_number(p, end - p, NGX_HTTP_TRACKER_INT64_MAX,
                                    &held)
            != NGX_OK)
        {
            return "held: not a number";
        }

        return NULL;

    case '+':
        said->state = NGX_HTTP_TRACKER_COMPLETE;
        end = ngx_http_tracker_line_plain(p, end, said);
        return ngx_http_tracker_line_complete(p, end, said);

    default: /* '?' */
        said->state = NGX_HTTP_TRACKER_REFUSED;
        return ngx_http_tracker_line_refused(p, end, said);
    }
}


/* What is left of the line without " http" at its end. */
static u_char *
ngx_http_tracker_line_plain(u_char *p, u_char *end,
    ngx_http_tracker_said_t *said)
{
    if (end - p < 5 || ngx_memcmp(end - 5, " http", 5) != 0) {
        return end;
    }

    said->plain = 1;

    return end - 5;
}


/* ROOT cdn|copy */
static const char *
ngx_http_tracker_line_complete(u_char *p, u_char *end,
    ngx_http_tracker_said_t *said)
{
    if (end - p >= 2 && p[0] == '-' && p[1] == ' ') {
        p += 2;

    } else {
        if (end - p < 2 * NGX_HTTP_TRACKER_ROOT_LEN + 1
            || p[2 * NGX_HTTP_TRACKER_ROOT_LEN] != ' '
            || ngx_http_tracker_hex(p, said->root, NGX_HTTP_TRACKER_ROOT_LEN)
               != NGX_OK)
        {
            return "root: not 64 hex digits or -";
        }

        said->rooted = 1;
        p += 2 * NGX_HTTP_TRACKER_ROOT_LEN + 1;
    }

    if (end - p == 3 && ngx_memcmp(p, "cdn", 3) == 0) {
        said->vote = said->rooted;
        return NULL;
    }

    if (end - p == 4 && ngx_memcmp(p, "copy", 4) == 0) {
        return NULL;
    }

    return "neither cdn nor copy after the root";
}


static const char *
ngx_http_tracker_line_refused(u_char *p, u_char *end,
    ngx_http_tracker_said_t *said)
{
    ngx_str_t   *word;
    ngx_uint_t   i;

    for (i = 0; i < NGX_HTTP_TRACKER_REFUSAL_WORDS; i++) {
        word = &ngx_http_tracker_refusal_words[i];

        if (word->len == (size_t) (end - p)
            && ngx_memcmp(word->data, p, word->len) == 0)
        {
            said->reason = (uint8_t) i;
            return NULL;
        }
    }

    return "unknown reason";
}
