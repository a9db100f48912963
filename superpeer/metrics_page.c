#include "metrics_page.h"

#include <dirent.h>
#include <inttypes.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <unistd.h>

#include "prefetch.h"

void
metrics_begin(struct metrics_page *p, const char *name, const char *type,
              const char *help)
{
    p->name = name;
    fprintf(p->f, "# HELP %s %s\n# TYPE %s %s\n", name, help, name, type);
}

void
metrics_sample(struct metrics_page *p, const char *label, const char *value,
               uint64_t n)
{
    fprintf(p->f, "%s{%s=\"%s\"} %" PRIu64 "\n", p->name, label, value, n);
}

/* One without labels. */
void
metrics_one(struct metrics_page *p, const char *name, const char *type,
            const char *help, uint64_t n)
{
    metrics_begin(p, name, type, help);
    fprintf(p->f, "%s %" PRIu64 "\n", name, n);
}

/* A text from outside, as the value of a label. */
void
metrics_escape(const char *text, char *out, size_t cap)
{
    size_t n = 0;

    for (; *text != '\0' && n + 3 < cap; text++) {
        unsigned char c = (unsigned char) *text;

        if (c == '\\' || c == '"') {
            out[n++] = '\\';
        }
        out[n++] = c < 32 || c > 126 ? '?' : (char) c;
    }
    out[n] = '\0';
}

void
metrics_histogram(struct metrics_page *p, const char *size,
                  const struct prefetch_histogram *h)
{
    uint64_t sum = 0;

    for (int i = 0; i < PREFETCH_TIMES; i++) {
        sum += h->buckets[i];
        fprintf(p->f,
                "%s_bucket{size=\"%s\",le=\"%" PRIu64 ".%03u\"} %" PRIu64 "\n",
                p->name, size, prefetch_times[i] / 1000,
                (unsigned) (prefetch_times[i] % 1000), sum);
    }
    fprintf(p->f, "%s_bucket{size=\"%s\",le=\"+Inf\"} %" PRIu64 "\n", p->name,
            size, h->count);
    fprintf(p->f, "%s_sum{size=\"%s\"} %" PRIu64 ".%03u\n", p->name, size,
            h->sum_ms / 1000, (unsigned) (h->sum_ms % 1000));
    fprintf(p->f, "%s_count{size=\"%s\"} %" PRIu64 "\n", p->name, size,
            h->count);
}

static uint64_t
count_files(void)
{
    DIR *d = opendir("/proc/self/fd");
    uint64_t n = 0;

    if (d == NULL) {
        return 0;
    }
    while (readdir(d) != NULL) {
        n++;
    }
    closedir(d);
    return n - 3; /* itself and the two that all folders have */
}

static uint64_t
resident_bytes(void)
{
    char line[128] = "", *end = line;
    FILE *f = fopen("/proc/self/statm", "re");

    if (f == NULL || fgets(line, sizeof(line), f) == NULL) {
        line[0] = '\0';
    }
    if (f != NULL) {
        fclose(f);
    }
    strtoull(line, &end, 10);
    return strtoull(end, NULL, 10) * (uint64_t) sysconf(_SC_PAGESIZE);
}

void
metrics_process(struct metrics_page *p)
{
    struct rusage used;
    struct rlimit files;

    getrusage(RUSAGE_SELF, &used);
    getrlimit(RLIMIT_NOFILE, &files);
    uint64_t us =
        (uint64_t) (used.ru_utime.tv_sec + used.ru_stime.tv_sec) * 1000000
        + (uint64_t) (used.ru_utime.tv_usec + used.ru_stime.tv_usec);
    metrics_begin(p, "process_cpu_seconds_total", "counter",
                  "CPU time, of user and system.");
    fprintf(p->f, "%s %" PRIu64 ".%06u\n", p->name, us / 1000000,
            (unsigned) (us % 1000000));
    metrics_one(p, "process_resident_memory_bytes", "gauge",
                "Resident memory; pages of the cache's file are in it.",
                resident_bytes());
    metrics_one(p, "process_open_fds", "gauge", "Open files.", count_files());
    metrics_one(p, "process_max_fds", "gauge", "Limit of open files.",
                files.rlim_cur);
}
