/* main.c - River's entry point: reads the command line, the environment and the file, and runs the
 * command. Its output is for people; exit.h defines its status. */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "app/activation.h"
#include "app/command.h"
#include "app/command_help.h"
#include "app/control.h"
#include "app/doctor.h"
#include "app/exit.h"
#include "app/inherited.h"
#include "app/supervisor.h"
#include "app/terminal.h"
#include "app/trust.h"
#include "base/region.h"

#define BLOCK_BYTES 65536u

static void print_text(FILE *to, Str text)
{
    (void)fwrite(text.at, 1, text.len, to); /* system call */
}

static int fail_with(int status, Str why)
{
    (void)fprintf(stderr, "river: %.*s\n", STR_ARG(why));
    return status;
}

static int fail_err(int status, Err err)
{
    return fail_with(status, str_from_c(err_sentence(err)));
}

/* ---- the file ---- */

/* Prints the diagnostics of the file on standard error. */
static void show_diagnostics(Arena *arena, const Diagnostics *d)
{
    bool colour = terminal_colour(STDERR_FILENO);
    Str shown;
    if (d->count > 0 && config_show_diagnostics(arena, d, colour, &shown) == ERR_OK) {
        print_text(stderr, shown);
    }
}

static int conclude_load(const Command *c, const Diagnostics *d, Err err)
{
    if (d->error_count == 0) {
        (void)fprintf(stderr, "river: %.*s: %s\n", STR_ARG(c->file), err_sentence(err));
    } else {
        (void)fprintf(stderr, "river: %zu mistake%s in %.*s; nothing was started\n",
                      d->error_count, d->error_count == 1 ? "" : "s", STR_ARG(c->file));
    }
    return EXIT_CONFIGURATION;
}

static ConfigFormat format_of(const Command *c)
{
    return c->file_is_toml ? CONFIG_TOML : CONFIG_KDL;
}

static Source source_of(const Command *c)
{
    return (Source){.path = c->file,
                    .format = format_of(c),
                    .compat = c->compat,
                    .overrides = &c->overrides};
}

/* Reads the file. Returns an exit status. */
static int read_configuration(Arena *arena, const Source *source, Str *ret)
{
    uint8_t room[PATH_MAX + 128];
    Text why = text_in(span_of(room, sizeof room));
    uint64_t mark = 0;
    return source_read(source, arena, ret, &mark, &why) == ERR_OK
               ? EXIT_OK
               : fail_with(EXIT_CONFIGURATION, text_str(&why));
}

/* ---- the commands ---- */

/* What the service manager passed. */
typedef struct Variables {
    NotifyVariables notify;
    ActivationVariables activation;
} Variables;

static int run_river(Arena *arena, const Source *source, Str greeting, const Command *c,
                     const Variables *variables, int count, char **words)
{
    uint8_t room[128];
    Text why = text_in(span_of(room, sizeof room));
    /* Before anything is opened: passed descriptors have the first numbers. */
    size_t passed = 0;
    Err err = inherited_reset();
    if (err != ERR_OK) {
        return fail_err(EXIT_FAILED, err);
    }
    if (activation_take(&variables->activation, &passed, &why) != ERR_OK) {
        return fail_with(EXIT_FAILED, text_str(&why));
    }
    inherited_close(ACTIVATION_FIRST, ACTIVATION_FIRST + (int)passed - 1, c->hand_over_fd);
    Launch launch = {.count = count,
                     .greeting = greeting,
                     .words = words,
                     .upgrade = c->upgrade,
                     .hand_over_fd = c->hand_over_fd,
                     .notify = &variables->notify};
    return supervisor_run(source, &launch, arena);
}

static int run_file(Arena *arena, const Command *c, const Variables *variables, int count,
                    char **words)
{
    Source source = source_of(c);
    return run_river(arena, &source, STR_NONE, c, variables, count, words);
}

