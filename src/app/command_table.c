/* command_table.c - the tables of commands and flags. */
#include "app/command_table.h"

#include "base/number.h"

#define OF(kind) (1u << COMMAND_##kind)
#define OF_ALL UINT32_MAX
#define OF_STARTING (OF(PROXY) | OF(FILES))
#define OF_SERVING (OF(RUN) | OF_STARTING)

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

static Err take_force(Command *c, Str value)
{
    (void)value;
    c->force = true;
    return ERR_OK;
}

static Err take_listen(Command *c, Str value)
{
    c->starting.listen = value;
    return ERR_OK;
}

static Err take_certificate(Command *c, Str value)
{
    c->starting.certificate = value;
    return ERR_OK;
}

static Err take_key(Command *c, Str value)
{
    c->starting.key = value;
    return ERR_OK;
}

/* Both in turn. */
static Err take_tls(Command *c, Str value)
{
    Starting *s = &c->starting;
    if (s->certificate.len > 0 && s->key.len == 0) {
        s->key = value;
        return ERR_OK;
    }
    s->certificate = value;
    s->key = STR_NONE;
    return ERR_AGAIN;
}

static Err take_proxy(Command *c, Str value)
{
    c->starting.origin = value;
    c->starting.origin_flag = S("--proxy");
    return ERR_OK;
}

static Err take_static(Command *c, Str value)
{
    c->starting.directory = value;
    c->starting.directory_flag = S("--static");
    return ERR_OK;
}

static Err take_origin_name(Command *c, Str value)
{
    c->starting.origin_name = value;
    return ERR_OK;
}

static Err take_origin_ca(Command *c, Str value)
{
    c->starting.origin_ca = value;
    return ERR_OK;
}

static Err take_user(Command *c, Str value)
{
    c->starting.user = value;
    return ERR_OK;
}

#define FLAG(flag, shown, text, kinds, taker)                                                      \
    {.name = S_INIT(flag), .value = S_INIT(shown), .does = S_INIT(text), .of = (kinds),            \
     .take = (taker)}
