/* machine.h - what this machine gives to River: descriptors and processors. */
#ifndef APP_MACHINE_H
#define APP_MACHINE_H

/* As many descriptors as we may have: each connection is one. */
void machine_raise_descriptors(void);

/* How many threads the worker has: `wanted`, or (0) one for each processor that is ours. */
unsigned machine_threads(unsigned wanted);

#endif
