/* diff.h - what a new configuration changes, for people. */
#ifndef CONFIG_DIFF_H
#define CONFIG_DIFF_H

#include "base/arena.h"
#include "base/text.h"
#include "config/settings.h"

#define DIFF_LINES_MAX 200u /* are written; of the rest only the number */

typedef struct ConfigDiff {
    size_t services_changed; /* added, removed and different */
    size_t listeners_changed;
    bool system_changed;
    size_t renewed_count;
    uint32_t *renewed COUNTED_BY(renewed_count); /* fresh listeners with new certificates */
    Str lines; /* "+ service api", "~ listener 127.0.0.1:443: certificate renewed", ... */
} ConfigDiff;

/* Compares two configurations; all that is returned lies in the arena. ERR_MEMORY only. */
MUST_USE Err config_diff(Arena *a, const Settings *old, const Settings *fresh, ConfigDiff *ret);

#endif
