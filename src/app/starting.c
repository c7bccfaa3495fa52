/* starting.c - reads addresses as people type them, and writes the starting configuration. */
#include "app/starting.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/ip.h"
#include "base/number.h"

#define LOOK_MS 200 /* for a connection to this machine */

/* ---- addresses as people type them ---- */

typedef struct Target {
    Str unix_path; /* empty: an address with a port */
    bool tls;      /* https:// */
    bool any;      /* no host, *, 0.0.0.0 or [::] */
    bool local;    /* localhost */
    Str host;      /* as written, without brackets */
    IpAddress ip;  /* neither any nor local */
    uint64_t port;
} Target;

static bool is_digits(Str s)
{
    for (size_t i = 0; i < s.len; i++) {
        if (!byte_is_digit(str_at(s, i))) {
            return false;
        }
    }
    return s.len > 0;
}

/* The position of "://"; the length of `s` if there is none. */
static size_t scheme_end(Str s)
{
    size_t at = str_find(s, ':', 0);
    return str_starts(str_drop(s, at), S("://")) ? at : s.len;
}

/* Cuts "HOST:PORT", "[IPV6]:PORT", "PORT" or "HOST". Returns what is wrong with it, or NULL. */
static const char *cut_port(Str rest, Str *ret_host, Str *ret_port)
{
    *ret_host = rest;
    *ret_port = STR_NONE;
    if (is_digits(rest)) {
        *ret_host = STR_NONE;
        *ret_port = rest;
        return NULL;
    }
    if (str_starts(rest, S("["))) {
        size_t end = str_find(rest, ']', 0);
        Str after = str_drop(rest, end + 1);
        *ret_host = str_slice(rest, 1, end);
        *ret_port = str_drop(after, 1);
        bool good = end < rest.len && (after.len == 0 || str_starts(after, S(":")));
        return good ? NULL : "an IPv6 address looks like [::1]:3000";
    }
    StrCut cut = str_cut(rest, ':');
    if (cut.found && str_find(cut.tail, ':', 0) < cut.tail.len) {
        return "an IPv6 address needs brackets, like [::1]:3000";
    }
    *ret_host = cut.head;
    *ret_port = cut.tail;
    return NULL;
}

static bool is_any(Str host)
{
    return host.len == 0 || str_equal(host, S("*")) || str_equal(host, S("0.0.0.0")) ||
           str_equal(host, S("::"));
}

static const char *read_host(Str rest, Str default_port, Target *ret)
{
    Str port;
    const char *wrong = cut_port(rest, &ret->host, &port);
    if (wrong) {
        return wrong;
    }
    port = port.len > 0 ? port : default_port;
    if (port.len == 0) {
        return "the port is missing, as in 127.0.0.1:3000";
    }
    if (number_decimal(port, 65535, &ret->port) != ERR_OK || ret->port == 0) {
        return "a port is a number between 1 and 65535";
    }
    ret->any = is_any(ret->host);
    ret->local = str_equal_nocase(ret->host, S("localhost"));
    if (!ret->any && !ret->local && ip_parse(ret->host, &ret->ip) != ERR_OK) {
        return "River does not look up names here yet: write the address (`getent hosts NAME` "
               "prints it)";
    }
    return NULL;
}

