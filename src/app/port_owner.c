/* port_owner.c - from a port to a socket's inode (/proc/net/tcp), and from there to a process. */
#include "app/port_owner.h"

#include <dirent.h>
#include <fcntl.h>
#include <limits.h>
#include <unistd.h>

#include "app/read_fd.h"
#include "base/memory.h"

#define LISTENING S("0A") /* TCP_LISTEN, as the tables write it */
#define TABLE_BYTES_MAX (1u << 20)
#define LINKS_MAX 50000u /* descriptors that are looked at, in all */
#define NAME_BYTES_MAX 64u

/* The columns of a table's line that matter. */
enum { COLUMN_LOCAL = 1, COLUMN_STATE = 3, COLUMN_INODE = 9, COLUMNS };

/* Splits a line at its spaces. */
static bool split_line(Str line, Str columns[COLUMNS])
{
    size_t count = 0;
    while (count < COLUMNS) {
        StrCut cut = str_cut(str_trim(line), ' ');
        if (cut.head.len == 0) {
            return false;
        }
        columns[count++] = cut.head;
        line = cut.tail;
    }
    return true;
}

/* The inode of the socket that listens at the port, by this table; empty: none does. */
static Str find_inode(Str table, uint16_t port)
{
    uint8_t room[16];
    Text wanted = text_in(span_of(room, sizeof room));
    text_format(&wanted, ":%04X", (unsigned)port);
    while (table.len > 0) {
        Str columns[COLUMNS];
        StrCut line = str_cut(table, '\n');
        if (split_line(line.head, columns) && str_equal(columns[COLUMN_STATE], LISTENING) &&
            str_ends(columns[COLUMN_LOCAL], text_str(&wanted))) {
            return columns[COLUMN_INODE];
        }
        table = line.tail;
    }
    return STR_NONE;
}

/* Opens "/proc/PROCESS/NAME"; -1: that cannot be. */
static int open_below(Str process, Str name, int flags)
{
    char path[PATH_MAX];
    uint8_t room[PATH_MAX];
    Text t = text_in(span_of(room, sizeof room));
    text_format(&t, "/proc/%.*s/%.*s", STR_ARG(process), STR_ARG(name));
    return str_to_c(text_str(&t), span_of(path, sizeof path)) == ERR_OK
               ? open(path, flags | O_CLOEXEC)
               : -1;
}

/* Whether the process has the socket of that inode open. */
static bool has_socket(Str process, Str inode, unsigned *io_looked)
{
    char target[64];
    uint8_t room[64];
    bool found = false;
    Text wanted = text_in(span_of(room, sizeof room));
    text_format(&wanted, "socket:[%.*s]", STR_ARG(inode));
    int fd = open_below(process, S("fd"), O_RDONLY | O_DIRECTORY);
    DIR *directory = fd >= 0 ? fdopendir(fd) : NULL;
    for (const struct dirent *e = directory ? readdir(directory) : NULL;
         e && !found && *io_looked < LINKS_MAX; e = readdir(directory)) {
        (*io_looked)++;
        ssize_t n = readlinkat(fd, e->d_name, target, sizeof target);
        found = n > 0 && str_equal(str_of(target, (size_t)n), text_str(&wanted));
    }
    if (directory) {
        (void)closedir(directory);
    } else if (fd >= 0) {
        (void)close(fd);
    }
    return found;
}

static void print_process(Text *out, Str process)
{
    uint8_t room[NAME_BYTES_MAX];
    Str name = STR_NONE;
    int fd = open_below(process, S("comm"), O_RDONLY);
    if (fd >= 0) {
        (void)!read_fd(fd, span_of(room, sizeof room), &name);
        (void)close(fd);
    }
    name = str_cut(name, '\n').head;
    text_add(out, S(" by "));
    for (size_t i = 0; i < name.len; i++) { /* a process chooses its own name */
        uint8_t c = str_at(name, i);
        text_byte(out, c > ' ' && c < 0x7F ? c : '?');
    }
    text_format(out, "%s (process %.*s)", name.len > 0 ? "" : "a process", STR_ARG(process));
}

static bool print_owner(Text *out, Str inode)
{
    DIR *processes = opendir("/proc");
    unsigned looked = 0;
    bool found = false;
    for (const struct dirent *e = processes ? readdir(processes) : NULL;
         e && !found && looked < LINKS_MAX; e = readdir(processes)) {
        Str process = str_from_c(e->d_name);
        if (byte_is_digit(str_peek(process, 0))) {
            found = has_socket(process, inode, &looked);
            if (found) {
                print_process(out, process);
            }
        }
    }
    if (processes) {
        (void)closedir(processes);
    }
    return found;
}

void port_owner_print(Text *out, uint16_t port)
{
    static const char *const tables[] = {"/proc/net/tcp", "/proc/net/tcp6"};
    Span room = span_of(memory_new(NULL, TABLE_BYTES_MAX), TABLE_BYTES_MAX);
    bool found = false;
    for (size_t i = 0; room.at && i < 2 && !found; i++) { /* system call */
        Str table = STR_NONE;
        int fd = open(tables[i], O_RDONLY | O_CLOEXEC);
        if (fd >= 0 && read_fd(fd, room, &table) == ERR_OK) {
            Str inode = find_inode(table, port);
            found = inode.len > 0 && print_owner(out, inode);
        }
        if (fd >= 0) {
            (void)close(fd);
        }
    }
    memory_drop(NULL, room.at, TABLE_BYTES_MAX); /* system call */
}
