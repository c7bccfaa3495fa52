/* command_help.c - help and the manual page, made from the tables of commands and flags. */
#include "app/command_help.h"

#include "app/command_table.h"

#define STATUS_TEXT                                                                                \
    "0 ended as asked, 1 the configuration is wrong, 2 the command line is wrong,\n"               \
    "3 River could not start or its worker failed."

typedef struct Signal {
    Str name;
    Str does;
} Signal;

static const Signal signals[] = {
    {S_INIT("SIGTERM"), S_INIT("finishes open requests, then ends")},
    {S_INIT("SIGINT"), S_INIT("ends at once (Ctrl-C)")},
    {S_INIT("SIGHUP"), S_INIT("reads the configuration again")},
    {S_INIT("SIGUSR1"), S_INIT("opens the log files again")},
    {S_INIT("SIGQUIT"), S_INIT("hands over to a River that waits at the upgrade socket")},
};
#define SIGNAL_COUNT (sizeof signals / sizeof signals[0])

static void add_words(Text *out, Str a, Str b)
{
    text_add(out, a);
    text_add(out, a.len > 0 && b.len > 0 ? S(" ") : STR_NONE);
    text_add(out, b);
}

/* ---- --help ---- */

static void add_heading(Text *out, bool colour, Str text)
{
    text_add(out, colour ? S("\n\x1b[1m") : S("\n"));
    text_add(out, text);
    text_add(out, colour ? S("\x1b[0m\n") : S("\n"));
}

/* A name and its value, then the sentence in its own column. */
static void help_line(Text *out, Str name, Str value, Str sentence)
{
    enum { COLUMN = 30 };
    size_t before = out->len;
    text_add(out, S("  "));
    add_words(out, name, value);
    do {
        text_byte(out, ' ');
    } while (out->len - before < COLUMN && !out->overflow);
    text_add(out, sentence);
    text_byte(out, '\n');
}

static void help_flags(const CommandInfo *c, Text *out)
{
    for (size_t i = 0; i < command_flag_count(); i++) {
        const CommandFlag *f = command_flag_at(i);
        if (command_flag_belongs(f, c) && !command_flag_is_internal(f)) {
            help_line(out, f->name, f->value, f->does);
        }
    }
}

static void help_all(bool colour, Text *out)
{
    text_add(out, S("River, a reverse proxy.\n\n"
                    "  river proxy 127.0.0.1:3000   forward port 8080 to an application\n"
                    "  river init river.kdl         write a configuration to begin with\n"
                    "  river run river.kdl          run it\n"));
    add_heading(out, colour, S("Commands:"));
    for (size_t i = 0; i < command_count(); i++) {
        const CommandInfo *c = command_at(i);
        help_line(out, c->name, c->argument, c->does);
    }
    text_add(out, S("\n`river COMMAND --help` lists a command's flags, with examples.\n"));
    add_heading(out, colour, S("Flags of `river run`, which may also stand alone (as in River 0.5: "
                               "river --config-kdl FILE):"));
    help_flags(command_find(S("run")), out);
    text_add(out, S("\nExit status: " STATUS_TEXT "\n"
                    "Signals: SIGTERM finishes open requests, SIGINT stops at once, SIGHUP reads "
                    "the\nconfiguration again, SIGUSR1 opens the log files again.\n"));
}

static void help_one(const CommandInfo *c, bool colour, Text *out)
{
    text_add(out, S("river "));
    text_add(out, c->name);
    text_add(out, S(" - "));
    text_add(out, c->does);
    text_add(out, S("\n\n  river "));
    add_words(out, c->name, S("[FLAGS]"));
    add_words(out, c->argument.len > 0 ? S(" ") : STR_NONE, STR_NONE);
    text_add(out, c->argument);
    text_add(out, S("\n\n"));
    text_add(out, c->about);
    text_byte(out, '\n');
    add_heading(out, colour, S("Flags:"));
    help_flags(c, out);
    add_heading(out, colour, S("Examples:"));
    for (size_t i = 0; i < COMMAND_EXAMPLES; i++) {
        text_add(out, S("  "));
        text_add(out, c->examples[i].line);
        text_add(out, S("\n      "));
        text_add(out, c->examples[i].does);
        text_byte(out, '\n');
    }
}

void command_help(Str topic, bool colour, Text *out)
{
    const CommandInfo *c = command_find(topic);
    if (c) {
        help_one(c, colour, out);
    } else {
        help_all(colour, out);
    }
}

/* ---- the manual page: groff_man(7) ---- */

/* Text with what roff would take for its own escaped. At the start of a line, . and ' begin
 * requests. */