/* Returns what is wrong, or NULL. */
static const char *read_target(Str text, Target *ret)
{
    *ret = (Target){.unix_path = STR_NONE};
    if (str_starts(text, S("unix:"))) {
        text = str_drop(text, 5);
        text = str_starts(text, S("//")) ? str_drop(text, 2) : text;
        ret->unix_path = text;
        return str_starts(text, S("/")) ? NULL : "the path of a Unix socket must begin with /";
    }
    if (str_starts(text, S("/"))) {
        ret->unix_path = text;
        return NULL;
    }
    if (str_starts(text, S("@"))) {
        return "abstract sockets are not supported: write the path of a Unix socket";
    }
    size_t end = scheme_end(text);
    Str default_port = STR_NONE;
    if (end < text.len) {
        Str scheme = str_take(text, end);
        ret->tls = str_equal_nocase(scheme, S("https"));
        if (!ret->tls && !str_equal_nocase(scheme, S("http"))) {
            return "only http:// and https:// can be forwarded to";
        }
        default_port = ret->tls ? S("443") : S("80");
        text = str_drop(text, end + 3);
        text = str_ends(text, S("/")) ? str_take(text, text.len - 1) : text;
        if (text.len == 0) {
            return "the address is missing, as in http://127.0.0.1:3000";
        }
    }
    if (str_find(text, '/', 0) < text.len || str_find(text, '?', 0) < text.len) {
        return "a path cannot be added: write only the address, like http://127.0.0.1:3000";
    }
    return read_host(text, default_port, ret);
}

static Str default_listen(const Starting *s)
{
    return s->certificate.len > 0 ? S(":8443") : S(":8080");
}

/* Where it listens; the address is a checked one. */
static Target listen_target(const Starting *s)
{
    Target at;
    (void)read_target(s->listen.len > 0 ? s->listen : default_listen(s), &at);
    return at;
}

/* ---- checking ---- */

static Err complain_about(Text *why, Str flag, Str value, const char *wrong)
{
    text_add(why, flag);
    text_add(why, flag.len > 0 ? S(" ") : STR_NONE);
    text_format(why, "%.*s: %s", STR_ARG(value), wrong);
    return ERR_SYNTAX;
}

static const char *judge_listen(Str text)
{
    Target at;
    if (scheme_end(text) < text.len) {
        return "write only the address, like :8080; --cert and --key add TLS";
    }
    const char *wrong = read_target(text, &at);
    bool name = wrong && at.port > 0;
    return name ? "listen at an address of this machine, or at :PORT for all of them" : wrong;
}

Err starting_check(const Starting *s, Text *why)
{
    Target to = {.tls = false};
    const char *wrong = s->origin.len > 0 ? read_target(s->origin, &to) : NULL;
    if (wrong) {
        return complain_about(why, s->origin_flag, s->origin, wrong);
    }
    if (!to.tls && s->origin_name.len + s->origin_ca.len > 0) {
        text_add(why, S("--origin-name and --origin-ca are for origins that begin with https://"));
        return ERR_SYNTAX;
    }
    wrong = s->listen.len > 0 ? judge_listen(s->listen) : NULL;
    if (wrong) {
        return complain_about(why, S("--listen"), s->listen, wrong);
    }
    if ((s->certificate.len > 0) != (s->key.len > 0)) {
        text_add(why, s->key.len == 0
                          ? S("--cert needs the certificate's private key, too: --key FILE")
                          : S("--key needs the certificate, too: --cert FILE"));
        return ERR_SYNTAX;
    }
    return ERR_OK;
}

/* ---- the machine ---- */

