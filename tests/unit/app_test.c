/* app_test.c - the parts of the program that can be tested without starting one: the command line,
 * the pauses between workers, the channel, the status. */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "admin/status.h"
#include "app/channel.h"
#include "app/command.h"
#include "app/command_help.h"
#include "app/command_table.h"
#include "app/key_checker.h"
#include "app/pem.h"
#include "app/process_manager.h"
#include "app/record.h"
#include "app/trust.h"
#include "test.h"

#define WORDS_MAX 8

/* Parses words separated by blanks. */
static Err parse(const char *line, Command *ret, Text *why)
{
    Str words[WORDS_MAX];
    size_t count = 0;
    Str rest = str_from_c(line);
    while (rest.len > 0 && count < WORDS_MAX) {
        StrCut cut = str_cut(rest, ' ');
        words[count++] = cut.head;
        rest = cut.tail;
    }
    return command_parse(count, words, ret, why);
}

TEST("app: command lines that are right")
{
    static const struct {
        const char *line;
        CommandKind kind;
        const char *file;
    } rows[] = {
        {"--config-kdl a.kdl", COMMAND_RUN, "a.kdl"},
        {"--config-kdl=a.kdl --threads-per-service 3", COMMAND_RUN, "a.kdl"},
        {"run a.kdl --pidfile /p", COMMAND_RUN, "a.kdl"},
        {"run --validate-configs a.kdl", COMMAND_CHECK, "a.kdl"},
        {"check a.kdl --compat 0.5", COMMAND_CHECK, "a.kdl"},
        {"check --print-kdl --kdl-version 2 a.kdl", COMMAND_CHECK, "a.kdl"},
        {"status --json --control-socket /s", COMMAND_STATUS, ""},
        {"reload", COMMAND_RELOAD, ""},
        {"defaults --markdown", COMMAND_DEFAULTS, ""},
        {"env", COMMAND_ENV, ""},
        {"doctor", COMMAND_DOCTOR, ""},
        {"doctor --json a.kdl", COMMAND_DOCTOR, "a.kdl"},
        {"--help --nonsense", COMMAND_HELP, ""},
        {"check -h", COMMAND_HELP, ""},
        {"help proxy", COMMAND_HELP, ""},
        {"proxy 3000 --listen :80 --pidfile /p", COMMAND_PROXY, ""},
        {"files ./public", COMMAND_FILES, ""},
        {"init --tls c.pem k.pem --proxy 3000 a.kdl", COMMAND_INIT, "a.kdl"},
        {"completion zsh", COMMAND_COMPLETION, ""},
        {"man", COMMAND_MAN, ""},
        {"-V", COMMAND_VERSION, ""},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        uint8_t room[256];
        Text why = text_in(span_of(room, sizeof room));
        Command c = {0};
        EXPECT(parse(rows[i].line, &c, &why) == ERR_OK);
        EXPECT_U64(c.kind, rows[i].kind);
        EXPECT_STR(c.file, str_from_c(rows[i].file));
    }
}

