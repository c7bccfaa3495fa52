/* override.h - settings from outside of the file: command line, then environment, then file.
 *
 * One table says which there are; `river env` and `--help` print it. Nothing here reads the
 * environment: the caller asks for each variable's value (no global state). */
#ifndef CONFIG_OVERRIDE_H
#define CONFIG_OVERRIDE_H

#include "kdl/diagnostic.h"

/* name, environment variable, command line flag ("" for none), path in the file, sentence */
#define OVERRIDE_TABLE(X)                                                                          \
    X(THREADS, "RIVER_THREADS_PER_SERVICE", "--threads-per-service", "system/threads-per-service", \
      "threads that serve all services")                                                           \
    X(DAEMONIZE, "RIVER_DAEMONIZE", "--daemonize", "system/daemonize",                             \
      "true: run in the background (needs a pid file)")                                            \
    X(PID_FILE, "RIVER_PIDFILE", "--pidfile", "system/pid-file",                                   \
      "absolute path of the pid file")                                                             \
    X(UPGRADE_SOCKET, "RIVER_UPGRADE_SOCKET", "--upgrade-socket", "system/upgrade-socket",         \
      "absolute path of the socket over which a new River takes over")                             \
    X(CONTROL_SOCKET, "RIVER_CONTROL_SOCKET", "--control-socket", "system/control-socket",         \
      "absolute path of the socket that `river status` asks")                                      \
    X(DRAIN_TIMEOUT, "RIVER_DRAIN_TIMEOUT_MS", "", "system/drain-timeout-ms",                      \
      "how long open requests may go on after SIGTERM, in milliseconds")                           \
    X(BUFFER_MEMORY, "RIVER_BUFFER_MEMORY_BYTES", "", "system/buffer-memory-bytes",                \
      "the worker's memory budget in bytes")                                                       \
    X(ACCESS_LOG, "RIVER_ACCESS_LOG", "", "system/log/access",                                     \
      "off, stdout, stderr or an absolute path")                                                   \
    X(ACCESS_FORMAT, "RIVER_ACCESS_LOG_FORMAT", "", "system/log/access/format",                    \
      "json, logfmt or combined")                                                                  \
    X(ERROR_LOG, "RIVER_ERROR_LOG", "", "system/log/error", "stderr or an absolute path")          \
    X(LOG_LEVEL, "RIVER_LOG_LEVEL", "", "system/log/error/level",                                  \
      "error, warn, info or debug")

typedef enum OverrideId {
#define X(name, variable, flag, path, sentence) OVERRIDE_##name,
    OVERRIDE_TABLE(X)
#undef X
        OVERRIDE_COUNT
} OverrideId;

typedef struct OverrideInfo {
    Str variable;
    Str flag; /* empty: none */
    Str path;
    Str sentence;
} OverrideInfo;

const OverrideInfo *override_info(OverrideId id);

typedef struct Override {
    bool set;
    bool from_command_line;
    Str text; /* the value as it was given; the caller's */
} Override;

typedef struct ConfigOverrides {
    Override of[OVERRIDE_COUNT];
} ConfigOverrides;

/* A value of the environment (an unset variable is not passed; an empty one counts as unset). */
void override_from_environment(ConfigOverrides *o, OverrideId id, Str value);
/* A value of the command line: it wins over the environment whichever is set first. */
void override_from_command_line(ConfigOverrides *o, OverrideId id, Str value);

/* What `river env` prints: every variable, its sentence, and its value in `o`. */
void override_print(const ConfigOverrides *o, Text *out);

#endif