/* Writes the configuration that the arguments mean. */
static Err write_starting(Arena *arena, Starting *s, StartingText *ret)
{
    Span room;
    if (!arena_span(arena, STARTING_BYTES_MAX, &room)) {
        return ERR_MEMORY;
    }
    Text out = text_in(room);
    starting_look(s);
    return starting_write(s, &out, ret);
}

/* `river proxy`, `river files` */
static int run_starting(Arena *arena, const Command *c, const Variables *variables, int count,
                        char **words)
{
    Starting starting = c->starting;
    StartingText text;
    uint8_t room[PATH_MAX];
    Text greeting = text_in(span_of(room, sizeof room));
    Err err = write_starting(arena, &starting, &text);
    if (err != ERR_OK) {
        return fail_err(EXIT_FAILED, err);
    }
    if (c->hand_over_fd < 0 && !c->upgrade) {
        starting_greet(&starting, &greeting);
    }
    Source source = source_of(c);
    source.path = S("the command line");
    source.starting = &text;
    return run_river(arena, &source, text_str(&greeting), c, variables, count, words);
}

/* `river init` */
static int write_init(Arena *arena, const Command *c)
{
    Starting starting = c->starting;
    StartingText text;
    Err err = write_starting(arena, &starting, &text);
    if (err == ERR_OK && c->file.len == 0) {
        print_text(stdout, text.text);
        return EXIT_OK;
    }
    err = err == ERR_OK ? starting_save(text.text, c->file, c->force) : err;
    if (err == ERR_EXISTS) {
        (void)fprintf(stderr, "river: %.*s exists already; --force overwrites it\n",
                      STR_ARG(c->file));
        return EXIT_FAILED;
    }
    if (err != ERR_OK) {
        (void)fprintf(stderr, "river: %.*s cannot be written: %s\n", STR_ARG(c->file),
                      err_sentence(err));
        return EXIT_FAILED;
    }
    (void)printf("wrote %.*s; next: river check %.*s, then river run %.*s\n", STR_ARG(c->file),
                 STR_ARG(c->file), STR_ARG(c->file));
    return EXIT_OK;
}

static int print_kdl(Arena *arena, const Command *c, const Source *source)
{
    Str text;
    int status = read_configuration(arena, source, &text);
    Diagnostics *d = arena_new(arena, Diagnostics);
    if (status != EXIT_OK || !d) {
        return status;
    }
    Str shown;
    Err err =
        config_print_kdl(arena, c->file, text, format_of(c), c->kdl_version, d, &shown);
    show_diagnostics(arena, d);
    if (err != ERR_OK) {
        return conclude_load(c, d, err);
    }
    print_text(stdout, shown);
    return EXIT_OK;
}

/* For commands that only inspect a configuration. Here, too, another process reads the keys. */
typedef struct Reading {
    Source source;
    Files files;
    ProcessManager manager;
    Region region; /* holds the settings */
} Reading;

static Err reading_open(const Command *c, Reading *ret)
{
    *ret = (Reading){.source = source_of(c), .region = REGION_NONE};
    TRY(region_reserve());
    TRY(manager_init(&ret->manager));
    TRY(region_open(&ret->region));
    return source_open(&ret->source, &ret->files, &ret->manager);
}

static void reading_close(Reading *r)
{
    source_close(&r->source);
    nursery_end(&r->manager.nursery);
    region_close(&r->region);
}

/* Reads the file and prints its diagnostics. Returns an exit status. */
static int load_file(Arena *arena, const Command *c, Reading *r, const Settings **ret)
{
    Str text;
    const Source *source = &r->source;
    int status = read_configuration(arena, source, &text);
    Diagnostics *d = arena_new(arena, Diagnostics);
    if (status != EXIT_OK || !d) {
        return status;
    }
    static const SourceBefore nothing;
    Err err = source_load(source, &r->region, text, &nothing, d, ret);
    show_diagnostics(arena, d);
    return err == ERR_OK ? EXIT_OK : conclude_load(c, d, err);
}

