#include "progress_dots.h"

#include <inttypes.h>
#include <string.h>

#include "progress.h"
#include "shoal.h"
#include "text.h"

enum {
    KIB = 1024,
    MIB = 1024 * 1024,
    ROWS_MAX = 48 /* of dots, where the style is ours to choose */
};

/* wget's; from the finest to the coarsest. */
static const struct progress_dots styles[] = {
    { "default", KIB, 10, 50 },
    { "binary", 8 * KIB, 16, 48 },
    { "mega", 64 * KIB, 8, 48 },
    { "giga", MIB, 8, 32 },
};

enum {
    STYLES = sizeof(styles) / sizeof(styles[0])
};

const struct progress_dots *
progress_dots_find(const char *name)
{
    for (size_t i = 0; i < STYLES; i++) {
        if (strcmp(name, styles[i].name) == 0) {
            return &styles[i];
        }
    }
    return NULL;
}

static const struct progress_dots *
fitting(uint64_t size)
{
    size_t i = 0;

    if (size == SHOAL_UNKNOWN) {
        return &styles[1];
    }
    while (i + 1 < STYLES
           && size / styles[i].bytes / styles[i].row >= ROWS_MAX) {
        i++;
    }
    return &styles[i];
}

/* A row that was interrupted begins anew, with blanks for its dots. */
static void
begin_row(struct progress *p)
{
    uint64_t row = p->n_dots / p->dots->row;
    unsigned done = (unsigned) (p->n_dots % p->dots->row);

    if (p->in_row) {
        return;
    }
    p->in_row = true;
    fprintf(
        p->f, "%6" PRIu64 "K%*s", row * p->dots->row * p->dots->bytes / KIB,
        (int) (done + (done + p->dots->cluster - 1) / p->dots->cluster), "");
}

static void
end_row(struct progress *p, const struct shoal_progress *now, bool ended)
{
    int percent = progress_percent(now), peers = progress_peers(now);
    char number[TEXT_NUMBER];

    if (!ended && percent >= 0) {
        percent = (int) ((double) p->n_dots * (double) p->dots->bytes * 100
                         / (double) now->size);
    }
    if (percent >= 0) {
        fprintf(p->f, " %3d%%", percent);
    }
    text_rate(progress_rate(p, now), "", number);
    fprintf(p->f, " %8s", number);
    if (ended) {
        text_took(now->seconds, number);
        fprintf(p->f, " in %s", number);
    } else if (p->left >= 0) {
        text_left(p->left, number);
        fprintf(p->f, " eta %s", number);
    }
    if (peers >= 0) {
        fprintf(p->f, " peers %d%%", peers);
    }
    fputc('\n', p->f);
    p->in_row = false;
}

/* One dot, or what stands for it in the last row. */
static void
put(struct progress *p, char c)
{
    begin_row(p);
    if (p->n_dots % p->dots->row % p->dots->cluster == 0) {
        fputc(' ', p->f);
    }
    fputc(c, p->f);
    p->n_dots++;
}

void
progress_dots_show(struct progress *p, const struct shoal_progress *now)
{
    if (p->dots == NULL) {
        p->dots = fitting(now->size);
    }
    while ((p->n_dots + 1) * p->dots->bytes <= now->held) {
        /* what an earlier run left */
        put(p, (p->n_dots + 1) * p->dots->bytes <= now->resumed ? ',' : '.');
        if (p->n_dots % p->dots->row == 0) {
            end_row(p, now, false);
        }
    }
    fflush(p->f);
}

void
progress_dots_end(struct progress *p, const struct shoal_progress *now)
{
    progress_dots_show(p, now);
    do {
        put(p, ' ');
    } while (p->n_dots % p->dots->row != 0);
    end_row(p, now, true);
}
