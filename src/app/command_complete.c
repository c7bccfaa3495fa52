/* command_complete.c - completions for shells, made from the tables of commands and flags. */
#include "app/command_help.h"
#include "app/command_table.h"

static bool takes_path(Str value)
{
    return str_equal(value, S("PATH")) || str_equal(value, S("FILE")) ||
           str_equal(value, S("CERT KEY"));
}

static bool takes_directory(Str value)
{
    return str_equal(value, S("DIR"));
}

static bool takes_word(Str value)
{
    return str_find(value, '|', 0) < value.len;
}

/* "a|b" as "a b". */
static void add_choices(Text *out, Str value)
{
    for (size_t i = 0; i < value.len; i++) {
        text_byte(out, str_at(value, i) == '|' ? ' ' : str_at(value, i));
    }
}

static void add_command_names(Text *out, uint8_t between)
{
    for (size_t i = 0; i < command_count(); i++) {
        if (i > 0) {
            text_byte(out, between);
        }
        text_add(out, command_at(i)->name);
    }
}

static bool is_offered(const CommandFlag *f, const CommandInfo *c)
{
    return command_flag_belongs(f, c) && !command_flag_is_internal(f);
}

/* ---- bash ---- */

/* `--a|--b) ACTION ;;` for all flags whose value is of a kind. */
static void bash_values(Text *out, bool (*of_kind)(Str value), Str action)
{
    bool any = false;
    for (size_t i = 0; i < command_flag_count(); i++) {
        const CommandFlag *f = command_flag_at(i);
        if (f->value.len > 0 && of_kind(f->value)) {
            text_add(out, any ? S("|") : S("    "));
            text_add(out, f->name);
            any = true;
        }
    }
    text_add(out, any ? S(") ") : STR_NONE);
    text_add(out, any ? action : STR_NONE);
}

static bool takes_other(Str value)
{
    return !takes_path(value) && !takes_directory(value) && !takes_word(value);
}

static void bash_argument(Text *out, const CommandInfo *c)
{
    switch (c->takes) {
    case ARGUMENT_FILE:
    case ARGUMENT_OUTPUT:
        text_add(out, S(" kind=file"));
        return;
    case ARGUMENT_DIRECTORY:
        text_add(out, S(" kind=directory"));
        return;
    case ARGUMENT_COMMAND:
        text_add(out, S(" words=\"$commands\""));
        return;
    case ARGUMENT_SHELL:
        text_add(out, S(" words=\""));
        add_choices(out, c->argument);
        text_add(out, S("\""));
        return;
    case ARGUMENT_NONE:
    case ARGUMENT_ORIGIN:
    case ARGUMENT_NAME:
        return;
    }
}

static void complete_bash(Text *out)
{
    text_add(out, S("# bash completion for river, written by `river completion bash`\n"
                    "_river() {\n"
                    "    local cur=${COMP_WORDS[COMP_CWORD]} prev=${COMP_WORDS[COMP_CWORD-1]}\n"
                    "    local flags= words= kind= commands=\""));
    add_command_names(out, ' ');
    text_add(out, S("\"\n"
                    "    if [[ $cur == = ]]; then\n"
                    "        cur=\n"
                    "    elif [[ $prev == = ]]; then\n"
                    "        prev=${COMP_WORDS[COMP_CWORD-2]}\n"
                    "    fi\n"
                    "    COMPREPLY=()\n"
                    "    case $prev in\n"));
    bash_values(out, takes_path, S("kind=file ;;\n"));
    bash_values(out, takes_directory, S("kind=directory ;;\n"));
    for (size_t i = 0; i < command_flag_count(); i++) {
        const CommandFlag *f = command_flag_at(i);
        if (takes_word(f->value)) {
            text_format(out, "    %.*s) words=\"", STR_ARG(f->name));
            add_choices(out, f->value);
            text_add(out, S("\" ;;\n"));
        }
    }
    bash_values(out, takes_other, S("return ;;\n"));
    text_add(out, S("    *)\n        case ${COMP_WORDS[1]} in\n"));
    for (size_t i = 0; i < command_count(); i++) {
        const CommandInfo *c = command_at(i);
        text_format(out, "        %.*s%s)", STR_ARG(c->name), c->kind == COMMAND_RUN ? "|-*" : "");
        text_add(out, S(" flags=\""));
        for (size_t k = 0; k < command_flag_count(); k++) {
            const CommandFlag *f = command_flag_at(k);
            if (is_offered(f, c)) {
                text_add(out, f->name);
                text_byte(out, ' ');
            }
        }
        text_add(out, S("\""));
        bash_argument(out, c);
        text_add(out, S(" ;;\n"));
    }
    text_add(out, S("        esac\n"
                    "        if (( COMP_CWORD == 1 )) && [[ $cur != -* ]]; then\n"
                    "            words=$commands kind=\n"
                    "        elif [[ $cur == -* ]]; then\n"
                    "            words=$flags kind=\n"
                    "        fi ;;\n"
                    "    esac\n"
                    "    case $kind in\n"
                    "    file) compopt -o filenames 2>/dev/null\n"
                    "        mapfile -t COMPREPLY < <(compgen -f -- \"$cur\") ;;\n"
                    "    directory) compopt -o filenames 2>/dev/null\n"
                    "        mapfile -t COMPREPLY < <(compgen -d -- \"$cur\") ;;\n"
                    "    *) mapfile -t COMPREPLY < <(compgen -W \"$words\" -- \"$cur\") ;;\n"
                    "    esac\n"
                    "}\n"
                    "complete -F _river river\n"));
}

