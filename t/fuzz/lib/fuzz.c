#include "fuzz.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

static const struct {
    const char *name;
    fuzz_target *run;
} targets[] = {
    { "header", fuzz_header },     { "tracker", fuzz_tracker },
    { "have", fuzz_have },         { "url", fuzz_url },
    { "events", fuzz_events },     { "values", fuzz_values },
    { "metalink", fuzz_metalink }, { "sums", fuzz_sums },
    { "range", fuzz_range },       { "control", fuzz_control },
    { "layer", fuzz_layer },       { "yaml", fuzz_yaml },
    { "checksum", fuzz_checksum }, { "ticket", fuzz_ticket },
    { "rcfile", fuzz_rcfile },     { "input", fuzz_input },
    { "prepare", fuzz_prepare },   { "admin", fuzz_admin },
    { "cache", fuzz_cache },       { "record", fuzz_record },
    { "request", fuzz_request },
};

static fuzz_target *target;

char *
fuzz_text(const uint8_t *data, size_t len)
{
    char *text = malloc(len + 1);

    fuzz_check(text != NULL, "memory");
    memcpy(text, data, len);
    text[len] = '\0';
    return text;
}

int
fuzz_file(const uint8_t *data, size_t len, char *path, size_t cap)
{
    int fd = memfd_create("input", MFD_CLOEXEC);

    fuzz_check(fd >= 0 && write(fd, data, len) == (ssize_t) len, "memfd");
    snprintf(path, cap, "/proc/self/fd/%d", fd);
    return fd;
}

void
fuzz_check(int ok, const char *what)
{
    if (!ok) {
        fprintf(stderr, "fuzz: %s\n", what);
        abort();
    }
}

int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

int
LLVMFuzzerInitialize(int *argc, char ***argv)
{
    const char *name = strrchr((*argv)[0], '/');

    (void) argc;
    name = name != NULL ? name + 1 : (*argv)[0];
    for (size_t i = 0; i < sizeof(targets) / sizeof(targets[0]); i++) {
        if (strcmp(name, targets[i].name) == 0) {
            target = targets[i].run;
            return 0;
        }
    }
    fprintf(stderr, "fuzz: no target '%s'; there are:", name);
    for (size_t i = 0; i < sizeof(targets) / sizeof(targets[0]); i++) {
        fprintf(stderr, " %s", targets[i].name);
    }
    fprintf(stderr, "\n");
    exit(2);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    target(data, len);
    return 0;
}
