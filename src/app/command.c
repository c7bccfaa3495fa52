/* command.c - parses the command line with two tables. */
#include "app/command.h"

#include "base/number.h"

#define NEAREST_WORD_BYTES_MAX 32u
#define NEAREST_EDITS_MAX 3u

typedef Err (*TakeFlag)(Command *c, Str value);

typedef struct Flag {
    Str name;
    Str value;   /* what --help calls its value; empty: it takes none */
    Str help;
    uint32_t of; /* bits of the CommandKinds that accept it */
    TakeFlag take;
    OverrideId override; /* if `take` is NULL */
} Flag;

typedef struct Subcommand {
    Str name;
    Str arguments;
    Str help;
    CommandKind kind;
    bool takes_file;
} Subcommand;

#define OF(kind) (1u << COMMAND_##kind)
#define OF_ALL UINT32_MAX

static Err take_config(Command *c, Str value)
{
    c->file = value;
    c->file_is_toml = false;
    return ERR_OK;
}

static Err take_toml(Command *c, Str value)
{
    c->file = value;
    c->file_is_toml = true;
    return ERR_OK;
}

static Err take_validate(Command *c, Str value)
{
    (void)value;
    c->kind = COMMAND_CHECK;
    return ERR_OK;
}

static Err take_upgrade(Command *c, Str value)
{
    (void)value;
    c->upgrade = true;
    return ERR_OK;
}

static Err take_wait(Command *c, Str value)
{
    (void)value;
    c->wait = true;
    return ERR_OK;
}

static Err take_rollback(Command *c, Str value)
{
    (void)value;
    c->rollback = true;
    return ERR_OK;
}

static Err take_hand_over(Command *c, Str value)
{
    uint64_t fd = 0;
    TRY(number_decimal(value, INT32_MAX, &fd));
    c->hand_over_fd = (int)fd;
    return ERR_OK;
}

static Err take_json(Command *c, Str value)
{
    (void)value;
    c->json = true;
    return ERR_OK;
}

static Err take_markdown(Command *c, Str value)
{
    (void)value;
    c->markdown = true;
    return ERR_OK;
}

static Err take_print_kdl(Command *c, Str value)
{
    (void)value;
    c->print_kdl = true;
    return ERR_OK;
}

static Err take_kdl_version(Command *c, Str value)
{
    uint64_t version = 0;
    TRY(number_decimal(value, 2, &version));
    if (version == 0) {
        return ERR_RANGE;
    }
    c->kdl_version = (int)version;
    return ERR_OK;
}

static Err take_compat(Command *c, Str value)
{
    return config_compat_parse(value, &c->compat);
}

static Err take_help(Command *c, Str value)
{
    (void)value;
    c->kind = COMMAND_HELP;
    return ERR_OK;
}

static Err take_version(Command *c, Str value)
{
    (void)value;
    c->kind = COMMAND_VERSION;
    return ERR_OK;
}

#define FLAG(flag, shown, text, kinds, taker)                                                      \
    {.name = S_INIT(flag), .value = S_INIT(shown), .help = S_INIT(text), .of = (kinds),            \
     .take = (taker)}