/* ---- zsh ---- */

/* Text within single quotes, with zsh's own marks escaped. */
static void add_zsh(Text *out, Str s)
{
    for (size_t i = 0; i < s.len; i++) {
        uint8_t byte = str_at(s, i);
        if (byte == '\'') {
            text_add(out, S("'\\''"));
        } else {
            text_add(out, byte == '[' || byte == ']' || byte == ':' || byte == '\\' ? S("\\")
                                                                                   : STR_NONE);
            text_byte(out, byte);
        }
    }
}

static void zsh_value(Text *out, Str value)
{
    StrCut two = str_cut(value, ' ');
    for (Str one = two.head; one.len > 0; one = two.tail, two.tail = STR_NONE) {
        text_byte(out, ':');
        add_zsh(out, one);
        text_byte(out, ':');
        if (takes_word(one)) {
            text_byte(out, '(');
            add_choices(out, one);
            text_byte(out, ')');
        } else if (takes_directory(one)) {
            text_add(out, S("_files -/"));
        } else if (takes_path(value)) {
            text_add(out, S("_files"));
        } else {
            text_byte(out, ' ');
        }
    }
}

static void zsh_argument(Text *out, const CommandInfo *c)
{
    switch (c->takes) {
    case ARGUMENT_FILE:
    case ARGUMENT_OUTPUT:
        text_add(out, S(" \\\n            ':file:_files'"));
        return;
    case ARGUMENT_DIRECTORY:
        text_add(out, S(" \\\n            ':directory:_files -/'"));
        return;
    case ARGUMENT_COMMAND:
        text_add(out, S(" \\\n            ':command:("));
        add_command_names(out, ' ');
        text_add(out, S(")'"));
        return;
    case ARGUMENT_SHELL:
        text_add(out, S(" \\\n            ':shell:("));
        add_choices(out, c->argument);
        text_add(out, S(")'"));
        return;
    case ARGUMENT_ORIGIN:
        text_add(out, S(" \\\n            ':address: '"));
        return;
    case ARGUMENT_NAME:
        text_add(out, S(" \\\n            ':name: '"));
        return;
    case ARGUMENT_NONE:
        return;
    }
}

static void complete_zsh(Text *out)
{
    text_add(out, S("#compdef river\n"
                    "# zsh completion for river, written by `river completion zsh`\n"
                    "_river() {\n"
                    "    local -a commands\n"
                    "    local command=$words[2]\n"
                    "    commands=(\n"));
    for (size_t i = 0; i < command_count(); i++) {
        text_format(out, "        '%.*s:", STR_ARG(command_at(i)->name));
        add_zsh(out, command_at(i)->does);
        text_add(out, S("'\n"));
    }
    text_add(out, S("    )\n"
                    "    if (( CURRENT == 2 )) && [[ $command != -* ]]; then\n"
                    "        _describe command commands\n"
                    "        return\n"
                    "    fi\n"
                    "    if [[ $command == -* ]]; then\n"
                    "        command=run\n"
                    "    else\n"
                    "        shift words\n"
                    "        (( CURRENT-- ))\n"
                    "    fi\n"
                    "    case $command in\n"));
    for (size_t i = 0; i < command_count(); i++) {
        const CommandInfo *c = command_at(i);
        text_format(out, "    %.*s)\n        _arguments", STR_ARG(c->name));
        for (size_t k = 0; k < command_flag_count(); k++) {
            const CommandFlag *f = command_flag_at(k);
            if (is_offered(f, c)) {
                text_format(out, " \\\n            '%.*s%s[", STR_ARG(f->name),
                            f->value.len > 0 ? "=" : "");
                add_zsh(out, f->does);
                text_byte(out, ']');
                zsh_value(out, f->value);
                text_byte(out, '\'');
            }
        }
        zsh_argument(out, c);
        text_add(out, S(" ;;\n"));
    }
    text_add(out, S("    esac\n"
                    "}\n"
                    "if [[ $funcstack[1] == _river ]]; then\n"
                    "    _river \"$@\"\n"
                    "else\n"
                    "    compdef _river river\n"
                    "fi\n"));
}

