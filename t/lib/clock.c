/* Preloaded by Shoal::Nginx (clock => 1): the monotonic clock, ahead by what
 * a file says, so that a test need not wait ten minutes. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/timerfd.h>
#include <time.h>
#include <unistd.h>

static const volatile int64_t *ahead; /* seconds */
static int (*real)(clockid_t, struct timespec *);

__attribute__((constructor)) static void
begin(void)
{
    const char *path = getenv("SHOAL_CLOCK");
    int fd = path != NULL ? open(path, O_RDONLY | O_CLOEXEC) : -1;

    if (fd != -1) {
        void *p = mmap(NULL, sizeof(*ahead), PROT_READ, MAP_SHARED, fd, 0);

        ahead = p != MAP_FAILED ? p : NULL;
        close(fd);
    }
}

/* What is set by that clock is due by the kernel's. */
int
timerfd_settime(int fd, int flags, const struct itimerspec *new,
                struct itimerspec *old)
{
    static int (*settime)(int, int, const struct itimerspec *,
                          struct itimerspec *);
    struct itimerspec ts = *new;

    if (settime == NULL) {
        *(void **) &settime = dlsym(RTLD_NEXT, "timerfd_settime");
    }
    if (ahead != NULL && (flags & TFD_TIMER_ABSTIME) != 0
        && (ts.it_value.tv_sec != 0 || ts.it_value.tv_nsec != 0))
    {
        ts.it_value.tv_sec -= *ahead;
        if (ts.it_value.tv_sec < 0) {
            ts.it_value = (struct timespec){ .tv_nsec = 1 };
        }
    }
    return settime(fd, flags, &ts, old);
}

int
clock_gettime(clockid_t id, struct timespec *ts)
{
    if (real == NULL) {
        *(void **) &real = dlsym(RTLD_NEXT, "clock_gettime");
    }
    int rc = real(id, ts);
    if (rc == 0 && ahead != NULL && id != CLOCK_REALTIME
        && id != CLOCK_REALTIME_COARSE && id != CLOCK_PROCESS_CPUTIME_ID
        && id != CLOCK_THREAD_CPUTIME_ID)
    {
        ts->tv_sec += *ahead;
    }
    return rc;
}
