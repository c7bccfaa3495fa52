/* wire_filters.h - filters for transcripts: they pause in every stage, never come back, refuse, or
 * say what their stage does not know. */
#ifndef TESTS_SIM_WIRE_FILTERS_H
#define TESTS_SIM_WIRE_FILTERS_H

#include "network.h"

/* Changes of the service (wire.c). */
void change_pausing(SimWorld *w);
void change_stuck(SimWorld *w);
void change_refusing(SimWorld *w);
void change_bad_verdict(SimWorld *w);

/* Slots that were taken and not given back, of all worlds. */
extern int wire_filter_slots;

#endif