/* Whether a connection to this machine succeeds. */
static bool try_loopback(int family, uint16_t port)
{
    struct sockaddr_in v4 = {.sin_family = AF_INET,
                             .sin_port = htons(port),
                             .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    struct sockaddr_in6 v6 = {.sin6_family = AF_INET6,
                              .sin6_port = htons(port),
                              .sin6_addr = IN6ADDR_LOOPBACK_INIT};
    bool four = family == AF_INET;
    int fd = socket(family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0) {
        return false;
    }
    struct pollfd one = {.fd = fd, .events = POLLOUT};
    int fault = 0;
    socklen_t bytes = sizeof fault;
    int status = four ? connect(fd, (const struct sockaddr *)&v4, sizeof v4)
                      : connect(fd, (const struct sockaddr *)&v6, sizeof v6);
    bool reached = status == 0;
    if (!reached && errno == EINPROGRESS) {
        reached = poll(&one, 1, LOOK_MS) == 1 &&
                  getsockopt(fd, SOL_SOCKET, SO_ERROR, &fault, &bytes) == 0 && fault == 0;
    }
    (void)close(fd);
    return reached;
}

void starting_look(Starting *s)
{
    int fd = socket(AF_INET6, SOCK_STREAM | SOCK_CLOEXEC, 0);
    s->ipv6 = fd >= 0;
    if (fd >= 0) {
        (void)close(fd);
    }
    Target to = {.tls = false};
    bool good = s->origin.len > 0 && !read_target(s->origin, &to);
    /* "localhost" is both addresses, and many development servers listen at one of them only. */
    if (good && to.unix_path.len == 0 && (to.local || (to.any && to.host.len == 0))) {
        s->origin_ipv6 = !try_loopback(AF_INET, (uint16_t)to.port) &&
                         try_loopback(AF_INET6, (uint16_t)to.port);
    }
}

/* ---- writing ---- */

typedef struct Writer {
    const Starting *given;
    Text *out;
    StartingText *ret;
} Writer;

static void add_text(Writer *w, Str text)
{
    text_add(w->out, text);
}

/* What is written from `from` on comes from this argument. */
static void end_piece(Writer *w, size_t from, Str flag, Str value)
{
    StartingText *r = w->ret;
    CHECK(r->count < STARTING_PIECES_MAX);
    r->pieces[r->count++] = (StartingPiece){.from = from, .to = w->out->len, .flag = flag,
                                            .value = value};
}

/* A string of KDL. */
static void add_string(Writer *w, Str s)
{
    text_byte(w->out, '"');
    for (size_t i = 0; i < s.len; i++) {
        uint8_t byte = str_at(s, i);
        if (byte == '"' || byte == '\\') {
            text_byte(w->out, '\\');
            text_byte(w->out, byte);
        } else if (byte < 0x20 || byte == 0x7F) {
            text_format(w->out, "\\u{%x}", byte);
        } else {
            text_byte(w->out, byte);
        }
    }
    text_byte(w->out, '"');
}

/* ` NAME="VALUE"`, unless there is no value. */
static void add_property(Writer *w, Str name, Str flag, Str value)
{
    if (value.len == 0) {
        return;
    }
    size_t from = w->out->len;
    text_byte(w->out, ' ');
    add_text(w, name);
    text_byte(w->out, '=');
    add_string(w, value);
    end_piece(w, from, flag, value);
}

/* `host` empty: the target's own. */
static void add_address(Writer *w, const Target *t, Str host)
{
    if (t->unix_path.len > 0) {
        add_string(w, t->unix_path);
        return;
    }
    bool brackets = host.len == 0 && t->ip.family == 6;
    text_byte(w->out, '"');
    add_text(w, brackets ? S("[") : STR_NONE);
    if (host.len > 0) {
        add_text(w, host);
    } else {
        ip_print(w->out, t->ip);
    }
    text_format(w->out, "%s:%u\"", brackets ? "]" : "", (unsigned)t->port);
}

static void add_listeners(Writer *w)
{
    const Starting *s = w->given;
    Target at = listen_target(s);
    Str host = at.local ? S("127.0.0.1") : STR_NONE;
    host = at.any && at.host.len > 0 && !str_equal(at.host, S("*")) ? at.host : host;
    host = str_equal(host, S("::")) ? S("[::]") : host;
    host = at.any && host.len == 0 ? (s->ipv6 ? S("[::]") : S("0.0.0.0")) : host;
    if (at.any) {
        text_format(w->out,
                    "            // Every address. For clients on this machine: "
                    "\"127.0.0.1:%u\"\n",
                    (unsigned)at.port);
    }
    add_text(w, S("            "));
    size_t from = w->out->len;
    add_address(w, &at, host);
    end_piece(w, from, S("--listen"), s->listen.len > 0 ? s->listen : default_listen(s));
    add_property(w, S("cert-path"), S("--cert"), s->certificate);
    add_property(w, S("key-path"), S("--key"), s->key);
    add_text(w, S("\n"));
}

/* One line of `connectors`. */
static void add_connector(Writer *w, Str indent, const Target *to, Str host)
{
    const Starting *s = w->given;
    add_text(w, indent);
    add_text(w, S("    "));
    size_t from = w->out->len;
    add_address(w, to, host);
    end_piece(w, from, s->origin_flag, s->origin);
    if (to->tls) {
        uint8_t room[64];
        Text own = text_in(span_of(room, sizeof room));
        if (to->any || to->local) {
            text_add(&own, S("localhost"));
        } else {
            ip_print(&own, to->ip);
        }
        if (s->origin_name.len > 0) {
            add_property(w, S("tls-sni"), S("--origin-name"), s->origin_name);
        } else {
            text_format(w->out, " tls-sni=\"%.*s\"", STR_ARG(text_str(&own)));
            end_piece(w, from, s->origin_flag, s->origin);
        }
        add_property(w, S("ca-path"), S("--origin-ca"), s->origin_ca);
    }
    add_text(w, S("\n"));
}

static void add_connectors(Writer *w, Str indent)
{
    Target to;
    (void)read_target(w->given->origin, &to);
    add_text(w, indent);
    add_text(w, S("connectors {\n"));
    if (to.unix_path.len > 0 || (!to.any && !to.local)) {
        add_connector(w, indent, &to, STR_NONE);
    } else if (str_equal(to.host, S("::")) || w->given->origin_ipv6) {
        add_connector(w, indent, &to, S("[::1]"));
    } else {
        add_connector(w, indent, &to, S("127.0.0.1"));
    }
    add_text(w, indent);
    add_text(w, S("}\n"));
}

static void add_file_server(Writer *w, Str indent)
{
    const Starting *s = w->given;
    add_text(w, indent);
    add_text(w, S("file-server {\n"));
    add_text(w, indent);
    add_text(w, S("    "));
    size_t from = w->out->len;
    add_text(w, S("base-path "));
    add_string(w, s->directory);
    end_piece(w, from, s->directory_flag, s->directory);
    add_text(w, S("\n"));
    add_text(w, indent);
    add_text(w, S("}\n"));
}

/* What happens to the requests. */
static void add_action(Writer *w)
{
    const Starting *s = w->given;
    if (s->origin.len > 0 && s->directory.len > 0) {
        add_text(w, S("        // The longest path that a request begins with decides.\n"
                 "        routes {\n            route \"/api\" {\n"));
        add_connectors(w, S("                "));
        add_text(w, S("            }\n            route \"/\" {\n"));
        add_file_server(w, S("                "));
        add_text(w, S("            }\n        }\n"));
    } else if (s->directory.len > 0) {
        add_file_server(w, S("        "));
    } else {
        add_text(w, S("        // Where the application listens; requests are balanced over "
                      "several.\n"));
        add_connectors(w, S("        "));
    }
}

static void add_user(Writer *w)
{
    Str user = w->given->user;
    if (user.len == 0) {
        add_text(w, S("    // user \"www-data\"\n"));
        return;
    }
    add_text(w, S("    user "));
    size_t from = w->out->len;
    add_string(w, user);
    end_piece(w, from, S("--user"), user);
    add_text(w, S("\n"));
}

Err starting_write(const Starting *s, Text *out, StartingText *ret)
{
    Starting given = *s;
    Writer w = {.given = &given, .out = out, .ret = ret};
    *ret = (StartingText){.count = 0};
    if (s->origin.len == 0 && s->directory.len == 0) {
        given.origin = S("127.0.0.1:3000");
    }
    add_text(&w, S("// `river check FILE` says what is wrong with this file, `river run FILE`\n"
              "// runs it, `river reload` takes up a change, `river defaults` prints options.\n"
              "system {\n"
              "    log {\n"
              "        // A line per request; also \"json\", \"combined\", the path of a file.\n"
              "        access \"stdout\" format=\"logfmt\"\n"
              "    }\n"
              "    // Who handles the requests, when root starts River.\n"));
    add_user(&w);
    add_text(&w, S("}\n"
                   "services {\n"
                   "    site {\n"
                   "        listeners {\n"));
    add_listeners(&w);
    add_text(&w, S("        }\n"));
    add_action(&w);
    add_text(&w, S("    }\n}\n"));
    ret->text = text_str(out);
    return out->overflow || out->len > STARTING_BYTES_MAX ? ERR_LIMIT : ERR_OK;
}

void starting_greet(const Starting *s, Text *out)
{
    Target at = listen_target(s);
    text_add(out, S("River listens at "));
    if (at.unix_path.len > 0) {
        text_add(out, at.unix_path);
    } else {
        bool named = at.any || at.local;
        bool brackets = !named && at.ip.family == 6;
        text_add(out, s->certificate.len > 0 ? S("https://") : S("http://"));
        text_add(out, brackets ? S("[") : STR_NONE);
        text_add(out, named ? S("localhost") : at.host);
        text_format(out, "%s:%u/", brackets ? "]" : "", (unsigned)at.port);
        text_add(out, at.any ? S(" (and at every other address of this machine)") : STR_NONE);
    }
    if (s->origin.len > 0) {
        text_format(out, " and forwards to %.*s", STR_ARG(s->origin));
    } else {
        text_format(out, " and serves the files in %.*s", STR_ARG(s->directory));
    }
    text_add(out, S("; Ctrl-C stops it\n"));
}

/* ---- mistakes ---- */

/* The argument that a place comes from: the piece that holds it, else the first one within it. */
static const StartingPiece *piece_at(const StartingText *s, Location at)
{
    for (size_t i = 0; i < s->count; i++) {
        if (at.from >= s->pieces[i].from && at.from < s->pieces[i].to) {
            return &s->pieces[i];
        }
    }
    for (size_t i = 0; i < s->count; i++) {
        if (s->pieces[i].from >= at.from && s->pieces[i].from < (size_t)at.from + at.len) {
            return &s->pieces[i];
        }
    }
    return NULL;
}

static void print_argument(const StartingPiece *piece, Text *out)
{
    text_add(out, piece->flag);
    text_add(out, piece->flag.len > 0 ? S(" ") : STR_NONE);
    text_add(out, piece->value);
}

bool starting_says_kept(const StartingText *s, Str line)
{
    for (size_t i = 0; i < s->count; i++) {
        const StartingPiece *piece = &s->pieces[i];
        size_t bytes = piece->flag.len + (piece->flag.len > 0) + piece->value.len;
        if (str_starts(line, piece->flag) &&
            str_starts(str_drop(line, bytes), S(": not renewed: "))) {
            return true;
        }
    }
    return false;
}

void starting_name_mistakes(const StartingText *s, Diagnostics *d)
{
    for (size_t i = 0; i < d->count; i++) {
        Diagnostic *one = &d->list[i];
        const StartingPiece *piece = one->placed ? piece_at(s, one->location) : NULL;
        if (!one->placed) {
            continue;
        }
        one->placed = false;
        one->origin = S("the command line");
        Span room;
        if (piece && arena_span(d->arena, piece->flag.len + 1 + piece->value.len, &room)) {
            Text t = text_in(room);
            print_argument(piece, &t);
            one->origin = text_str(&t);
        }
    }
}

/* ---- `river init` ---- */

Err starting_save(Str text, Str path, bool force)
{
    char name[PATH_MAX];
    TRY(str_to_c(path, span_of(name, sizeof name)));
    int flags = O_WRONLY | O_CREAT | O_CLOEXEC | O_NOCTTY | (force ? O_TRUNC : O_EXCL);
    int fd = open(name, flags, 0644);
    if (fd < 0) {
        return err_from_errno(errno);
    }
    Err err = ERR_OK;
    while (text.len > 0 && err == ERR_OK) {
        ssize_t n = write(fd, text.at, text.len); /* system call */
        if (n > 0) {
            text = str_drop(text, (size_t)n);
        } else if (n == 0 || errno != EINTR) {
            err = n == 0 ? ERR_SYSTEM : err_from_errno(errno);
        }
    }
    return close(fd) == 0 || err != ERR_OK ? err : err_from_errno(errno);
}
