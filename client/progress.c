#include "progress.h"

#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "progress_dots.h"
#include "shoal.h"

enum {
    COLUMNS = 80,    /* where nothing tells */
    COLUMNS_MIN = 5, /* `100%` and the cursor */
};

static const double SHOW_SECONDS = 0.1; /* between two pictures */
static const double RATE_SECONDS = 3;   /* over which the rate is taken */
static const double LEFT_SECONDS = 1;   /* for which the time left stays */

int
progress_parse(const char *text, struct progress_choice *out)
{
    static const struct {
        const char *name;
        enum progress_style style;
    } styles[] = {
        { "bar", PROGRESS_BAR },
        { "bar:noscroll", PROGRESS_BAR }, /* names never scroll */
        { "bar:force", PROGRESS_FORCED_BAR },
        { "bar:force:noscroll", PROGRESS_FORCED_BAR },
        { "bar:noscroll:force", PROGRESS_FORCED_BAR },
        { "dot", PROGRESS_DOT },
        { "none", PROGRESS_NONE },
    };

    for (size_t i = 0; i < sizeof(styles) / sizeof(styles[0]); i++) {
        if (strcmp(text, styles[i].name) == 0) {
            *out = (struct progress_choice){ styles[i].style, NULL };
            return 0;
        }
    }
    const struct progress_dots *dots =
        strncmp(text, "dot:", 4) == 0 ? progress_dots_find(text + 4) : NULL;
    if (dots == NULL) {
        return SHOAL_EINVAL;
    }
    *out = (struct progress_choice){ PROGRESS_DOT, dots };
    return 0;
}

void
progress_start(struct progress *p, const struct progress_choice *choice,
               FILE *f)
{
    memset(p, 0, sizeof(*p));
    p->f = f;
    p->is_terminal = isatty(fileno(f)) == 1;
    p->is_bar = choice->style == PROGRESS_FORCED_BAR
                || (choice->style <= PROGRESS_BAR && p->is_terminal);
    p->is_dot = !p->is_bar && choice->style != PROGRESS_NONE;
    p->dots = choice->dots;
    p->left_at = -1;
    p->left = -1;
}

/* Asked for each picture, so a window that changes its size needs no signal
 * handler. */
static unsigned
columns_of(const struct progress *p)
{
    struct winsize w;
    unsigned long n = 0;

    if (p->is_terminal && ioctl(fileno(p->f), TIOCGWINSZ, &w) == 0) {
        n = w.ws_col;
    }
    const char *told = getenv("COLUMNS");
    if (n == 0 && told != NULL) {
        n = strtoul(told, NULL, 10);
    }
    if (n == 0) {
        n = COLUMNS;
    }
    return n < COLUMNS_MIN            ? COLUMNS_MIN
           : n > PROGRESS_COLUMNS_MAX ? PROGRESS_COLUMNS_MAX
                                      : (unsigned) n;
}

static void
add_sample(struct progress *p, double seconds, uint64_t bytes)
{
    unsigned i = p->next_sample;

    p->samples[i].seconds = seconds;
    p->samples[i].bytes = bytes;
    p->next_sample = (i + 1) % PROGRESS_SAMPLES;
    if (p->n_samples < PROGRESS_SAMPLES) {
        p->n_samples++;
    }
}

/* Bytes a second over the last seconds; 0: none, or nobody knows. */
double
progress_rate(const struct progress *p, const struct shoal_progress *now)
{
    for (unsigned k = p->n_samples; k > 0; k--) {
        unsigned i =
            (p->next_sample + PROGRESS_SAMPLES - k) % PROGRESS_SAMPLES;
        double span = now->seconds - p->samples[i].seconds;

        if (span > RATE_SECONDS || p->samples[i].bytes > now->held) {
            continue;
        }
        return span > 0.001 ? (double) (now->held - p->samples[i].bytes) / span
                            : 0;
    }
    return 0;
}

static void
note_left(struct progress *p, const struct shoal_progress *now)
{
    double rate = progress_rate(p, now);

    if (p->left_at >= 0 && now->seconds - p->left_at < LEFT_SECONDS) {
        return;
    }
    p->left_at = now->seconds;
    p->left = rate > 0 && now->size != SHOAL_UNKNOWN && now->held < now->size
                  ? (double) (now->size - now->held) / rate
                  : -1;
}

int
progress_peers(const struct shoal_progress *now)
{
    double others =
        (double) now->used[SHOAL_SUPER] + (double) now->used[SHOAL_PEER];
    double all = others + (double) now->used[SHOAL_CDN];

    return others > 0 ? (int) (others * 100 / all) : -1;
}

int
progress_percent(const struct shoal_progress *now)
{
    if (now->size == SHOAL_UNKNOWN) {
        return -1;
    }
    if (now->held >= now->size) {
        return 100;
    }
    return (int) ((double) now->held * 100 / (double) now->size);
}

/* A job in the background leaves the terminal to who works there. */
static bool
in_background(const struct progress *p)
{
    pid_t group = p->is_terminal ? tcgetpgrp(fileno(p->f)) : -1;

    return group >= 0 && group != getpgrp();
}

static void
draw(struct progress *p, const struct shoal_progress *now, bool ended)
{
    char line[TEXT_MAX];

    if (in_background(p)) {
        return;
    }
    p->columns = columns_of(p) - 1; /* in the last one it would wrap */
    progress_bar(p, now, p->columns, ended, line);
    fprintf(p->f, "\r%s", line);
    fflush(p->f);
    p->pictures++;
    p->begun = true;
}

void
progress_show(struct progress *p, const struct shoal_progress *now)
{
    if ((!p->is_bar && !p->is_dot) || now->stage == SHOAL_STARTING
        || now->seconds < p->due)
    {
        return;
    }
    if (p->n_samples == 0) {
        add_sample(p, 0, now->resumed);
    }
    /* calls that come ten times a second, more or less, are all taken */
    p->due += SHOW_SECONDS;
    if (p->due < now->seconds + SHOW_SECONDS / 2) {
        p->due = now->seconds + SHOW_SECONDS / 2;
    }
    add_sample(p, now->seconds, now->held);
    note_left(p, now);
    if (p->is_bar) {
        draw(p, now, false);
    } else {
        progress_dots_show(p, now);
        p->begun = true;
    }
}

void
progress_interrupt(struct progress *p)
{
    if (p->is_bar && p->columns > 0) {
        fprintf(p->f, "\r%*s\r", (int) p->columns, "");
        p->columns = 0;
    } else if (p->in_row) {
        fputc('\n', p->f);
        p->in_row = false;
    }
}

void
progress_end(struct progress *p, const struct shoal_progress *now)
{
    if (!p->begun && (now->held == 0 || (!p->is_bar && !p->is_dot))) {
        return;
    }
    if (p->is_bar) {
        draw(p, now, true);
        fputc('\n', p->f);
        p->columns = 0;
    } else {
        progress_dots_end(p, now);
    }
    fflush(p->f);
    p->begun = false;
}