TEST("app: command lines that are wrong, and what is said about them")
{
    static const struct {
        const char *line;
        const char *said;
    } rows[] = {
        {"", "no configuration was given; try: river run FILE, or without a file: river proxy "
             "ADDRESS"},
        {"--pidfil x", "unknown flag --pidfil; did you mean --pidfile?"},
        {"chekc a", "unknown command chekc; did you mean check?"},
        {"xyzzyxyzzy", "unknown command xyzzyxyzzy"},
        {"--pidfile", "--pidfile needs a value: PATH"},
        {"check a b", "what is \"b\" for?"},
        {"env --json", "--json does not belong to `river env`"},
        {"check a --kdl-version 3", "--kdl-version must be 1|2, not 3"},
        {"check a --kdl-version 1", "--kdl-version belongs to --print-kdl"},
        {"--upgrade=1 a", "--upgrade takes no value"},
        {"a.kdl", "a.kdl is no command; to run it: river run a.kdl"},
        {"help chekc", "unknown command chekc; did you mean check?"},
        {"proxy", "forward to which address? Try: river proxy 127.0.0.1:3000"},
        {"files", "which directory? Try: river files ./public"},
        {"proxy 3000 4000", "what is \"4000\" for?"},
        {"proxy 3000 --listen=", "--listen must be ADDRESS, not empty"},
        {"proxy 3000 --cert c.pem", "--cert needs the certificate's private key, too: --key FILE"},
        {"init --force", "--force overwrites which file? Try: river init --force FILE"},
        {"init a.toml", "the file is written in KDL: let its name end in .kdl"},
        {"init --tls c.pem", "--tls needs a value: CERT KEY"},
        {"proxy 3000 --origin-name a",
         "--origin-name and --origin-ca are for origins that begin with https://"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        uint8_t room[256];
        Text why = text_in(span_of(room, sizeof room));
        Command c = {0};
        EXPECT(parse(rows[i].line, &c, &why) == ERR_SYNTAX);
        EXPECT_STR(text_str(&why), str_from_c(rows[i].said));
    }
}

TEST("app: help, manual page and completions fit their room, and name every command and flag")
{
    static uint8_t rooms[5][COMMAND_HELP_BYTES_MAX];
    Text texts[5];
    for (size_t i = 0; i < 5; i++) {
        texts[i] = text_in(span_of(rooms[i], sizeof rooms[i]));
    }
    command_help(STR_NONE, false, &texts[0]);
    command_man(&texts[1]);
    EXPECT(command_complete(S("bash"), &texts[2]) == ERR_OK);
    EXPECT(command_complete(S("zsh"), &texts[3]) == ERR_OK);
    EXPECT(command_complete(S("fish"), &texts[4]) == ERR_OK);
    EXPECT(command_complete(S("csh"), &texts[4]) == ERR_UNSUPPORTED);
    for (size_t i = 0; i < 5; i++) {
        EXPECT(!texts[i].overflow && str_ends(text_str(&texts[i]), S("\n")));
    }
    for (size_t i = 0; i < command_count(); i++) {
        const CommandInfo *c = command_at(i);
        Text help = text_in(span_of(rooms[0], sizeof rooms[0]));
        command_help(c->name, false, &help);
        EXPECT(!help.overflow && c->about.len > 0);
        for (size_t k = 0; k < COMMAND_EXAMPLES; k++) {
            EXPECT(c->examples[k].line.len > 0 && c->examples[k].does.len > 0);
        }
    }
}

TEST("app: a worker is replaced at once, from the fifth death in ten seconds on after a second")
{
    ProcessManager k;
    k = (ProcessManager){.nursery = NURSERY_NONE};
    for (uint64_t death = 1; death <= 4; death++) {
        restarts_plan(&k.restarts, 20000 + death);
        EXPECT_U64(k.restarts.due_ms, 20000 + death);
    }
    restarts_plan(&k.restarts, 20005);
    EXPECT_U64(k.restarts.due_ms, 20005 + MANAGER_PAUSE_MS);
    restarts_plan(&k.restarts, 21006);
    EXPECT_U64(k.restarts.due_ms, 21006 + MANAGER_PAUSE_MS);
    EXPECT_U64(k.restarts.count, 6);
    /* Four of the last five lie within ten seconds: that is not often. */
    restarts_plan(&k.restarts, 40000);
    EXPECT_U64(k.restarts.due_ms, 40000);
}

TEST("app: orders keep their bounds, and descriptors their places")
{
    ChannelEnd supervisor;
    ChannelEnd worker;
    static uint8_t bytes[CHANNEL_BYTES_MAX];
    Span room = span_of(bytes, sizeof bytes);
    EXPECT(channel_open(&supervisor, &worker) == ERR_OK);
    int file = open("/dev/null", O_WRONLY);
    ChannelMessage out = {.kind = CHANNEL_LOGS, .id = 7, .value = 9, .bytes = S("abc"),
                          .fd_count = 2, .fds = {-1, file}};
    EXPECT(channel_order(&supervisor, &out) == ERR_OK);
    out = (ChannelMessage){.kind = CHANNEL_STOP};
    EXPECT(channel_order(&supervisor, &out) == ERR_OK);
    ChannelMessage in;
    EXPECT(channel_take_order(&worker, room, &in) == ERR_OK);
    EXPECT(in.kind == CHANNEL_LOGS && in.id == 7 && in.value == 9);
    EXPECT_STR(in.bytes, S("abc"));
    EXPECT(in.fds[0] == -1 && in.fds[1] >= 0);
    (void)close(in.fds[1]);
    EXPECT(channel_take_order(&worker, room, &in) == ERR_OK);
    EXPECT(in.kind == CHANNEL_STOP && in.bytes.len == 0 && in.fds[1] == -1);
    EXPECT(channel_take_order(&worker, room, &in) == ERR_AGAIN);
    channel_close(&supervisor);
    EXPECT(channel_take_order(&worker, room, &in) == ERR_CLOSED);
    channel_close(&worker);
    (void)close(file);
}

TEST("app: answers keep their bounds")
{
    ChannelEnd supervisor;
    ChannelEnd worker;
    static uint8_t bytes[CHANNEL_BYTES_MAX];
    static uint8_t much[CHANNEL_ANSWER_BYTES_MAX];
    Span room = span_of(bytes, sizeof bytes);
    EXPECT(channel_open(&supervisor, &worker) == ERR_OK);
    memset(much, 'x', sizeof much);
    ChannelMessage out = {.kind = CHANNEL_STATUS_PART, .id = 7, .bytes = str_of(much, sizeof much)};
    EXPECT(channel_answer(&worker, &out) == ERR_OK);
    out = (ChannelMessage){.kind = CHANNEL_STATUS_END, .id = 7, .value = 3};
    EXPECT(channel_answer(&worker, &out) == ERR_OK);
    ChannelMessage in;
    EXPECT(channel_take_answer(&supervisor, room, &in) == ERR_OK);
    EXPECT(in.kind == CHANNEL_STATUS_PART && in.id == 7);
    EXPECT_STR(in.bytes, str_of(much, sizeof much));
    EXPECT(channel_take_answer(&supervisor, room, &in) == ERR_OK);
    EXPECT(in.kind == CHANNEL_STATUS_END && in.value == 3 && in.bytes.len == 0);
    EXPECT(channel_take_answer(&supervisor, room, &in) == ERR_AGAIN);
    channel_close(&worker);
    EXPECT(channel_take_answer(&supervisor, room, &in) == ERR_CLOSED);
    channel_close(&supervisor);
}

TEST("app: nonsense among the answers is refused")
{
    ChannelEnd supervisor;
    ChannelEnd worker;
    static uint8_t bytes[CHANNEL_BYTES_MAX];
    uint8_t noise[64];
    ChannelMessage in;
    EXPECT(channel_open(&supervisor, &worker) == ERR_OK);
    for (size_t len = 1; len <= sizeof noise; len++) {
        memset(noise, 0xA5, sizeof noise);
        EXPECT(write(worker.answers, noise, len) == (ssize_t)len);
        EXPECT(channel_take_answer(&supervisor, span_of(bytes, sizeof bytes), &in) == ERR_SYNTAX);
    }
    channel_close(&worker);
    channel_close(&supervisor);
}

/* Whether a descriptor can be sent over `fd`; errno tells why not. */
static bool sends_descriptor(int fd, int descriptor)
{
    uint8_t byte = 0;
    struct iovec piece = {&byte, 1};
    union {
        struct cmsghdr head;
        uint8_t bytes[CMSG_SPACE(sizeof(int))];
    } control = {0};
    struct msghdr packet = {.msg_iov = &piece, .msg_iovlen = 1, .msg_control = control.bytes,
                            .msg_controllen = sizeof control.bytes};
    struct cmsghdr *c = CMSG_FIRSTHDR(&packet);
    *c = (struct cmsghdr){
        .cmsg_len = CMSG_LEN(sizeof(int)), .cmsg_level = SOL_SOCKET, .cmsg_type = SCM_RIGHTS};
    memcpy(CMSG_DATA(c), &descriptor, sizeof descriptor);
    return sendmsg(fd, &packet, MSG_NOSIGNAL) == 1;
}

TEST("app: a worker cannot send descriptors to its supervisor")
{
    ChannelEnd supervisor;
    ChannelEnd worker;
    EXPECT(channel_open(&supervisor, &worker) == ERR_OK);
    EXPECT(!sends_descriptor(worker.orders, worker.orders));
    EXPECT(errno == EPIPE);
    EXPECT(!sends_descriptor(worker.answers, worker.orders));
    EXPECT(errno == ENOTSOCK);
    EXPECT(send(worker.orders, "x", 1, MSG_NOSIGNAL) < 0 && errno == EPIPE);
    channel_close(&worker);
    channel_close(&supervisor);
}

TEST("app: a socket takes no descriptors where the kernel can refuse them")
{
    int ends[2];
    uint8_t room[8];
    EXPECT(socketpair(AF_UNIX, SOCK_SEQPACKET, 0, ends) == 0);
    EXPECT(sends_descriptor(ends[1], ends[1]));
    EXPECT(recv(ends[0], room, sizeof room, 0) == 1);
    trust_no_descriptors(ends[0]);
    int on = 1;
    socklen_t bytes = sizeof on;
    if (getsockopt(ends[0], SOL_SOCKET, 83 /* SO_PASSRIGHTS */, &on, &bytes) == 0) {
        EXPECT(on == 0);
        EXPECT(!sends_descriptor(ends[1], ends[1]) && errno == EPERM);
        EXPECT(sends_descriptor(ends[0], ends[0])); /* the other way is open */
    }
    (void)close(ends[0]);
    (void)close(ends[1]);
}

static bool str_has(Str text, Str part)
{
    bool has = false;
    for (size_t i = 0; i + part.len <= text.len && !has; i++) {
        has = str_starts(str_drop(text, i), part);
    }
    return has;
}

TEST("app: the status names endpoints that are not up, or have another weight than 1")
{
    EndpointStatus endpoints[] = {
        {.name = S("10.0.0.1:80"), .state = ENDPOINT_DOWN, .weight = 1},
        {.name = S("10.0.0.2:80"), .route = S("/a/"), .state = ENDPOINT_UP, .weight = 0},
        {.name = S("10.0.0.3:80"), .state = ENDPOINT_DRAINING, .weight = 7}};
    ServiceStatus service = {.name = S("app"), .endpoint_count = 3};
    WorkerStatus w = {.threads = 1, .service_count = 1};
    uint8_t room[8192];
    Text t = text_in(span_of(room, sizeof room));
    service.endpoints = endpoints;
    w.services = &service;
    status_print_worker(&t, &w, false);
    EXPECT(str_has(text_str(&t), S("\nENDPOINT            STATE WEIGHT SERVICE\n"
                                   "10.0.0.1:80          down      1 app\n"
                                   "10.0.0.2:80            up      0 app /a/\n"
                                   "10.0.0.3:80      draining      7 app\n")));
    t.len = 0;
    status_print_worker(&t, &w, true);
    EXPECT(str_has(text_str(&t),
                   S("\"endpoints\":[{\"name\":\"10.0.0.1:80\",\"state\":\"down\",\"weight\":1},"
                     "{\"name\":\"10.0.0.2:80\",\"route\":\"/a/\",\"state\":\"up\",\"weight\":0},"
                     "{\"name\":\"10.0.0.3:80\",\"state\":\"draining\",\"weight\":7}]}")));
    service.endpoint_count = 0;
    t.len = 0;
    status_print_worker(&t, &w, false);
    EXPECT(!str_has(text_str(&t), S("ENDPOINT")));
}

TEST("app: an empty status is valid, in both forms")
{
    uint8_t room[4096];
    Text t = text_in(span_of(room, sizeof room));
    ProcessStatus p = {.version = S("1"), .state = S("serving"), .up_ms = 90061000};
    WorkerStatus w = {.threads = 1};
    status_print_process(&t, &p, true);
    status_print_certificates(&t, NULL, 0, 0, true);
    status_print_worker_key(&t);
    status_print_worker(&t, &w, true);
    text_byte(&t, '}');
    EXPECT(str_starts(text_str(&t), S("{\"version\":\"1\",\"state\":\"serving\",")));
    EXPECT(str_ends(text_str(&t), S("\"services\":[],\"upstreams\":[],\"faults\":{}}}")));
    t.len = 0;
    status_print_process(&t, &p, false);
    EXPECT(str_starts(text_str(&t), S("River 1, serving for 1 d 1 h\n")));
}

/* A child that has ended and was waited for: the system knows nothing of it any more. */
static pid_t forgotten_child(void)
{
    pid_t pid = fork();
    if (pid == 0) {
        _exit(0);
    }
    (void)waitpid(pid, NULL, 0);
    return pid;
}

TEST("app: what a helper sends counts only when all of it is within its bounds")
{
    Record good = {.kind = RECORD_TELL, .value_count = RECORD_VALUES_MAX, .len = RECORD_BYTES_MAX};
    Record read;
    ChannelMessage message = {.kind = CHANNEL_RECORD, .bytes = str_of(&good, sizeof good)};
    EXPECT(record_read(&message, &read) == ERR_OK);
    message.kind = CHANNEL_READY;
    EXPECT(record_read(&message, &read) == ERR_SYNTAX);
    message.kind = CHANNEL_RECORD;
    message.bytes = str_of(&good, sizeof good - 1);
    EXPECT(record_read(&message, &read) == ERR_SYNTAX);
    const Record bad[] = {{.kind = RECORD_NONE},
                          {.kind = RECORD_LAST + 1},
                          {.kind = RECORD_TELL, .value_count = RECORD_VALUES_MAX + 1},
                          {.kind = RECORD_TELL, .len = RECORD_BYTES_MAX + 1},
                          {.kind = RECORD_TELL, .len = UINT32_MAX}};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        message.bytes = str_of(&bad[i], sizeof bad[i]);
        EXPECT(record_read(&message, &read) == ERR_SYNTAX);
    }
}