/* River would refuse such a socket when using it: warn early. */
static void warn_of_upgrade_socket(const Command *c, const SystemSettings *system)
{
    uint8_t room[PATH_MAX + 128];
    Text why = text_in(span_of(room, sizeof room));
    if (system->upgrade_socket.len > 0 &&
        trust_check_directory(system->upgrade_socket, &why) == ERR_DENIED) {
        (void)fprintf(stderr, "%.*s: warning: `upgrade-socket` will not be used: %.*s\n",
                      STR_ARG(c->file), STR_ARG(text_str(&why)));
    }
}

static int check_settings(Arena *arena, const Command *c, Reading *r)
{
    const Settings *settings = NULL;
    int status = load_file(arena, c, r, &settings);
    if (status != EXIT_OK) {
        return status;
    }
    warn_of_upgrade_socket(c, &settings->system);
    (void)printf("%.*s: configuration is valid, %zu service%s\n", STR_ARG(c->file),
                 settings->service_count, settings->service_count == 1 ? "" : "s");
    return EXIT_OK;
}

static int check_file(Arena *arena, const Command *c)
{
    static Reading reading; /* too large for the stack */
    Err err = reading_open(c, &reading);
    if (err != ERR_OK) {
        return fail_err(EXIT_FAILED, err);
    }
    int status = c->print_kdl ? print_kdl(arena, c, &reading.source)
                              : check_settings(arena, c, &reading);
    reading_close(&reading);
    return status;
}

/* The control socket's path: as given, else the default. */
static Err control_path(const Command *c, Text *found, Str *ret)
{
    *ret = c->overrides.of[OVERRIDE_CONTROL_SOCKET].text;
    if (c->overrides.of[OVERRIDE_CONTROL_SOCKET].set) {
        return ERR_OK;
    }
    Err err = control_default_path(false, found);
    *ret = text_str(found);
    return err;
}

/* Sends a request to a running River and prints its answer. */
static int ask_river(const Command *c, Str request, bool whole)
{
    Str path = STR_NONE;
    uint8_t room[PATH_MAX];
    Text found = text_in(span_of(room, sizeof room));
    Err err = control_path(c, &found, &path);
    int status = 0;
    if (err == ERR_OK) {
        err = control_ask(path, request, whole, &status);
    }
    if (err != ERR_OK) {
        (void)fprintf(stderr, "river: no River answers at %.*s: %s\n"
                              "start one with `river run FILE`, or name the socket of one that "
                              "runs: --control-socket PATH\n",
                      STR_ARG(path),
                      err == ERR_REFUSED ? "none runs with this control socket"
                                         : err_sentence(err));
        return EXIT_FAILED;
    }
    if (status == CONTROL_CUT) {
        (void)fprintf(stderr, "river: the answer broke off: River or its worker has ended, or had "
                              "too much to say\n");
        return EXIT_FAILED;
    }
    return status == 0 ? EXIT_OK : EXIT_CONFIGURATION;
}

static int ask_reload(const Command *c)
{
    if (c->rollback) {
        return ask_river(c, c->wait ? S("rollback wait\n") : S("rollback\n"), false);
    }
    return ask_river(c, c->wait ? S("reload wait\n") : S("reload\n"), false);
}

/* The new binary is the one that runs this command. */
static int ask_upgrade(const Command *c)
{
    uint8_t room[PATH_MAX + 16];
    char path[PATH_MAX];
    Text request = text_in(span_of(room, sizeof room));
    ssize_t len = readlink("/proc/self/exe", path, sizeof path);
    if (len <= 0 || (size_t)len == sizeof path) {
        return fail_with(EXIT_FAILED, S("this binary cannot be found"));
    }
    text_format(&request, "upgrade %.*s\n", (int)len, path);
    return ask_river(c, text_str(&request), false);
}

