/* command.h - the command line: what the user asks River to do.
 *
 * Pure: takes arguments, returns a Command, or a message if they make no sense. It opens nothing
 * and reads no environment. */
#ifndef APP_COMMAND_H
#define APP_COMMAND_H

#include "app/starting.h"
#include "base/text.h"
#include "config/load.h"

typedef enum CommandKind {
    COMMAND_RUN,
    COMMAND_PROXY,
    COMMAND_FILES,
    COMMAND_INIT,
    COMMAND_CHECK,
    COMMAND_RELOAD,
    COMMAND_UPGRADE,
    COMMAND_STATUS,
    COMMAND_DOCTOR,
    COMMAND_DEFAULTS,
    COMMAND_REASONS,
    COMMAND_ENV,
    COMMAND_COMPLETION,
    COMMAND_MAN,
    COMMAND_HELP,
    COMMAND_VERSION
} CommandKind;

typedef struct Command {
    CommandKind kind;
    Str topic;         /* the command that was named, also if it makes no sense; empty: none */
    Str file;          /* from --config-kdl or the argument; empty: none */
    bool file_is_toml; /* from --config-toml, or the argument ends in .toml */
    Starting starting; /* of `proxy`, `files` and `init` */
    Str shell;         /* of `completion` */
    bool upgrade;
    int hand_over_fd; /* -1: none */
    bool wait;
    bool rollback;
    bool json;
    bool markdown;
    bool print_kdl;
    bool force;
    int kdl_version; /* 0: the text decides */
    ConfigCompat compat;
    ConfigOverrides overrides; /* from the command line only */
} Command;

/* Parses the arguments after the program name. ERR_SYNTAX: a usage error (exit status 2); `why`
 * says what is wrong, and only ret->topic is set. What *ret points to is in the arguments, or
 * static. */
MUST_USE Err command_parse(size_t count, const Str *arguments, Command *ret, Text *why);

#endif
