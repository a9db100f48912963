/* notify.h - what systemd is told. Each is a no-op where it does not ask. The
 * only part of the super peer that knows libsystemd. */
#ifndef NOTIFY_H
#define NOTIFY_H

#include <stdint.h>

/** notify_ready(status): everything listens; also at the end of a reload. */
void notify_ready(const char *status);

/** notify_reloading(): a reload begins. */
void notify_reloading(void);

void notify_stopping(void);
void notify_status(const char *status);

/** notify_watchdog_ms(): within which notify_alive() is to be said again; 0:
 *  nobody waits for it. */
uint64_t notify_watchdog_ms(void);
void notify_alive(void);

#endif
