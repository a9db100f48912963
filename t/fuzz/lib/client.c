/* client.c - what shoal itself reads: its configuration, lists of URLs. */
#include <getopt.h>
#include <string.h>
#include <unistd.h>

#include "../../../client/input.h"
#include "../../../client/options.h"
#include "fuzz.h"
#include "shoal.h"

void
fuzz_rcfile(const uint8_t *data, size_t len)
{
    char name[] = "shoal", option[] = "--config", url[] = "http://a/";
    char path[64], why[512] = "";
    char *argv[] = { name, option, path, url, NULL };
    struct options o;
    int fd = fuzz_file(data, len, path, sizeof(path));

    optind = 0; /* getopt_long() begins anew */
    int err = options_read(4, argv, &o, why, sizeof(why));

    fuzz_check(err == 0 || *why != '\0', "no reason");
    options_fini(&o);
    close(fd);
}

void
fuzz_input(const uint8_t *data, size_t len)
{
    char path[64];
    struct input in;
    const char *url = "";
    int fd = fuzz_file(data, len, path, sizeof(path));
    size_t lines = 0;

    fuzz_check(input_open(&in, path) == 0, "a file that is there");
    while (url != NULL) {
        int err = input_next(&in, &url);

        fuzz_check(err == 0 || err == SHOAL_EINVAL, "another error");
        fuzz_check(err != 0 || url == NULL
                       || (*url != '\0' && *url != '#'
                           && strlen(url) <= INPUT_LINE_MAX),
                   "a line that is no URL");
        fuzz_check(++lines <= len + 1, "more lines than bytes");
    }
    input_close(&in);
    close(fd);
}