TEST("app: of a file with a key only what is public is taken")
{
    static const Str key = S_INIT("-----BEGIN EC PRIVATE KEY-----\nAAAA\n"
                                  "-----END EC PRIVATE KEY-----\n");
    static const Str chain = S_INIT("-----BEGIN CERTIFICATE-----\nBBBB\n"
                                    "-----END CERTIFICATE-----\n");
    uint8_t text_room[512];
    uint8_t room[512];
    Text text = text_in(span_of(text_room, sizeof text_room));
    EXPECT(pem_has_key(key));
    EXPECT(!pem_has_key(chain));
    EXPECT_STR(pem_public(key, span_of(room, sizeof room)), S(""));
    text_add(&text, S("prime1: 00:11\n")); /* as some tools write beside a key */
    text_add(&text, chain);
    text_add(&text, S("prime2: 22:33\n"));
    text_add(&text, key);
    text_add(&text, chain);
    text_add(&text, str_take(key, key.len - 20)); /* cut */
    EXPECT(pem_has_key(text_str(&text)));
    Str left = pem_public(text_str(&text), span_of(room, sizeof room));
    EXPECT_U64(left.len, 2 * chain.len);
    EXPECT(str_equal(str_take(left, chain.len), chain));
    EXPECT(str_equal(str_drop(left, chain.len), chain));
}

