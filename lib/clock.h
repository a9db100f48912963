/* clock.h - the time that deadlines and rates are reckoned in. */
#ifndef CLOCK_H
#define CLOCK_H

#include <stdint.h>

/** clock_ms(): monotonic, milliseconds. */
uint64_t clock_ms(void);

/** clock_us(): the same in microseconds; never 0. */
uint64_t clock_us(void);

#endif
