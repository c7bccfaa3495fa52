/* roots.c - see roots.h. */
#include "app/roots.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <sys/stat.h>
#include <unistd.h>

#define DEPTH_MAX 128u /* a directory that lies deeper is found in no other */

static bool is_same(const struct stat *a, const struct stat *b)
{
    return a->st_dev == b->st_dev && a->st_ino == b->st_ino;
}

static int open_at(int directory, const char *name)
{
    return openat(directory, name, O_PATH | O_DIRECTORY | O_CLOEXEC);
}

/* ---- one directory in another ---- */

/* Goes up from `fd`, over mounts as the kernel does for Landlock. False, too, if it cannot. */
static bool is_within(int fd, int holder)
{
    struct stat here;
    struct stat wanted;
    bool within = false;
    int at = open_at(fd, ".");
    bool goes_on = at >= 0 && fstat(at, &here) == 0 && fstat(holder, &wanted) == 0;
    for (unsigned i = 0; goes_on && i < DEPTH_MAX; i++) {
        struct stat above;
        within = is_same(&here, &wanted);
        int up = within ? -1 : open_at(at, "..");
        goes_on = up >= 0 && fstat(up, &above) == 0 && !is_same(&here, &above);
        here = goes_on ? above : here;
        (void)close(at);
        at = up;
    }
    if (at >= 0) {
        (void)close(at);
    }
    return within;
}

/* The root of all directories holds everything. */
static bool is_top(int fd)
{
    struct stat here;
    struct stat above;
    int up = open_at(fd, "..");
    bool top = up < 0 || fstat(fd, &here) != 0 || fstat(up, &above) != 0 || is_same(&here, &above);
    if (up >= 0) {
        (void)close(up);
    }
    return top;
}

bool root_admits(const Root *root, int fd)
{
    return root->holder >= 0 && is_within(fd, root->holder);
}

/* ---- the link ---- */

static size_t before_slashes(const char *name, size_t len)
{
    while (len > 0 && name[len - 1] == '/') {
        len--;
    }
    return len;
}

static size_t before_part(const char *name, size_t len)
{
    while (len > 0 && name[len - 1] != '/') {
        len--;
    }
    return len;
}

/* The length of the path up to its last part that is a link, which is where the part begins; the
 * path ends there afterwards. False: no part is a link. */
static bool cut_link(const Files *f, char *name, size_t len)
{
    for (len = before_slashes(name, len); len > 0; len = before_slashes(name, len)) {
        struct stat about;
        name[len] = 0;
        bool link = fstatat(f->directory, name, &about, AT_SYMLINK_NOFOLLOW) == 0 &&
                    S_ISLNK(about.st_mode);
        len = before_part(name, len);
        if (link) {
            name[len] = 0;
            return true;
        }
    }
    return false;
}

/* A holder is of use only while it has the directory in it. */
static int open_holder(const Files *f, Str path, int fd)
{
    char name[PATH_MAX];
    if (str_to_c(path, span_of(name, sizeof name)) != ERR_OK || !cut_link(f, name, path.len)) {
        return -1;
    }
    int holder = open_at(f->directory, name[0] == 0 ? "." : name);
    if (holder >= 0 && (is_top(holder) || !is_within(fd, holder))) {
        (void)close(holder);
        return -1;
    }
    return holder;
}

/* ---- all ---- */

Err roots_open(const Files *f, const Settings *settings, Arena *a, Root **ret, size_t *ret_count,
               Text *why)
{
    Root *roots = arena_array(a, Root, settings->root_count + 1);
    Err err = roots ? ERR_OK : ERR_MEMORY;
    size_t count = 0;
    while (err == ERR_OK && count < settings->root_count) {
        Str path = settings->roots[count];
        int fd = -1;
        err = files_open_directory(f, path, &fd);
        if (err == ERR_OK) {
            roots[count++] = (Root){.fd = fd, .holder = open_holder(f, path, fd)};
        }
    }
    if (err != ERR_OK && roots) {
        text_format(why, "cannot serve files from %.*s: %s", STR_ARG(settings->roots[count]),
                    err_sentence(err));
    }
    *ret = roots;
    *ret_count = count;
    return err;
}

void root_close(Root *root)
{
    (void)close(root->fd);
    if (root->holder >= 0) {
        (void)close(root->holder);
    }
    *root = (Root){.fd = -1, .holder = -1};
}

/* Two calls where nothing has changed. The present directory is open, so that no other has its
 * number. */
Err root_look(const Files *f, Str path, const Root *root, int *ret_fd)
{
    char name[PATH_MAX];
    struct stat known;
    struct stat now;
    int fd = -1;
    TRY(str_to_c(path, span_of(name, sizeof name)));
    if (fstatat(f->directory, name, &now, 0) != 0 || fstat(root->fd, &known) != 0) {
        return err_from_errno(errno);
    }
    if (is_same(&known, &now)) {
        return ERR_EXISTS;
    }
    TRY(files_open_directory(f, path, &fd));
    if (fstat(fd, &now) != 0 || is_same(&known, &now)) { /* it leads back already */
        (void)close(fd);
        return ERR_EXISTS;
    }
    *ret_fd = fd;
    return ERR_OK;
}