TEST("app: a worker of which the system knows nothing is gone")
{
    ProcessManager k;
    KeptChild ended = {0};
    int status = 0;
    k = (ProcessManager){.nursery = NURSERY_NONE};
    k.workers[0] = (KeptChild){
        .role = KEPT_SERVING, .pid = forgotten_child(), .process = -1, .channel = CHANNEL_CLOSED};
    EXPECT(manager_reap(&k, true, 1000, &ended, &status));
    EXPECT(WIFSIGNALED(status));
    EXPECT(manager_find(&k, KEPT_SERVING) == NULL);
    EXPECT(!manager_reap(&k, true, 1000, &ended, &status));
}

/* Asks a checker that answers with these values; the words that came along are in `why`. */
static Err judge_by(const uint64_t *values, uint32_t count, Str words, TlsPairFacts *ret, Text *why)
{
    KeyChecker checker = {.runs = true, .child = {.ready = true}};
    ChannelEnd process;
    TlsMistake mistake;
    TlsPair pair = {.chain = STR_NONE};
    Record answer = {.kind = RECORD_TELL, .id = 1, .value_count = count};
    (void)span_copy(span_of(answer.values, sizeof answer.values),
                    str_of(values, count * sizeof *values));
    answer.len = (uint32_t)span_copy(span_of(answer.bytes, sizeof answer.bytes), words);
    EXPECT(channel_open(&checker.child.channel, &process) == ERR_OK);
    EXPECT(record_answer(&process, &answer) == ERR_OK);
    Err err = key_checker_judge(&checker, &pair, ret, &mistake, why);
    channel_close(&checker.child.channel);
    channel_close(&process);
    return err;
}