static void add_roff(Text *out, Str s)
{
    for (size_t i = 0; i < s.len; i++) {
        uint8_t byte = str_at(s, i);
        bool first = i == 0 || str_at(s, i - 1) == '\n';
        text_add(out, first && (byte == '.' || byte == '\'') ? S("\\&") : STR_NONE);
        if (byte == '\\') {
            text_add(out, S("\\e"));
        } else if (byte == '-') {
            text_add(out, S("\\-"));
        } else if (byte == '`' || byte == '\'') {
            text_add(out, byte == '`' ? S("\\(ga") : S("\\(aq"));
        } else if (byte == '~') {
            text_add(out, S("\\(ti"));
        } else {
            text_byte(out, byte);
        }
    }
}

static void man_section(Text *out, Str name)
{
    text_add(out, S(".SH "));
    text_add(out, name);
    text_byte(out, '\n');
}

/* A tagged paragraph. */
static void man_item(Text *out, Str name, Str value, Str text)
{
    text_add(out, S(".TP\n\\fB"));
    add_roff(out, name);
    text_add(out, S("\\fR"));
    if (value.len > 0) {
        text_add(out, S(" \\fI"));
        add_roff(out, value);
        text_add(out, S("\\fR"));
    }
    text_byte(out, '\n');
    add_roff(out, text);
    text_byte(out, '\n');
}

static void man_command(Text *out, const CommandInfo *c)
{
    text_add(out, S(".SS river "));
    add_roff(out, c->name);
    text_add(out, c->argument.len > 0 ? S(" [FLAGS] ") : S(" [FLAGS]"));
    add_roff(out, c->argument);
    text_byte(out, '\n');
    uint8_t first = str_at(c->does, 0);
    text_byte(out, first >= 'a' && first <= 'z' ? (uint8_t)(first - 0x20) : first);
    add_roff(out, str_drop(c->does, 1));
    text_add(out, S(".\n"));
    add_roff(out, c->about);
    text_byte(out, '\n');
    for (size_t i = 0; i < command_flag_count(); i++) {
        const CommandFlag *f = command_flag_at(i);
        bool common = f->of == UINT32_MAX; /* said once, in OPTIONS */
        if (command_flag_belongs(f, c) && !common && !command_flag_is_internal(f)) {
            man_item(out, f->name, f->value, f->does);
        }
    }
    for (size_t i = 0; i < COMMAND_EXAMPLES; i++) {
        text_add(out, S(".PP\n.RS 4\n.EX\n"));
        add_roff(out, c->examples[i].line);
        text_add(out, S("\n.EE\n"));
        add_roff(out, c->examples[i].does);
        text_add(out, S("\n.RE\n"));
    }
}

void command_man(Text *out)
{
    text_add(out, S(".TH RIVER 1 \"\" \"River " RIVER_VERSION "\" \"User Commands\"\n"));
    man_section(out, S("NAME"));
    text_add(out, S("river \\- a reverse proxy\n"));
    man_section(out, S("SYNOPSIS"));
    text_add(out, S("\\fBriver\\fR \\fICOMMAND\\fR [\\fIFLAGS\\fR] [\\fIARGUMENT\\fR]\n"));
    man_section(out, S("DESCRIPTION"));
    text_add(out, S("River accepts requests over HTTP/1 and HTTP/2, with or without TLS, and\n"
                    "forwards them to origins or answers them from files. One configuration file,\n"
                    "a KDL document, says what it does; \\fBriver proxy\\fR and\n"
                    "\\fBriver files\\fR need none.\n"));
    man_section(out, S("OPTIONS"));
    for (size_t i = 0; i < command_flag_count(); i++) {
        const CommandFlag *f = command_flag_at(i);
        if (f->of == UINT32_MAX) {
            man_item(out, f->name, f->value, f->does);
        }
    }
    man_section(out, S("COMMANDS"));
    for (size_t i = 0; i < command_count(); i++) {
        man_command(out, command_at(i));
    }
    man_section(out, S("EXIT STATUS"));
    text_add(out, S(STATUS_TEXT "\n"));
    man_section(out, S("SIGNALS"));
    for (size_t i = 0; i < SIGNAL_COUNT; i++) {
        man_item(out, signals[i].name, STR_NONE, signals[i].does);
    }
    man_section(out, S("ENVIRONMENT"));
    text_add(out, S("\\fBriver env\\fR prints all variables that are read. If \\fBNO_COLOR\\fR\n"
                    "is set and not empty, nothing is coloured.\n"));
    man_section(out, S("FILES"));
    man_item(out, S("/etc/river/river.kdl"), STR_NONE, S("the configuration of the service"));
    man_item(out, S("/run/river/control.sock"), STR_NONE,
             S("the control socket, unless it is configured otherwise"));
}
