/* main.c - shoal: download files as with wget, from everybody at once. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "help.h"
#include "options.h"
#include "session.h"
#include "shoal.h"
#include "stop.h"
#include "text.h"

enum {
    WHY_MAX = 1024,  /* bytes of what is wrong with an option */
    BUFFER = 1 << 14 /* bytes of messages; each line goes out */
};

static int
make_layer(const struct options *o)
{
    char why[WHY_MAX] = "";
    int err =
        shoal_make_layer(options_text(o, "make-layer"),
                         options_text(o, "output-document"), why, sizeof(why));

    if (err != 0) {
        fprintf(stderr, "shoal: %s\n", why);
    }
    return err == 0 ? 0 : err == SHOAL_ENOMEM ? STATUS_OTHER : STATUS_FILE;
}

/* From here on messages go to the file of -o or -a; as with wget, - is
 * standard output. */
static int
open_log(const struct options *o)
{
    const char *option = options_last(o, "output-file", "append-output");

    if (option == NULL) {
        return 0;
    }
    const char *path = options_text(o, option);
    int flags = strcmp(option, "append-output") == 0 ? O_APPEND : O_TRUNC;
    if (strcmp(path, "-") == 0) {
        return dup2(STDOUT_FILENO, STDERR_FILENO) >= 0 ? 0 : STATUS_FILE;
    }
    int fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC | flags, 0666);
    if (fd < 0 || dup2(fd, STDERR_FILENO) < 0) {
        fprintf(stderr, "shoal: --%s: %s: %s\n", option, path,
                strerror(errno));
        return STATUS_FILE;
    }
    close(fd);
    return 0;
}

static int
download(const struct options *o)
{
    struct session s;
    int status = open_log(o);

    if (status != 0) {
        return status;
    }
    stop_catch();
    session_run(&s, o);
    if (s.cut) {
        stop_die();
    }
    return s.status;
}

static int
run(const struct options *o)
{
    if (options_flag(o, "help")) {
        help_print(stdout, &o->table);
    } else if (options_flag(o, "version")) {
        printf("shoal %s\n", shoal_version());
    } else if (options_text(o, "completion") != NULL) {
        help_completion(stdout, &o->table);
    } else if (options_text(o, "make-layer") != NULL) {
        return make_layer(o);
    } else {
        return download(o);
    }
    return fflush(stdout) == 0 ? 0 : STATUS_FILE;
}

int
main(int argc, char **argv)
{
    struct options o;
    char why[WHY_MAX] = "", safe[TEXT_MAX];
    int status;

    text_locale();
    setvbuf(stderr, NULL, _IOLBF, BUFFER);
    if (options_read(argc, argv, &o, why, sizeof(why)) != 0) {
        text_safe(why, safe, sizeof(safe));
        fprintf(stderr, "shoal: %s\nTry 'shoal --help'.\n", safe);
        status = STATUS_USAGE;
    } else {
        status = run(&o);
    }
    options_fini(&o);
    return status;
}