TEST("app: what the key checker says of a pair is believed only within its bounds")
{
    uint8_t room[64];
    Text why = text_in(span_of(room, sizeof room));
    TlsPairFacts facts = {0};
    uint64_t values[KEY_PAIR_VALUES] = {
        ERR_OK, TLS_PART_NONE, 10, 20, 1, TLS_STAPLE_GOOD, 0, 30, 40};
    EXPECT(judge_by(values, KEY_PAIR_VALUES, STR_NONE, &facts, &why) == ERR_OK);
    EXPECT(facts.validity.not_before == 10 && facts.validity.not_after == 20);
    EXPECT(facts.validity.has_names && facts.staple.until == 40);
    EXPECT(judge_by(values, KEY_PAIR_VALUES - 1, STR_NONE, &facts, &why) == ERR_SYSTEM);
    values[5] = TLS_STAPLE_EXPIRED + 1;
    EXPECT(judge_by(values, KEY_PAIR_VALUES, STR_NONE, &facts, &why) == ERR_SYSTEM);
    values[5] = TLS_STAPLE_NONE;
    values[1] = TLS_PART_MEMORY + 1;
    EXPECT(judge_by(values, KEY_PAIR_VALUES, STR_NONE, &facts, &why) == ERR_SYSTEM);
    values[1] = TLS_PART_KEY;
    values[0] = UINT64_MAX;
    EXPECT(judge_by(values, KEY_PAIR_VALUES, STR_NONE, &facts, &why) == ERR_SYSTEM);
    values[0] = ERR_SYNTAX;
    EXPECT(judge_by(values, KEY_PAIR_VALUES, S("no\x1b[2J key"), &facts, &why) == ERR_SYNTAX);
    EXPECT_STR(text_str(&why), S("no?[2J key"));
}