static int examine_machine(const Command *c, const Settings *settings)
{
    uint8_t path_room[PATH_MAX];
    Text found = text_in(span_of(path_room, sizeof path_room));
    DoctorQuestion question = {.settings = settings};
    if (settings && settings->system.control_socket.len > 0) {
        question.control_path = settings->system.control_socket;
    } else {
        question.control_error = control_path(c, &found, &question.control_path);
    }
    uint8_t room[DOCTOR_BYTES_MAX];
    Text out = text_in(span_of(room, sizeof room));
    bool fit = doctor_examine(&question, c->json, &out);
    print_text(stdout, text_str(&out));
    return fit ? EXIT_OK : EXIT_UNFIT;
}

static int ask_doctor(Arena *arena, const Command *c)
{
    if (c->file.len == 0) {
        return examine_machine(c, NULL);
    }
    static Reading reading; /* too large for the stack */
    const Settings *settings = NULL;
    Err err = reading_open(c, &reading);
    if (err != ERR_OK) {
        return fail_err(EXIT_FAILED, err);
    }
    int status = load_file(arena, c, &reading, &settings);
    status = status == EXIT_OK ? examine_machine(c, settings) : status;
    reading_close(&reading);
    return status;
}

static int print_defaults(Arena *arena, const Command *c)
{
    Str shown;
    Err err = c->markdown        ? config_reference(arena, &shown)
              : c->file.len == 0 ? config_defaults(arena, &shown)
                                 : config_defaults_of(arena, c->file, &shown);
    if (err == ERR_MISSING) {
        (void)fprintf(stderr, "river: there is no section or option %.*s; all of them: river "
                              "defaults\n", STR_ARG(c->file));
        return EXIT_USAGE;
    }
    if (err != ERR_OK) {
        return fail_err(EXIT_FAILED, err);
    }
    print_text(stdout, shown);
    return EXIT_OK;
}

static int print_reasons(Arena *arena, const Command *c)
{
    Str shown;
    Err err = c->markdown ? config_reasons_page(arena, &shown)
                          : config_reasons(arena, c->file, &shown);
    if (err == ERR_MISSING) {
        (void)fprintf(stderr, "river: there is no reason code %.*s; all of them: river reasons\n",
                      STR_ARG(c->file));
        return EXIT_USAGE;
    }
    if (err != ERR_OK) {
        return fail_err(EXIT_FAILED, err);
    }
    print_text(stdout, shown);
    return EXIT_OK;
}

static int print_environment(Arena *arena, const Command *c)
{
    Str shown;
    Err err = config_environment(arena, &c->overrides, &shown);
    if (err != ERR_OK) {
        return fail_err(EXIT_FAILED, err);
    }
    print_text(stdout, shown);
    return EXIT_OK;
}

/* `river help`, `river man`, `river completion` */
static int print_help(Arena *arena, const Command *c)
{
    Span room;
    if (!arena_span(arena, COMMAND_HELP_BYTES_MAX, &room)) {
        return fail_err(EXIT_FAILED, ERR_MEMORY);
    }
    Text out = text_in(room);
    if (c->kind == COMMAND_HELP) {
        command_help(c->topic, terminal_colour(STDOUT_FILENO), &out);
    } else if (c->kind == COMMAND_MAN) {
        command_man(&out);
    } else if (command_complete(c->shell, &out) != ERR_OK) {
        return fail_with(EXIT_USAGE, S("there are completions for bash, zsh and fish"));
    }
    print_text(stdout, text_str(&out));
    return EXIT_OK;
}

