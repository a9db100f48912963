#include "mhd_end.h"

#include <unistd.h>

#include <microhttpd.h>

#include "clock.h"
#include "crowd.h"
#include "stall.h"

enum {
    DISCONNECT_MS = 1000
};

/* Who is there sees the end of its connection. */
static void
disconnect_all(struct crowd *crowd, struct stall *stall)
{
    uint64_t end = clock_ms() + DISCONNECT_MS;

    do {
        stall_end_all(stall);
        usleep(2000);
    } while (crowd_count(crowd) > 0 && clock_ms() < end);
}

/* libmicrohttpd (0.9.75) crashes when it has to refuse a request while it is
 * being stopped: so there is to be no connection then. MHD_quiesce_daemon()
 * may abort. */
void
mhd_end(struct MHD_Daemon *d, struct crowd *crowd, struct stall *stall)
{
    crowd_close(crowd);
    disconnect_all(crowd, stall);
    MHD_stop_daemon(d);
}
