/* build.h - from checked settings to the snapshot that the worker runs by. */
#ifndef CONFIG_BUILD_H
#define CONFIG_BUILD_H

#include "base/arena.h"
#include "config/settings.h"
#include "proxy/snapshot.h"

/* Builds the snapshot in `arena`. `fds` are the bound listeners in the settings' order: service by
 * service, listener by listener; equal addresses are shared by index. ERR_MEMORY only. */
MUST_USE Err config_build(Arena *arena, const Settings *settings, const int *fds, size_t fd_count,
                          const Snapshot **ret);

/* How many listeners there are in all services. */
size_t config_listener_count(const Settings *settings);

#endif
