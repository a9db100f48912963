#include "progress.h"

#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <time.h>
#include <unistd.h>

enum {
    SHOW_MS = 200, /* between two pictures */
    BAR_MAX = 60,
    FIXED = 50 /* columns of everything but name and bar */
};

static uint64_t
clock_ms(void)
{
    struct timespec ts;

    clock_gettime(CLOCK_MONOTONIC, &ts);
    return (uint64_t) ts.tv_sec * 1000 + (uint64_t) ts.tv_nsec / 1000000;
}

void
progress_start(struct progress *p, bool quiet)
{
    memset(p, 0, sizeof(*p));
    p->shown = !quiet && isatty(STDERR_FILENO);
    p->last_ms = clock_ms();
}

void
progress_bytes(double n, char *out, int cap)
{
    static const char units[] = " KMGTPE";
    size_t i = 0;

    while (n >= 1024 && units[i + 1] != '\0') {
        n /= 1024;
        i++;
    }
    if (i == 0) {
        snprintf(out, (size_t) cap, "%.0f", n);
    } else {
        snprintf(out, (size_t) cap, "%.2f%c", n, units[i]);
    }
}

static int
columns(void)
{
    struct winsize w;

    if (ioctl(STDERR_FILENO, TIOCGWINSZ, &w) == 0 && w.ws_col > 0) {
        return w.ws_col;
    }
    return 80;
}

static void
draw(const struct progress *p, const char *name, uint64_t held, uint64_t total)
{
    char size[16], rate[16], bar[BAR_MAX + 1], eta[24] = "";
    int width = columns() - FIXED - 20;

    progress_bytes((double) held, size, sizeof(size));
    progress_bytes(p->rate, rate, sizeof(rate));
    if (total == UINT64_MAX || total == 0) {
        fprintf(stderr, "\r%-20.20s      [  <=>  ] %8s  %8sB/s \033[K", name,
                size, rate);
        return;
    }
    width = width > BAR_MAX ? BAR_MAX : width < 5 ? 5 : width;
    int done = (int) ((double) held / (double) total * width);
    memset(bar, ' ', (size_t) width);
    memset(bar, '=', (size_t) done);
    if (done > 0) {
        bar[done - 1] = '>';
    }
    bar[width] = '\0';
    if (p->rate > 0) {
        double left = (double) (total - held) / p->rate;

        if (left < 360000) {
            snprintf(eta, sizeof(eta), "eta %dm %02ds", (int) left / 60,
                     (int) left % 60);
        }
    }
    fprintf(stderr, "\r%-20.20s %3d%% [%s] %8s  %8sB/s  %s\033[K", name,
            (int) ((double) held * 100 / (double) total), bar, size, rate,
            eta);
}

void
progress_show(struct progress *p, const char *name, uint64_t held,
              uint64_t total)
{
    uint64_t now = clock_ms();

    if (!p->shown || now - p->last_ms < SHOW_MS) {
        return;
    }
    double rate = held > p->last_held ? (double) (held - p->last_held) * 1000
                                            / (double) (now - p->last_ms)
                                      : 0;
    p->rate = p->rate > 0 ? 0.7 * p->rate + 0.3 * rate : rate;
    p->last_ms = now;
    p->last_held = held;
    draw(p, name, held, total);
}

void
progress_end(struct progress *p)
{
    if (p->shown) {
        fprintf(stderr, "\r\033[K");
    }
}
