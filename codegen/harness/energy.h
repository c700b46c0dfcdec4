/* Around the model, with all its repeats, a pin of the board is high, where an energy meter waits for that: energy_pin.h.
 * For the one transport of a firmware. */
#ifndef MCUSIM_ENERGY_H
#define MCUSIM_ENERGY_H

#if __has_include("energy_pin.h")
#include "energy_pin.h"
#else
static inline void energy_pin_start(void) {}
static inline void mcusim_energy_pin_high(void) {}
static inline void energy_pin_low(void) {}
#endif

#endif
