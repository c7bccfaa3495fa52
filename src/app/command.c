/* command.c - parses the command line by the tables of commands and flags. */
#include "app/command.h"

#include "app/command_table.h"
#include "base/number.h"

#define NEAREST_WORD_BYTES_MAX 32u
#define NEAREST_EDITS_MAX 3u

/* Edits (insertions, deletions, replacements) from `a` to `b`: the Levenshtein distance, computed
 * one row at a time. Longer words than fit the row are infinitely far away. */
static size_t edit_distance(Str a, Str b)
{
    size_t row[NEAREST_WORD_BYTES_MAX + 1];
    if (a.len > NEAREST_WORD_BYTES_MAX || b.len > NEAREST_WORD_BYTES_MAX) {
        return SIZE_MAX;
    }
    for (size_t j = 0; j <= b.len; j++) {
        row[j] = j;
    }
    for (size_t i = 0; i < a.len; i++) {
        size_t diagonal = row[0];
        row[0] = i + 1;
        for (size_t j = 0; j < b.len; j++) {
            size_t replace = diagonal + (str_at(a, i) == str_at(b, j) ? 0 : 1);
            diagonal = row[j + 1];
            row[j + 1] = size_min(replace, size_min(row[j], diagonal) + 1);
        }
    }
    return row[b.len];
}

/* Keeps the nearer of `best` and `candidate`. */
static void consider_word(Str word, Str candidate, size_t *best_edits, Str *best)
{
    size_t edits = edit_distance(word, candidate);
    if (edits < *best_edits) {
        *best_edits = edits;
        *best = candidate;
    }
}

static Err unknown_word(Text *why, const char *what, Str word, Str nearest)
{
    text_format(why, "unknown %s %.*s", what, STR_ARG(word));
    if (nearest.len > 0) {
        text_format(why, "; did you mean %.*s?", STR_ARG(nearest));
    }
    return ERR_SYNTAX;
}

static Err unknown_flag(Text *why, Str word, const CommandInfo *command)
{
    size_t edits = NEAREST_EDITS_MAX + 1;
    Str nearest = STR_NONE;
    for (size_t i = 0; i < command_flag_count(); i++) {
        const CommandFlag *flag = command_flag_at(i);
        if (command_flag_belongs(flag, command)) {
            consider_word(word, flag->name, &edits, &nearest);
        }
    }
    return unknown_word(why, "flag", word, nearest);
}

static Err unknown_command(Text *why, Str word)
{
    if (str_ends(word, S(".kdl")) || str_ends(word, S(".toml"))) {
        text_format(why, "%.*s is no command; to run it: river run %.*s", STR_ARG(word),
                    STR_ARG(word));
        return ERR_SYNTAX;
    }
    size_t edits = NEAREST_EDITS_MAX + 1;
    Str nearest = STR_NONE;
    for (size_t i = 0; i < command_count(); i++) {
        consider_word(word, command_at(i)->name, &edits, &nearest);
    }
    return unknown_word(why, "command", word, nearest);
}

static const CommandFlag *find_flag(Str name)
{
    Str full = name;
    full = str_equal(name, S("-h")) ? S("--help") : full;
    full = str_equal(name, S("-V")) ? S("--version") : full;
    for (size_t i = 0; i < command_flag_count(); i++) {
        if (str_equal(command_flag_at(i)->name, full)) {
            return command_flag_at(i);
        }
    }
    return NULL;
}

/* The words of a command line, and the next one to take. */
typedef struct Words {
    size_t count;
    const Str *list COUNTED_BY(count);
    size_t next;
} Words;

static Err take_value(const CommandFlag *flag, Str value, Command *c, Text *why)
{
    Err err = value.len > 0 ? flag->take(c, value) : ERR_SYNTAX;
    if (err == ERR_OK || err == ERR_AGAIN) {
        return err;
    }
    text_format(why, "%.*s must be %.*s, not %.*s", STR_ARG(flag->name), STR_ARG(flag->value),
                STR_ARG(value.len > 0 ? value : S("empty")));
    return ERR_SYNTAX;
}

/* Applies one flag, written "--flag", "--flag value" or "--flag=value". */
static Err take_flag(Words *words, const CommandInfo *command, Command *c, Text *why)
{
    StrCut cut = str_cut(words->list[words->next++], '=');
    const CommandFlag *flag = find_flag(cut.head);
    if (!flag) {
        return unknown_flag(why, cut.head, command);
    }
    if (!command_flag_belongs(flag, command)) {
        text_format(why, "%.*s does not belong to `river %.*s`", STR_ARG(flag->name),
                    STR_ARG(command->name));
        return ERR_SYNTAX;
    }
    if (flag->value.len == 0) {
        if (cut.found) {
            text_format(why, "%.*s takes no value", STR_ARG(flag->name));
            return ERR_SYNTAX;
        }
        if (flag->take) {
            return flag->take(c, STR_NONE);
        }
        override_from_command_line(&c->overrides, flag->override, S("true"));
        return ERR_OK;
    }
    Str value = cut.tail;
    for (bool there = cut.found;; there = false) {
        if (!there && words->next >= words->count) {
            text_format(why, "%.*s needs a value: %.*s", STR_ARG(flag->name),
                        STR_ARG(flag->value));
            return ERR_SYNTAX;
        }
        value = there ? value : words->list[words->next++];
        if (!flag->take) {
            override_from_command_line(&c->overrides, flag->override, value);
            return ERR_OK;
        }
        Err err = take_value(flag, value, c, why);
        if (err != ERR_AGAIN) {
            return err;
        }
    }
}