#define FLAG_OVERRIDE(flag, shown, text, kinds, id)                                                \
    {.name = S_INIT(flag), .value = S_INIT(shown), .help = S_INIT(text), .of = (kinds),            \
     .override = OVERRIDE_##id}

static const Flag flags[] = {
    FLAG("--config-kdl", "PATH", "the configuration to run", OF(RUN) | OF(CHECK), take_config),
    FLAG("--config-toml", "PATH", "a configuration in River 0.2's format (deprecated)",
         OF(RUN) | OF(CHECK), take_toml),
    FLAG("--validate-configs", "", "check the configuration, start nothing", OF(RUN) | OF(CHECK),
         take_validate),
    FLAG("--compat", "0.5|0.8", "only warn about what that River ignored", OF(RUN) | OF(CHECK),
         take_compat),
    FLAG_OVERRIDE("--threads-per-service", "N", "threads that serve all services", OF(RUN),
                  THREADS),
    FLAG_OVERRIDE("--daemonize", "", "run in the background (needs a pid file)", OF(RUN),
                  DAEMONIZE),
    FLAG_OVERRIDE("--pidfile", "PATH", "where to write the process id", OF(RUN), PID_FILE),
    FLAG("--upgrade", "", "take over from a running River, which must get SIGQUIT", OF(RUN),
         take_upgrade),
    FLAG("--hand-over-fd", "N", "(used by `river upgrade`)", OF(RUN), take_hand_over),
    FLAG_OVERRIDE("--upgrade-socket", "PATH", "the socket over which that happens", OF(RUN),
                  UPGRADE_SOCKET),
    FLAG_OVERRIDE("--control-socket", "PATH", "the socket that `river status` asks",
                  OF(RUN) | OF(STATUS) | OF(RELOAD) | OF(UPGRADE) | OF(DOCTOR), CONTROL_SOCKET),
    FLAG("--json", "", "the answer as JSON", OF(STATUS) | OF(DOCTOR), take_json),
    FLAG("--wait", "", "until every new request goes by the new configuration", OF(RELOAD),
         take_wait),
    FLAG("--rollback", "", "go back to the configuration before", OF(RELOAD), take_rollback),
    FLAG("--print-kdl", "", "print it as it was read, as KDL in canonical form", OF(CHECK),
         take_print_kdl),
    FLAG("--kdl-version", "1|2", "read it as this version of KDL", OF(CHECK), take_kdl_version),
    FLAG("--markdown", "", "the defaults as the manual's option reference", OF(DEFAULTS),
         take_markdown),
    FLAG("--help", "", "this text", OF_ALL, take_help),
    FLAG("--version", "", "River's version", OF_ALL, take_version),
};
#define FLAG_COUNT (sizeof flags / sizeof flags[0])

static const Subcommand subcommands[] = {
    {S_INIT("run"), S_INIT("[FILE]"), S_INIT("run River (also without this word)"), COMMAND_RUN,
     true},
    {S_INIT("check"), S_INIT("FILE"), S_INIT("check a configuration and say what is wrong with it"),
     COMMAND_CHECK, true},
    {S_INIT("status"), S_INIT("[--json]"), S_INIT("what a running River is doing"), COMMAND_STATUS,
     false},
    {S_INIT("reload"), S_INIT("[--wait]"), S_INIT("read the configuration again, lose nothing"),
     COMMAND_RELOAD, false},
    {S_INIT("upgrade"), S_INIT(""), S_INIT("let this binary take over, lose nothing"),
     COMMAND_UPGRADE, false},
    {S_INIT("doctor"), S_INIT("[--json] [FILE]"),
     S_INIT("what this machine gives River, and what is missing"), COMMAND_DOCTOR, true},
    {S_INIT("defaults"), S_INIT(""), S_INIT("print every option with its default"),
     COMMAND_DEFAULTS, false},
    {S_INIT("env"), S_INIT(""), S_INIT("print every environment variable that is read"),
     COMMAND_ENV, false},
    {S_INIT("help"), S_INIT(""), S_INIT("this text"), COMMAND_HELP, false},
    {S_INIT("version"), S_INIT(""), S_INIT("River's version"), COMMAND_VERSION, false},
};
#define SUBCOMMAND_COUNT (sizeof subcommands / sizeof subcommands[0])

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

static Err unknown_flag(Text *why, Str word)
{
    size_t edits = NEAREST_EDITS_MAX + 1;
    Str nearest = STR_NONE;
    for (size_t i = 0; i < FLAG_COUNT; i++) {
        consider_word(word, flags[i].name, &edits, &nearest);
    }
    return unknown_word(why, "flag", word, nearest);
}

static Err unknown_subcommand(Text *why, Str word)
{
    size_t edits = NEAREST_EDITS_MAX + 1;
    Str nearest = STR_NONE;
    for (size_t i = 0; i < SUBCOMMAND_COUNT; i++) {
        consider_word(word, subcommands[i].name, &edits, &nearest);
    }
    return unknown_word(why, "command", word, nearest);
}

static const Subcommand *subcommand_find(Str name)
{
    for (size_t i = 0; i < SUBCOMMAND_COUNT; i++) {
        if (str_equal(subcommands[i].name, name)) {
            return &subcommands[i];
        }
    }
    return NULL;
}

static const Flag *flag_find(Str name)
{
    Str full = name;
    full = str_equal(name, S("-h")) ? S("--help") : full;
    full = str_equal(name, S("-V")) ? S("--version") : full;
    for (size_t i = 0; i < FLAG_COUNT; i++) {
        if (str_equal(flags[i].name, full)) {
            return &flags[i];
        }
    }
    return NULL;
}

/* Applies one flag, written "--flag", "--flag value" or "--flag=value"; *next is the index of the
 * following argument and advances if that was the value. */
static Err take_flag(size_t count, const Str *arguments, size_t *next, const Subcommand *sub,
                     Command *c, Text *why)
{
    StrCut cut = str_cut(arguments[*next], '=');
    (*next)++;
    const Flag *flag = flag_find(cut.head);
    if (!flag) {
        return unknown_flag(why, cut.head);
    }
    if (!(flag->of & (1u << sub->kind))) {
        text_format(why, "%.*s does not belong to `river %.*s`", STR_ARG(flag->name),
                    STR_ARG(sub->name));
        return ERR_SYNTAX;
    }
    Str value = cut.tail;
    if (flag->value.len == 0 && cut.found) {
        text_format(why, "%.*s takes no value", STR_ARG(flag->name));
        return ERR_SYNTAX;
    }
    if (flag->value.len > 0 && !cut.found) {
        if (*next >= count) {
            text_format(why, "%.*s needs a value: %.*s", STR_ARG(flag->name),
                        STR_ARG(flag->value));
            return ERR_SYNTAX;
        }
        value = arguments[(*next)++];
    }
    if (!flag->take) {
        override_from_command_line(&c->overrides, flag->override,
                                   flag->value.len > 0 ? value : S("true"));
        return ERR_OK;
    }
    if (flag->take(c, value) != ERR_OK) {
        text_format(why, "%.*s must be %.*s, not %.*s", STR_ARG(flag->name), STR_ARG(flag->value),
                    STR_ARG(value));
        return ERR_SYNTAX;
    }
    return ERR_OK;
}

/* Checks combinations of flags. */
static Err check_whole(const Command *c, Text *why)
{
    if (c->kind == COMMAND_RUN && c->file.len == 0) {
        text_add(why, S("no configuration was given; try: river --config-kdl PATH"));
        return ERR_SYNTAX;
    }
    if (c->kind == COMMAND_CHECK && c->file.len == 0) {
        text_add(why, S("which file? Try: river check FILE"));
        return ERR_SYNTAX;
    }
    if (c->kdl_version != 0 && !c->print_kdl) {
        text_add(why, S("--kdl-version belongs to --print-kdl"));
        return ERR_SYNTAX;
    }
    return ERR_OK;
}

Err command_parse(size_t count, const Str *arguments, Command *ret, Text *why)
{
    Command c = {.kind = COMMAND_RUN, .hand_over_fd = -1};
    const Subcommand *sub = &subcommands[0];
    size_t next = 0;
    if (count > 0 && !str_starts(arguments[0], S("-"))) {
        sub = subcommand_find(arguments[0]);
        if (!sub) {
            return unknown_subcommand(why, arguments[0]);
        }
        next = 1;
    }
    c.kind = sub->kind;
    while (next < count && c.kind != COMMAND_HELP && c.kind != COMMAND_VERSION) {
        Str argument = arguments[next];
        if (argument.len > 1 && str_at(argument, 0) == '-') {
            TRY(take_flag(count, arguments, &next, sub, &c, why));
        } else if (sub->takes_file && c.file.len == 0 && argument.len > 0) {
            c.file = argument;
            c.file_is_toml = str_ends(argument, S(".toml"));
            next++;
        } else {
            text_format(why, "what is \"%.*s\" for?", STR_ARG(argument));
            return ERR_SYNTAX;
        }
    }
    TRY(check_whole(&c, why));
    *ret = c;
    return ERR_OK;
}

/* Prints a name and its value, then the sentence in its own column. */
static void help_line(Text *out, Str name, Str value, Str sentence)
{
    enum { COLUMN = 28 };
    size_t before = out->len;
    text_add(out, S("  "));
    text_add(out, name);
    text_byte(out, ' ');
    text_add(out, value);
    while (out->len - before < COLUMN) {
        text_byte(out, ' ');
    }
    text_byte(out, ' ');
    text_add(out, sentence);
    text_byte(out, '\n');
}

void command_help(Text *out)
{
    text_add(out, S("River, a reverse proxy.\n\n"
                    "  river --config-kdl PATH      run with this configuration\n"
                    "  river check PATH             check it first\n\nCommands:\n"));
    for (size_t i = 0; i < SUBCOMMAND_COUNT; i++) {
        help_line(out, subcommands[i].name, subcommands[i].arguments, subcommands[i].help);
    }
    text_add(out, S("\nFlags:\n"));
    for (size_t i = 0; i < FLAG_COUNT; i++) {
        help_line(out, flags[i].name, flags[i].value, flags[i].help);
    }
    text_add(out, S("\nExit status: 0 ended as asked, 1 the configuration is wrong, 2 the command "
                    "line is\nwrong, 3 River could not start or its worker failed.\n"
                    "Signals: SIGTERM finishes open requests, SIGINT stops at once, SIGHUP reads "
                    "the\nconfiguration again, SIGUSR1 opens the log files again.\n"));
}