/* ---- fish ---- */

static void add_fish(Text *out, Str s)
{
    for (size_t i = 0; i < s.len; i++) {
        uint8_t byte = str_at(s, i);
        text_add(out, byte == '\'' || byte == '\\' ? S("\\") : STR_NONE);
        text_byte(out, byte);
    }
}

/* The flags of `run` are also accepted without that word. */
static void fish_condition(Text *out, const CommandInfo *c, bool flag)
{
    text_add(out, S("complete -c river -n '"));
    text_add(out, flag && c->kind == COMMAND_RUN ? S("__fish_use_subcommand; or ") : STR_NONE);
    text_add(out, S("__fish_seen_subcommand_from "));
    text_add(out, c->name);
    text_add(out, S("'"));
}

static void fish_flag(Text *out, const CommandInfo *c, const CommandFlag *f)
{
    fish_condition(out, c, true);
    text_add(out, S(" -l "));
    text_add(out, str_drop(f->name, 2));
    if (takes_word(f->value)) {
        text_add(out, S(" -x -a '"));
        add_choices(out, f->value);
        text_add(out, S("'"));
    } else if (takes_directory(f->value)) {
        text_add(out, S(" -x -a '(__fish_complete_directories)'"));
    } else if (f->value.len > 0) {
        text_add(out, takes_path(f->value) ? S(" -r -F") : S(" -x"));
    }
    text_add(out, S(" -d '"));
    add_fish(out, f->does);
    text_add(out, S("'\n"));
}

static void fish_argument(Text *out, const CommandInfo *c)
{
    if (c->takes == ARGUMENT_NONE || c->takes == ARGUMENT_ORIGIN || c->takes == ARGUMENT_NAME) {
        return;
    }
    fish_condition(out, c, false);
    if (c->takes == ARGUMENT_FILE || c->takes == ARGUMENT_OUTPUT) {
        text_add(out, S(" -F\n"));
    } else if (c->takes == ARGUMENT_DIRECTORY) {
        text_add(out, S(" -a '(__fish_complete_directories)'\n"));
    } else {
        text_add(out, S(" -a '"));
        if (c->takes == ARGUMENT_SHELL) {
            add_choices(out, c->argument);
        } else {
            add_command_names(out, ' ');
        }
        text_add(out, S("'\n"));
    }
}

static void complete_fish(Text *out)
{
    text_add(out, S("# fish completion for river, written by `river completion fish`\n"
                    "complete -c river -f\n"));
    for (size_t i = 0; i < command_count(); i++) {
        const CommandInfo *c = command_at(i);
        text_format(out, "complete -c river -n __fish_use_subcommand -a %.*s -d '",
                    STR_ARG(c->name));
        add_fish(out, c->does);
        text_add(out, S("'\n"));
    }
    for (size_t i = 0; i < command_count(); i++) {
        const CommandInfo *c = command_at(i);
        for (size_t k = 0; k < command_flag_count(); k++) {
            if (is_offered(command_flag_at(k), c)) {
                fish_flag(out, c, command_flag_at(k));
            }
        }
        fish_argument(out, c);
    }
}

Err command_complete(Str shell, Text *out)
{
    if (str_equal(shell, S("bash"))) {
        complete_bash(out);
    } else if (str_equal(shell, S("zsh"))) {
        complete_zsh(out);
    } else if (str_equal(shell, S("fish"))) {
        complete_fish(out);
    } else {
        return ERR_UNSUPPORTED;
    }
    return ERR_OK;
}
