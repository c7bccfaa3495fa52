/* machine.h - how much of what the system allows is for clients, and how much for files. */
#ifndef APP_MACHINE_H
#define APP_MACHINE_H

#include "config/settings.h"

/* Processors that this process may use; at least 1. */
size_t machine_cores(void);
/* Clients at once: what the settings say, or what the descriptors suffice for. */
uint64_t machine_connections_max(const SystemSettings *system);
/* Files that each thread may keep open: all of them together a sixteenth of what there is. */
uint32_t machine_files_max(unsigned threads);

#endif
