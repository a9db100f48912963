#include <dirent.h>
#include <stdlib.h>

#include "load.h"

/* What one thread has used, or 0: it may have ended. */
static uint64_t
thread_cpu_ns(unsigned pid, const char *tid)
{
    char path[300], line[100];
    FILE *f;

    snprintf(path, sizeof(path), "/proc/%u/task/%s/schedstat", pid, tid);
    f = fopen(path, "re");
    if (f == NULL)
        return 0;
    if (fgets(line, sizeof(line), f) == NULL)
        line[0] = '\0';
    (void) fclose(f);
    return strtoull(line, NULL, 10);
}

uint64_t
meter_cpu_ns(unsigned pid)
{
    const struct dirent *e;
    char path[64];
    uint64_t sum = 0;
    DIR *d;

    snprintf(path, sizeof(path), "/proc/%u/task", pid);
    d = opendir(path);
    if (d == NULL)
        return 0;
    while ((e = readdir(d)) != NULL) {
        if (e->d_name[0] != '.')
            sum += thread_cpu_ns(pid, e->d_name);
    }
    (void) closedir(d);
    return sum;
}