/* Returns whether the command takes this argument, and has none yet. */
static bool take_argument(const CommandInfo *command, Command *c, Str argument)
{
    Str *to = NULL;
    switch (command->takes) {
    case ARGUMENT_NONE:
    case ARGUMENT_COMMAND: /* taken already */
        return false;
    case ARGUMENT_FILE:
    case ARGUMENT_OUTPUT:
    case ARGUMENT_NAME:
        to = &c->file;
        break;
    case ARGUMENT_ORIGIN:
        to = &c->starting.origin;
        break;
    case ARGUMENT_DIRECTORY:
        to = &c->starting.directory;
        break;
    case ARGUMENT_SHELL:
        to = &c->shell;
        break;
    }
    if (to->len > 0 || argument.len == 0) {
        return false;
    }
    *to = argument;
    if (command->takes == ARGUMENT_FILE) {
        c->file_is_toml = str_ends(argument, S(".toml"));
    }
    return true;
}

/* Whether what the command cannot do without is there. */
static Err check_argument(const Command *c, Text *why)
{
    if (c->kind == COMMAND_RUN && c->file.len == 0) {
        text_add(why, S("no configuration was given; try: river run FILE, or without a file: "
                        "river proxy ADDRESS"));
    } else if (c->kind == COMMAND_CHECK && c->file.len == 0) {
        text_add(why, S("which file? Try: river check FILE"));
    } else if (c->kind == COMMAND_PROXY && c->starting.origin.len == 0) {
        text_add(why, S("forward to which address? Try: river proxy 127.0.0.1:3000"));
    } else if (c->kind == COMMAND_FILES && c->starting.directory.len == 0) {
        text_add(why, S("which directory? Try: river files ./public"));
    } else if (c->kind == COMMAND_COMPLETION && c->shell.len == 0) {
        text_add(why, S("for which shell? Try: river completion bash"));
    }
    return why->len == 0 ? ERR_OK : ERR_SYNTAX;
}

/* Checks combinations of flags. */
static Err check_whole(const Command *c, Text *why)
{
    TRY(check_argument(c, why));
    TRY(starting_check(&c->starting, why));
    if (c->force && c->file.len == 0) {
        text_add(why, S("--force overwrites which file? Try: river init --force FILE"));
        return ERR_SYNTAX;
    }
    if (c->kind == COMMAND_INIT && str_ends(c->file, S(".toml"))) {
        text_add(why, S("the file is written in KDL: let its name end in .kdl"));
        return ERR_SYNTAX;
    }
    if (c->kdl_version != 0 && !c->print_kdl) {
        text_add(why, S("--kdl-version belongs to --print-kdl"));
        return ERR_SYNTAX;
    }
    return ERR_OK;
}

/* `river help COMMAND` */
static Err take_topic(Words *words, const CommandInfo *help, Command *c, Text *why)
{
    if (words->next >= words->count) {
        return ERR_OK;
    }
    Str word = words->list[words->next];
    if (str_starts(word, S("-"))) {
        c->topic = help->name;
        return take_flag(words, help, c, why);
    }
    const CommandInfo *topic = command_find(word);
    if (!topic) {
        return unknown_command(why, word);
    }
    c->topic = topic->name;
    return ERR_OK;
}

static Err parse_words(Words *words, const CommandInfo *command, Command *c, Text *why)
{
    if (c->kind == COMMAND_HELP) {
        return take_topic(words, command, c, why);
    }
    bool instead = false; /* --help and --version end it */
    while (words->next < words->count && !instead) {
        Str argument = words->list[words->next];
        if (argument.len > 1 && str_at(argument, 0) == '-') {
            TRY(take_flag(words, command, c, why));
            instead = c->kind != command->kind &&
                      (c->kind == COMMAND_HELP || c->kind == COMMAND_VERSION);
        } else if (take_argument(command, c, argument)) {
            words->next++;
        } else {
            text_format(why, "what is \"%.*s\" for?", STR_ARG(argument));
            return ERR_SYNTAX;
        }
    }
    return c->kind == COMMAND_HELP || c->kind == COMMAND_VERSION ? ERR_OK : check_whole(c, why);
}

Err command_parse(size_t count, const Str *arguments, Command *ret, Text *why)
{
    Command c = {.kind = COMMAND_RUN, .hand_over_fd = -1};
    const CommandInfo *command = command_find(S("run"));
    Words words = {.count = count, .list = arguments};
    *ret = (Command){.topic = STR_NONE};
    if (count > 0 && !str_starts(arguments[0], S("-"))) {
        command = command_find(arguments[0]);
        if (!command) {
            return unknown_command(why, arguments[0]);
        }
        words.next = 1;
        c.topic = command->kind == COMMAND_HELP ? STR_NONE : command->name;
        ret->topic = command->name;
    }
    c.kind = command->kind;
    TRY(parse_words(&words, command, &c, why));
    *ret = c;
    return ERR_OK;
}
