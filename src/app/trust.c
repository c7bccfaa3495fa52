/* trust.c - credentials of peers, owners of directories. */
#include "app/trust.h"

#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#define OPTION_PASS_RIGHTS 83 /* SO_PASSRIGHTS; newer than many headers */

void trust_no_descriptors(int fd)
{
    int off = 0;
    (void)setsockopt(fd, SOL_SOCKET, OPTION_PASS_RIGHTS, &off, sizeof off);
}

static bool credentials_of(int fd, struct ucred *ret)
{
    socklen_t bytes = sizeof *ret;
    return getsockopt(fd, SOL_SOCKET, SO_PEERCRED, ret, &bytes) == 0;
}

static bool is_trusted(uid_t user)
{
    return user == 0 || user == geteuid();
}

Err trust_check_peer(int fd, Text *why)
{
    struct ucred peer;
    if (!credentials_of(fd, &peer)) {
        text_format(why, "the process at the other end is not known");
        return ERR_DENIED;
    }
    if (!is_trusted(peer.uid)) {
        text_format(why, "the process at the other end (pid %d) belongs to another user (%u)",
                    peer.pid, peer.uid);
        return ERR_DENIED;
    }
    return ERR_OK;
}

int trust_peer_process(int fd)
{
    struct ucred peer;
    return credentials_of(fd, &peer) ? peer.pid : 0;
}

/* Checks one directory of the path; the sticky bit excuses all but the last. */
static Err check_one(const char *name, bool last, Text *why)
{
    struct stat about;
    if (lstat(name, &about) != 0) {
        text_format(why, "%s: %s", name, err_sentence(err_from_errno(errno)));
        return ERR_MISSING;
    }
    if (!is_trusted(about.st_uid)) {
        text_format(why, "%s belongs to another user (%u)", name, about.st_uid);
        return ERR_DENIED;
    }
    bool open = (about.st_mode & (S_IWGRP | S_IWOTH)) != 0;
    if (open && (last || !(about.st_mode & S_ISVTX))) {
        text_format(why, "others than its owner may write to %s", name);
        return ERR_DENIED;
    }
    return ERR_OK;
}

/* The directory of a path, with symbolic links resolved. */
static Err resolve_path(Str path, Span room)
{
    char name[PATH_MAX];
    size_t slash = path.len;
    while (slash > 0 && str_at(path, slash - 1) != '/') {
        slash--;
    }
    Str directory = slash > 0 ? str_take(path, slash) : S(".");
    TRY(str_to_c(directory, span_of(name, sizeof name)));
    CHECK(room.len >= PATH_MAX);
    return realpath(name, (char *)room.at) ? ERR_OK : ERR_MISSING; /* system call */
}

Err trust_check_directory(Str path, Text *why)
{
    char resolved[PATH_MAX];
    char name[PATH_MAX];
    if (resolve_path(path, span_of(resolved, sizeof resolved)) != ERR_OK) {
        text_format(why, "the directory of %.*s does not exist", STR_ARG(path));
        return ERR_MISSING;
    }
    Str whole = str_from_c(resolved);
    for (size_t i = 1; i <= whole.len; i++) {
        bool last = i == whole.len;
        if (!last && str_at(whole, i) != '/') {
            continue;
        }
        TRY(str_to_c(str_take(whole, i), span_of(name, sizeof name)));
        TRY(check_one(name, last, why));
    }
    return whole.len > 1 ? check_one("/", false, why) : ERR_OK;
}
