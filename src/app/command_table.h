/* command_table.h - the commands and flags, each once: the parser, `--help`, the manual page and
 * the completions of shells are all made from these two tables. */
#ifndef APP_COMMAND_TABLE_H
#define APP_COMMAND_TABLE_H

#include "app/command.h"

#define COMMAND_EXAMPLES 2u

/* What a command's argument is. */
typedef enum ArgumentKind {
    ARGUMENT_NONE,
    ARGUMENT_FILE,      /* a configuration */
    ARGUMENT_OUTPUT,    /* a file to write */
    ARGUMENT_ORIGIN,    /* an address to forward to */
    ARGUMENT_DIRECTORY, /* to serve */
    ARGUMENT_COMMAND,   /* the name of a command */
    ARGUMENT_SHELL,
    ARGUMENT_NAME /* of something that the command prints */
} ArgumentKind;

typedef struct CommandExample {
    Str line;
    Str does;
} CommandExample;

typedef struct CommandInfo {
    Str name;
    Str argument; /* as shown: "FILE", "[FILE]"; empty: it takes none */
    Str does;     /* one line */
    Str about;    /* what else --help says */
    CommandKind kind;
    ArgumentKind takes;
    CommandExample examples[COMMAND_EXAMPLES];
} CommandInfo;

typedef Err (*TakeFlag)(Command *c, Str value);

typedef struct CommandFlag {
    Str name;
    Str value; /* as shown: "PATH"; "a|b" are words to choose from; empty: it takes none */
    Str does;
    uint32_t of;         /* bits of the CommandKinds that accept it */
    TakeFlag take;       /* ERR_AGAIN: it takes another value */
    OverrideId override; /* if `take` is NULL */
} CommandFlag;

size_t command_count(void);
const CommandInfo *command_at(size_t i);
/* NULL: there is none. */
const CommandInfo *command_find(Str name);

size_t command_flag_count(void);
const CommandFlag *command_flag_at(size_t i);
bool command_flag_belongs(const CommandFlag *f, const CommandInfo *command);
/* Not shown in help: used by River itself. */
bool command_flag_is_internal(const CommandFlag *f);

#endif
