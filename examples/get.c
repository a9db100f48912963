/* get.c - a program with libshoal in it: get URL FILE [NAME=VALUE]...
 *
 * cc get.c $(pkg-config --cflags --libs shoal) */
#include <signal.h>
#include <stdio.h>
#include <string.h>

#include <shoal.h>

static struct shoal *download;

static void
on_signal(int number)
{
    (void) number;
    shoal_cancel(download);
}

static void
on_progress(void *ctx, const struct shoal_progress *p)
{
    (void) ctx;
    if (p->size != SHOAL_UNKNOWN && p->size > 0) {
        fprintf(stderr, "\r%3.0f %%, %.0f %% of it from others",
                100.0 * (double) p->held / (double) p->size,
                100.0 * (double) (p->used[SHOAL_SUPER] + p->used[SHOAL_PEER])
                    / (double) p->size);
    }
}

int
main(int argc, char **argv)
{
    int err = argc < 3 ? SHOAL_EINVAL : 0;

    download = shoal_create(argv[1]);
    if (download == NULL || err != 0) {
        fprintf(stderr, "usage: get URL FILE [NAME=VALUE]...\n");
        return 2;
    }
    shoal_on_progress(download, on_progress, NULL);
    signal(SIGINT, on_signal);
    err = shoal_set(download, "output-document", argv[2]);
    for (int i = 3; err == 0 && i < argc; i++) {
        char *value = strchr(argv[i], '=');

        if (value != NULL) {
            *value++ = '\0';
        }
        err = shoal_set(download, argv[i], value);
    }
    if (err == 0) {
        err = shoal_run(download);
    }
    fprintf(stderr, "\n%s\n", err == 0 ? "done" : shoal_error(download));
    shoal_free(download);
    return err == 0 ? 0 : 1;
}
