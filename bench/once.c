/*
 * Runs a command and tells what it took, from exec to exit: one line of JSON
 * on standard output. Times are of the monotonic clock, so those of several
 * commands can be compared.
 *
 * usage: once [--cpu N] [--stdout FILE] [--warm MIB] COMMAND [ARGUMENT]...
 *
 * --warm: so much memory was in use a moment ago. In a virtual machine free
 * memory may go back to the host, and getting it again costs more than to
 * fill it.
 */

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <spawn.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

struct once {
    char **command;
    const char *out; /* its standard output */
    int cpu;         /* the only one it may use; -1: any */
    size_t warm_mib;
};

static double
seconds_now(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double) t.tv_sec + (double) t.tv_nsec / 1e9;
}

static double
seconds_of(struct timeval t)
{
    return (double) t.tv_sec + (double) t.tv_usec / 1e6;
}

static bool
parse(struct once *o, int argc, char **argv)
{
    int i = 1;

    for (; i + 1 < argc && strncmp(argv[i], "--", 2) == 0; i += 2) {
        if (strcmp(argv[i], "--stdout") == 0) {
            o->out = argv[i + 1];
        } else if (strcmp(argv[i], "--cpu") == 0) {
            o->cpu = (int) strtol(argv[i + 1], NULL, 10);
        } else if (strcmp(argv[i], "--warm") == 0) {
            o->warm_mib = strtoul(argv[i + 1], NULL, 10);
        } else {
            return false;
        }
    }
    o->command = argv + i;
    return i < argc;
}

/* The mask is inherited by the child. */
static int
pin(int cpu)
{
    cpu_set_t set;

    if (cpu < 0) {
        return 0;
    }
    CPU_ZERO(&set);
    CPU_SET((size_t) cpu, &set);
    return sched_setaffinity(0, sizeof(set), &set) == 0 ? 0 : errno;
}

static void
touch(size_t bytes)
{
    char *p = mmap(NULL, bytes, PROT_READ | PROT_WRITE,
                   MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

    if (p != MAP_FAILED) {
        memset(p, 1, bytes);
    }
}

/* By a process of its own: the largest size of this one would count as the
 * command's. */
static int
warm(size_t mib)
{
    int status;
    pid_t pid = mib > 0 ? fork() : 0;

    if (mib == 0) {
        return 0;
    }
    if (pid == 0) {
        touch(mib << 20);
        _exit(0);
    }
    return pid > 0 && waitpid(pid, &status, 0) == pid ? 0 : errno;
}

static int
start(const struct once *o, pid_t *pid)
{
    posix_spawn_file_actions_t files;
    int err = posix_spawn_file_actions_init(&files);

    if (err != 0) {
        return err;
    }
    err = posix_spawn_file_actions_addopen(&files, STDOUT_FILENO, o->out,
                                           O_WRONLY | O_CREAT | O_TRUNC, 0666);
    if (err == 0) {
        err = posix_spawnp(pid, o->command[0], &files, NULL, o->command,
                           environ);
    }
    posix_spawn_file_actions_destroy(&files);
    return err;
}

static int
wait_end(pid_t pid, int *status, struct rusage *used)
{
    while (wait4(pid, status, 0, used) != pid) {
        if (errno != EINTR) {
            return errno;
        }
    }
    return 0;
}

static void
tell(double from, double to, int status, const struct rusage *used)
{
    printf("{\"status\":%d,\"start\":%.6f,\"end\":%.6f,\"seconds\":%.6f,"
           "\"cpu_s\":%.6f,\"user_s\":%.6f,\"rss_kib\":%ld}\n",
           WIFSIGNALED(status) ? 256 + WTERMSIG(status) : WEXITSTATUS(status),
           from, to, to - from,
           seconds_of(used->ru_utime) + seconds_of(used->ru_stime),
           seconds_of(used->ru_utime), used->ru_maxrss);
}

int
main(int argc, char **argv)
{
    struct once o = { .out = "/dev/null", .cpu = -1 };
    struct rusage used;
    pid_t pid;
    int status;

    if (!parse(&o, argc, argv)) {
        fputs("usage: once [--cpu N] [--stdout FILE] [--warm MIB] COMMAND "
              "[ARGUMENT]...\n",
              stderr);
        return 2;
    }
    int err = pin(o.cpu);
    if (err == 0) {
        err = warm(o.warm_mib);
    }
    double from = seconds_now();
    if (err == 0) {
        err = start(&o, &pid);
    }
    if (err == 0) {
        err = wait_end(pid, &status, &used);
    }
    if (err != 0) {
        fprintf(stderr, "once: %s: %s\n", o.command[0], strerror(err));
        return 1;
    }
    tell(from, seconds_now(), status, &used);
    return 0;
}