#define FLAG_OVERRIDE(flag, shown, text, kinds, id)                                                \
    {.name = S_INIT(flag), .value = S_INIT(shown), .does = S_INIT(text), .of = (kinds),            \
     .override = OVERRIDE_##id}

static const CommandFlag flags[] = {
    FLAG("--config-kdl", "PATH", "the configuration to run", OF(RUN) | OF(CHECK), take_config),
    FLAG("--config-toml", "PATH", "a configuration in River 0.2's format (deprecated)",
         OF(RUN) | OF(CHECK), take_toml),
    FLAG("--validate-configs", "", "check the configuration, start nothing", OF(RUN) | OF(CHECK),
         take_validate),
    FLAG("--compat", "0.5|0.8", "only warn about what that River ignored", OF(RUN) | OF(CHECK),
         take_compat),
    FLAG("--proxy", "ADDRESS", "forward requests to this address", OF(INIT), take_proxy),
    FLAG("--static", "DIR", "serve the files in this directory", OF(INIT), take_static),
    FLAG("--listen", "ADDRESS", "where clients connect (:8080; with TLS :8443)",
         OF_STARTING | OF(INIT), take_listen),
    FLAG("--cert", "FILE", "speak TLS with this certificate (PEM)", OF_STARTING, take_certificate),
    FLAG("--key", "FILE", "the certificate's private key (PEM)", OF_STARTING, take_key),
    FLAG("--tls", "CERT KEY", "speak TLS with this certificate and its key", OF(INIT), take_tls),
    FLAG("--origin-name", "NAME", "the name in the certificate of an https:// origin",
         OF(PROXY) | OF(INIT), take_origin_name),
    FLAG("--origin-ca", "FILE", "the authority of that certificate (PEM), if it is your own",
         OF(PROXY) | OF(INIT), take_origin_ca),
    FLAG("--user", "NAME", "who handles the requests, when root starts River",
         OF_STARTING | OF(INIT), take_user),
    FLAG("--force", "", "overwrite FILE", OF(INIT), take_force),
    FLAG_OVERRIDE("--threads-per-service", "N", "threads that serve all services", OF_SERVING,
                  THREADS),
    FLAG_OVERRIDE("--daemonize", "", "run in the background (needs a pid file)", OF(RUN),
                  DAEMONIZE),
    FLAG_OVERRIDE("--pidfile", "PATH", "where to write the process id", OF_SERVING, PID_FILE),
    FLAG("--upgrade", "", "take over from a running River, which must get SIGQUIT", OF_SERVING,
         take_upgrade),
    FLAG("--hand-over-fd", "N", "(used by `river upgrade`)", OF_SERVING, take_hand_over),
    FLAG_OVERRIDE("--upgrade-socket", "PATH", "the socket over which that happens", OF_SERVING,
                  UPGRADE_SOCKET),
    FLAG_OVERRIDE("--control-socket", "PATH", "the socket that `river status` asks",
                  OF_SERVING | OF(STATUS) | OF(RELOAD) | OF(UPGRADE) | OF(DOCTOR), CONTROL_SOCKET),
    FLAG("--json", "", "the answer as JSON", OF(STATUS) | OF(DOCTOR), take_json),
    FLAG("--wait", "", "until every new request goes by the new configuration", OF(RELOAD),
         take_wait),
    FLAG("--rollback", "", "go back to the configuration before", OF(RELOAD), take_rollback),
    FLAG("--print-kdl", "", "print it as it was read, as KDL in canonical form", OF(CHECK),
         take_print_kdl),
    FLAG("--kdl-version", "1|2", "read it as this version of KDL", OF(CHECK), take_kdl_version),
    FLAG("--markdown", "", "the same as a page of the manual", OF(DEFAULTS) | OF(REASONS),
         take_markdown),
    FLAG("--help", "", "what this command does", OF_ALL, take_help),
    FLAG("--version", "", "River's version", OF_ALL, take_version),
};
#define FLAG_COUNT (sizeof flags / sizeof flags[0])

#define COMMAND(word, shown, text, id, argument_kind)                                              \
    .name = S_INIT(word), .argument = S_INIT(shown), .does = S_INIT(text), .kind = COMMAND_##id,   \
    .takes = ARGUMENT_##argument_kind
#define EXAMPLE(text, what)                                                                        \
    {                                                                                              \
        .line = S_INIT(text), .does = S_INIT(what)                                                 \
    }

static const CommandInfo commands[] = {
    {COMMAND("run", "FILE", "run River with this configuration", RUN, FILE),
     .about = S_INIT(
         "It runs until it gets SIGTERM (open requests are finished) or SIGINT (Ctrl-C). The word\n"
         "`run` may be left out: `river --config-kdl FILE`."),
     .examples = {EXAMPLE("river run /etc/river/river.kdl", "in the foreground"),
                  EXAMPLE("river run site.kdl --threads-per-service 2 --control-socket /tmp/r.sock",
                          "a second River on this machine, with its own control socket")}},
    {COMMAND("proxy", "ADDRESS", "forward to an application, without a file", PROXY, ORIGIN),
     .about = S_INIT(
         "ADDRESS is where the application listens: 3000, :3000, localhost:3000, 127.0.0.1:3000,\n"
         "http://127.0.0.1:3000, https://192.0.2.1 (TLS to the application) or /run/app.sock.\n"
         "The access log goes to standard output. `river init --proxy ADDRESS` writes the\n"
         "configuration that this command runs."),
     .examples = {EXAMPLE("river proxy 127.0.0.1:3000", "listens at port 8080"),
                  EXAMPLE("river proxy 3000 --listen :443 --cert site.pem --key site.key",
                          "HTTPS and HTTP/2 in front of the application")}},
    {COMMAND("files", "DIRECTORY", "serve a directory, without a file", FILES, DIRECTORY),
     .about = S_INIT(
         "The access log goes to standard output. `river init --static DIRECTORY` writes the\n"
         "configuration that this command runs."),
     .examples = {EXAMPLE("river files ./public", "listens at port 8080"),
                  EXAMPLE("river files ./public --listen localhost:9000",
                          "only for this machine, at port 9000")}},
    {COMMAND("init", "[FILE]", "write a configuration to begin with", INIT, OUTPUT),
     .about = S_INIT(
         "Without FILE it is printed. With --proxy and --static, requests below /api go to the\n"
         "application and all others get files. FILE is not overwritten without --force."),
     .examples = {EXAMPLE("river init --proxy 127.0.0.1:3000 river.kdl",
                          "then: river check river.kdl, river run river.kdl"),
                  EXAMPLE("river init --static ./dist --proxy 3000 --tls site.pem site.key",
                          "a single-page application with its API, over TLS")}},
    {COMMAND("check", "FILE", "check a configuration and say what is wrong with it", CHECK, FILE),
     .about = S_INIT(
         "Reads FILE and every file that it names, and starts nothing. The exit status is 0 if\n"
         "River would start with it, else 1."),
     .examples = {EXAMPLE("river check /etc/river/river.kdl", "all mistakes, with their places"),
                  EXAMPLE("river check --print-kdl old.toml > river.kdl",
                          "converts River 0.2's format to KDL")}},
    {COMMAND("status", "", "what a running River is doing", STATUS, NONE),
     .about = S_INIT(
         "Asks over the control socket, without disturbing it."),
     .examples = {EXAMPLE("river status", "requests, endpoints, failures, certificates"),
                  EXAMPLE("river status --json", "the same for programs")}},
    {COMMAND("reload", "", "read the configuration again, lose nothing", RELOAD, NONE),
     .about = S_INIT(
         "A mistake changes nothing: it is printed, and the exit status is 1. SIGHUP does the\n"
         "same, and the error log says how it went."),
     .examples = {EXAMPLE("river reload --wait", "returns when every new request goes by it"),
                  EXAMPLE("river reload --rollback --wait", "back to the configuration before")}},
    {COMMAND("upgrade", "", "let this binary take over, lose nothing", UPGRADE, NONE),
     .about = S_INIT(
         "Run it with the new binary: the running River starts it, hands over its listeners, and\n"
         "finishes its open requests. If the new one cannot start, the old one goes on."),
     .examples = {EXAMPLE("/usr/local/bin/river upgrade", "after the binary was replaced"),
                  EXAMPLE("river upgrade --control-socket /tmp/r.sock", "another River")}},
    {COMMAND("doctor", "[FILE]", "what this machine gives River, and what is missing", DOCTOR,
             FILE),
     .about = S_INIT(
         "Kernel features, limits, and whether the configuration's needs are met. The exit status\n"
         "is 1 if something required is missing."),
     .examples = {EXAMPLE("river doctor", "the machine alone"),
                  EXAMPLE("river doctor --json /etc/river/river.kdl",
                          "with a configuration, for programs")}},
    {COMMAND("defaults", "[SECTION]", "print every option with its default", DEFAULTS, NAME),
     .about = S_INIT(
         "The output is a configuration with comments. SECTION is a section or an option."),
     .examples = {EXAMPLE("river defaults", "all options"),
                  EXAMPLE("river defaults overload", "limits and deadlines towards clients")}},
    {COMMAND("reasons", "[CODE]", "print what a reason code of the logs means, and what to do",
             REASONS, NAME),
     .about = S_INIT(
         "A line of the log says `reason=CODE` where River refused or failed a request."),
     .examples = {EXAMPLE("river reasons", "all of them"),
                  EXAMPLE("river reasons no-route", "one, with its remedy")}},
    {COMMAND("env", "", "print every environment variable that is read", ENV, NONE),
     .about = S_INIT(
         "With what each is set to. The command line wins over the environment, and the\n"
         "environment over the file."),
     .examples = {EXAMPLE("river env", "names, values, meanings"),
                  EXAMPLE("RIVER_LOG_LEVEL=debug river run site.kdl", "one of them in use")}},
    {COMMAND("completion", "bash|zsh|fish", "print the completions for a shell", COMPLETION, SHELL),
     .about = S_INIT(
         "`make install` puts them where the shells look for them."),
     .examples = {EXAMPLE("source <(river completion bash)", "for this shell alone"),
                  EXAMPLE("river completion fish > ~/.config/fish/completions/river.fish",
                          "for every fish")}},
    {COMMAND("man", "", "print the manual page", MAN, NONE),
     .about = S_INIT(
         "In roff. `make install` puts it where `man river` finds it."),
     .examples = {EXAMPLE("river man | man -l -", "read it without installing it"),
                  EXAMPLE("river man > river.1", "keep it")}},
    {COMMAND("help", "[COMMAND]", "say what a command does", HELP, COMMAND),
     .about = S_INIT(
         "`river COMMAND --help` is the same."),
     .examples = {EXAMPLE("river help", "all commands"),
                  EXAMPLE("river help proxy", "one of them, with examples")}},
    {COMMAND("version", "", "River's version", VERSION, NONE),
     .about = S_INIT(
         "`river --version` is the same."),
     .examples = {EXAMPLE("river version", "of this binary"),
                  EXAMPLE("river status | head -1", "of the River that runs")}},
};
#define COMMANDS (sizeof commands / sizeof commands[0])

size_t command_count(void)
{
    return COMMANDS;
}

const CommandInfo *command_at(size_t i)
{
    return &commands[i];
}

const CommandInfo *command_find(Str name)
{
    for (size_t i = 0; i < COMMANDS; i++) {
        if (str_equal(commands[i].name, name)) {
            return &commands[i];
        }
    }
    return NULL;
}

size_t command_flag_count(void)
{
    return FLAG_COUNT;
}

const CommandFlag *command_flag_at(size_t i)
{
    return &flags[i];
}

bool command_flag_belongs(const CommandFlag *f, const CommandInfo *command)
{
    return (f->of & (1u << command->kind)) != 0;
}

bool command_flag_is_internal(const CommandFlag *f)
{
    return f->take == take_hand_over;
}
