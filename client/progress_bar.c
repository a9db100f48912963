/* progress_bar.c - the bar: what is in it, and how wide that is. */
#include <string.h>

#include "progress.h"
#include "progress_dots.h"
#include "shoal.h"

enum {
    NAME_MIN = 8,
    NAME_BYTES = 1024, /* of a name that is shown */
    BAR_MIN = 5        /* less tells nothing */
};

/* Of the whole run: what the last picture says. */
static double
mean_rate(const struct shoal_progress *now)
{
    uint64_t got = now->held > now->resumed ? now->held - now->resumed : 0;

    return (double) got / (now->seconds > 0.001 ? now->seconds : 0.001);
}

/* What is in a bar of so many columns. */
struct layout {
    unsigned name, bar;
    bool size, rate, left, peers;
};

enum {
    PERCENT_COLUMNS = 4,
    SIZE_COLUMNS = 9,
    RATE_COLUMNS = 10,
    LEFT_COLUMNS = 13,
    PEERS_COLUMNS = 12
};

static void
lay_out(unsigned columns, struct layout *l)
{
    const struct {
        bool *has;
        unsigned columns, leaves;
    } parts[] = { { &l->size, SIZE_COLUMNS, NAME_MIN + 1 },
                  { &l->rate, RATE_COLUMNS, NAME_MIN + 1 },
                  { &l->left, LEFT_COLUMNS, NAME_MIN + 1 },
                  { &l->peers, PEERS_COLUMNS, NAME_MIN + 1 + BAR_MIN + 2 } };
    unsigned rest = columns - PERCENT_COLUMNS; /* for the name and the bar */

    memset(l, 0, sizeof(*l));
    for (size_t i = 0; i < sizeof(parts) / sizeof(parts[0])
                       && rest >= parts[i].columns + parts[i].leaves;
         i++)
    {
        *parts[i].has = true;
        rest -= parts[i].columns;
    }
    if (rest >= NAME_MIN + 1 + BAR_MIN + 2) {
        l->name = columns / 5 > NAME_MIN ? columns / 5 : NAME_MIN;
        if (l->name + 1 + BAR_MIN + 2 > rest) {
            l->name = NAME_MIN;
        }
        l->bar = rest - l->name - 1 - 2;
    } else if (rest > 1) {
        l->name = rest - 1;
    }
}

/* Of ${width} cells, how many ${part} of ${size} fills. */
static unsigned
cells(uint64_t part, uint64_t size, unsigned width)
{
    return part < size ? (unsigned) ((double) part / (double) size * width)
                       : width;
}

static void
draw_known(const struct shoal_progress *now, unsigned width, char *bar)
{
    unsigned done = cells(now->held, now->size, width);
    unsigned kept =
        now->resumed > 0 ? cells(now->resumed, now->size, width) : 0;

    memset(bar, ' ', width);
    memset(bar, '=', done);
    if (done > 0) {
        bar[done - 1] = '>';
    }
    memset(bar, '+', kept < done ? kept : done);
}

/* The size is not known: what is drawn moves to and fro. */
static void
draw_unknown(unsigned pictures, unsigned width, char *bar)
{
    unsigned way = width - 3, at = way > 0 ? pictures % (2 * way) : 0;

    memset(bar, ' ', width);
    bar += at > way ? 2 * way - at : at;
    *bar++ = '<';
    *bar++ = '=';
    *bar = '>';
}

/* Returns the bytes, and in *wide how many of them take no column. */
static size_t
put_name(const struct progress *p, const struct shoal_progress *now,
         const struct layout *l, char out[TEXT_MAX], size_t *wide)
{
    const char *name = now->file != NULL ? now->file : "";
    const char *slash = strrchr(name, '/');
    int percent = progress_percent(now);
    char shown[NAME_BYTES], number[TEXT_NUMBER] = "",
                            bar[PROGRESS_COLUMNS_MAX + 1];
    size_t at = 0;

    text_fit(slash != NULL ? slash + 1 : name, l->name, shown, sizeof(shown));
    *wide = strlen(shown) - l->name;
    if (l->name > 0) {
        at += (size_t) snprintf(out, TEXT_MAX, "%s ", shown);
    }
    if (percent >= 0) {
        snprintf(number, sizeof(number), "%d%%", percent);
    }
    at += (size_t) snprintf(out + at, TEXT_MAX - at, "%4s", number);
    if (l->bar > 0) {
        if (percent >= 0) {
            draw_known(now, l->bar, bar);
        } else {
            draw_unknown(p->pictures, l->bar, bar);
        }
        at += (size_t) snprintf(out + at, TEXT_MAX - at, "[%.*s]",
                                (int) l->bar, bar);
    }
    return at;
}

static size_t
put_left(const struct progress *p, const struct shoal_progress *now,
         bool ended, char *out, size_t cap)
{
    char number[TEXT_NUMBER], left[TEXT_NUMBER + 8] = "";

    if (ended) {
        text_took(now->seconds, number);
        snprintf(left, sizeof(left), "in %s", number);
    } else if (now->stage == SHOAL_FINISHING) {
        snprintf(left, sizeof(left), "checking");
    } else if (p->left >= 0) {
        text_left(p->left, number);
        snprintf(left, sizeof(left), "eta %s", number);
    }
    return (size_t) snprintf(out, cap, "  %-11.11s", left);
}

void
progress_bar(const struct progress *p, const struct shoal_progress *now,
             unsigned columns, bool ended, char out[TEXT_MAX])
{
    struct layout l;
    char number[TEXT_NUMBER];
    size_t wide;
    int peers = progress_peers(now);

    lay_out(columns, &l);
    size_t at = put_name(p, now, &l, out, &wide);
    if (l.size) {
        text_bytes((double) now->held, number);
        at += (size_t) snprintf(out + at, TEXT_MAX - at, "  %7s", number);
    }
    if (l.rate) {
        text_rate(ended ? mean_rate(now) : progress_rate(p, now), "", number);
        at += (size_t) snprintf(out + at, TEXT_MAX - at, "  %8s", number);
    }
    if (l.left) {
        at += put_left(p, now, ended, out + at, TEXT_MAX - at);
    }
    if (l.peers && peers >= 0) {
        at +=
            (size_t) snprintf(out + at, TEXT_MAX - at, "  peers %3d%%", peers);
    }
    for (; at - wide < columns; at++) {
        out[at] = ' '; /* over what was there, on any terminal */
    }
    out[at] = '\0';
}
