/* command.h - the command line: what the user asks River to do.
 *
 * Pure: takes arguments, returns a Command, or a message if they make no sense. It opens nothing
 * and reads no environment. Flags and subcommands are two tables, which also produce `--help`. */
#ifndef APP_COMMAND_H
#define APP_COMMAND_H

#include "base/text.h"
#include "config/load.h"

typedef enum CommandKind {
    COMMAND_RUN,
    COMMAND_CHECK,
    COMMAND_RELOAD,
    COMMAND_UPGRADE,
    COMMAND_STATUS,
    COMMAND_DOCTOR,
    COMMAND_DEFAULTS,
    COMMAND_ENV,
    COMMAND_HELP,
    COMMAND_VERSION
} CommandKind;

typedef struct Command {
    CommandKind kind;
    Str file;          /* from --config-kdl or the argument; empty: none */
    bool file_is_toml; /* from --config-toml, or the argument ends in .toml */
    bool upgrade;
    int hand_over_fd; /* -1: none */
    bool wait;
    bool rollback;
    bool json;
    bool markdown;
    bool print_kdl;
    int kdl_version; /* 0: the text decides */
    ConfigCompat compat;
    ConfigOverrides overrides; /* from the command line only */
} Command;

/* Parses the arguments after the program name. ERR_SYNTAX: a usage error (exit status 2); `why`
 * says what is wrong. Everything in *ret points into the arguments. */
MUST_USE Err command_parse(size_t count, const Str *arguments, Command *ret, Text *why);

/* What --help prints. */
void command_help(Text *out);

#endif