static int obey_command(Arena *arena, const Command *c, const Variables *variables, int count,
                        char **words)
{
    switch (c->kind) {
    case COMMAND_RUN:
        return run_file(arena, c, variables, count, words);
    case COMMAND_PROXY:
    case COMMAND_FILES:
        return run_starting(arena, c, variables, count, words);
    case COMMAND_INIT:
        return write_init(arena, c);
    case COMMAND_CHECK:
        return check_file(arena, c);
    case COMMAND_RELOAD:
        return ask_reload(c);
    case COMMAND_UPGRADE:
        return ask_upgrade(c);
    case COMMAND_STATUS:
        return ask_river(c, c->json ? S("status json\n") : S("status text\n"), c->json);
    case COMMAND_DOCTOR:
        return ask_doctor(arena, c);
    case COMMAND_DEFAULTS:
        return print_defaults(arena, c);
    case COMMAND_REASONS:
        return print_reasons(arena, c);
    case COMMAND_ENV:
        return print_environment(arena, c);
    case COMMAND_COMPLETION:
    case COMMAND_MAN:
    case COMMAND_HELP:
        return print_help(arena, c);
    case COMMAND_VERSION:
        print_text(stdout, S("river " RIVER_VERSION "\n"));
        return EXIT_OK;
    }
    return EXIT_USAGE;
}

/* Reads a variable of the service manager and unsets it, so that children do not see it. */
static Err take_variable(Arena *arena, const char *name, Str *ret)
{
    Err err = arena_copy(arena, str_from_c(getenv(name)), ret) ? ERR_OK : ERR_MEMORY;
    (void)unsetenv(name);
    return err;
}

static Err take_variables(Arena *arena, Variables *ret)
{
    NotifyVariables *n = &ret->notify;
    ActivationVariables *a = &ret->activation;
    TRY(take_variable(arena, "NOTIFY_SOCKET", &n->socket));
    TRY(take_variable(arena, "WATCHDOG_USEC", &n->watchdog_usec));
    TRY(take_variable(arena, "WATCHDOG_PID", &n->watchdog_pid));
    TRY(take_variable(arena, "LISTEN_PID", &a->pid));
    TRY(take_variable(arena, "LISTEN_FDS", &a->fds));
    return take_variable(arena, "LISTEN_FDNAMES", &a->names);
}

/* The only place that reads River's environment variables. */
static void read_environment(ConfigOverrides *o)
{
    for (unsigned i = 0; i < OVERRIDE_COUNT; i++) {
        char name[64];
        Str variable = override_info((OverrideId)i)->variable;
        if (str_to_c(variable, span_of(name, sizeof name)) == ERR_OK) {
            const char *value = getenv(name);
            if (value && value[0] != '\0') {
                override_from_environment(o, (OverrideId)i, str_from_c(value));
            }
        }
    }
}

static int start_program(Arena *arena, int count, char **words)
{
    size_t given = count > 1 ? (size_t)count - 1 : 0;
    Str *arguments = arena_array(arena, Str, given + 1);
    if (!arguments) {
        return fail_err(EXIT_FAILED, ERR_MEMORY);
    }
    for (size_t i = 0; i < given; i++) {
        arguments[i] = str_from_c(words[i + 1]);
    }
    uint8_t room[512];
    Text why = text_in(span_of(room, sizeof room));
    Command command = {0};
    if (command_parse(given, arguments, &command, &why) != ERR_OK) {
        (void)fprintf(stderr, "river: %.*s\n`river %.*s%s--help` tells more\n",
                      STR_ARG(text_str(&why)), STR_ARG(command.topic),
                      command.topic.len > 0 ? " " : "");
        return EXIT_USAGE;
    }
    Variables variables = {0};
    if (take_variables(arena, &variables) != ERR_OK) {
        return fail_err(EXIT_FAILED, ERR_MEMORY);
    }
    read_environment(&command.overrides);
    return obey_command(arena, &command, &variables, count, words);
}

int main(int argc, char **argv)
{
    Blocks blocks;
    blocks_init(&blocks, NULL, BLOCK_BYTES, 0);
    Arena arena;
    arena_init(&arena, &blocks, REGION_BYTES); /* the same limit as in a region */
    int status = start_program(&arena, argc, argv);
    if (fflush(stdout) != 0 && status == EXIT_OK) {
        status = EXIT_FAILED;
    }
    arena_reset(&arena);
    blocks_drop(&blocks);
    return status;
}
