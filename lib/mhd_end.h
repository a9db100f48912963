/* mhd_end.h - how a daemon of libmicrohttpd is stopped. */
#ifndef MHD_END_H
#define MHD_END_H

struct MHD_Daemon;
struct crowd;
struct stall;

/**
 * mhd_end(d, crowd, stall):
 * Let nobody in any more, disconnect all, and stop the daemon. Every
 * connection of it is in ${crowd}, which its accept policy asks, and in
 * ${stall}; none is suspended for good.
 */
void mhd_end(struct MHD_Daemon *d, struct crowd *crowd, struct stall *stall);

#endif
