/* files.c - opens and reads files, and detects changes. */
#include "app/files.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "app/machine.h"
#include "app/pem.h"
#include "app/read_fd.h"
#include "base/number.h"
#include "cage/account.h"
#include "loop/system.h"

#define SETTLED_SECONDS 2
#define LOOK_TOGETHER_MIN 2000u /* fewer files are not worth a thread */
#define LOOK_STEP 250u

static uint64_t mark_of(const struct stat *about)
{
    const uint64_t facts[] = {(uint64_t)about->st_dev,          (uint64_t)about->st_ino,
                              (uint64_t)about->st_size,         (uint64_t)about->st_mtim.tv_sec,
                              (uint64_t)about->st_mtim.tv_nsec, (uint64_t)about->st_ctim.tv_sec,
                              (uint64_t)about->st_ctim.tv_nsec};
    return str_fnv(str_of(facts, sizeof facts), 0);
}

/* Two changes within one tick of the kernel's clock yield the same mark, so a recently changed file
 * is not settled. */
static bool is_settled(const Files *f, const struct stat *about)
{
    return about->st_ctim.tv_sec + SETTLED_SECONDS < f->config.now_s;
}

/* Takes a file as a secret, without looking at its bytes. */
static Err take_secret(Files *f, int fd, size_t bytes, Arena *a, FileSettings *file)
{
    Str *secret = arena_new(a, Str);
    if (!secret) {
        return ERR_MEMORY;
    }
    file->secret = secret;
    file->bytes = STR_NONE;
    /* Room for one more byte shows whether the file has grown. */
    TRY(region_add_secret(f->region, fd, bytes + 1, secret));
    if (secret->len > bytes) {
        return ERR_AGAIN;
    }
    return key_checker_identify(&f->keys, *secret, a, &file->identity, &file->bytes);
}

/* A key in a file that was not named as one is not kept: wipe it, and take the file as a secret. */
static Err read_bytes(Files *f, int fd, size_t bytes, Arena *a, FileSettings *file)
{
    Span room;
    if (!arena_span(a, bytes + 1, &room)) {
        return ERR_MEMORY;
    }
    TRY(read_fd(fd, room, &file->bytes));
    if (file->bytes.len == room.len) {
        memory_wipe_span(room);
        return ERR_AGAIN;
    }
    if (!pem_has_key(file->bytes)) {
        return ERR_OK;
    }
    memory_wipe_span(room);
    return take_secret(f, fd, bytes, a, file);
}

static Err read_whole(Files *f, int fd, bool secret, Arena *a, FileSettings *file)
{
    struct stat about;
    if (fstat(fd, &about) != 0) {
        return err_from_errno(errno);
    }
    if (!S_ISREG(about.st_mode)) {
        return ERR_UNSUPPORTED;
    }
    file->mark = mark_of(&about);
    file->settled = is_settled(f, &about);
    if (about.st_size > (off_t)FILES_BYTES_MAX) {
        return ERR_LIMIT;
    }
    return secret ? take_secret(f, fd, (size_t)about.st_size, a, file)
                  : read_bytes(f, fd, (size_t)about.st_size, a, file);
}

/* Regular files only, so that nothing blocks, not even on a pipe's writer. */
static Err open_and_read(Files *f, bool secret, Arena *a, FileSettings *file)
{
    char name[PATH_MAX];
    TRY(str_to_c(file->path, span_of(name, sizeof name)));
    int fd = openat(f->directory, name, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
    if (fd < 0) {
        return err_from_errno(errno);
    }
    Err err = read_whole(f, fd, secret, a, file);
    (void)close(fd);
    return err;
}

static Err read_file(void *context, Arena *a, FileSettings *file)
{
    return open_and_read((Files *)context, false, a, file);
}

static Err read_secret(void *context, Arena *a, FileSettings *file)
{
    return open_and_read((Files *)context, true, a, file);
}

static Err keep_secret(void *context, Arena *a, FileSettings *file)
{
    const Files *f = (const Files *)context;
    Str *secret = arena_new(a, Str);
    if (!secret) {
        return ERR_MEMORY;
    }
    TRY(region_copy_secret(f->region, *file->secret, secret));
    file->secret = secret;
    return ERR_OK;
}

/* ---- texts and directories of the configuration ---- */

static Err read_regular(const Files *f, int fd, size_t bytes_max, Arena *a, WatchedPath *ret)
{
    struct stat about;
    Span room;
    if (fstat(fd, &about) != 0) {
        return err_from_errno(errno);
    }
    if (!S_ISREG(about.st_mode)) {
        return ERR_UNSUPPORTED;
    }
    ret->mark = mark_of(&about);
    ret->settled = is_settled(f, &about);
    if (about.st_size > (off_t)bytes_max) {
        return ERR_LIMIT;
    }
    if (!arena_span(a, (size_t)about.st_size + 1, &room)) {
        return ERR_MEMORY;
    }
    TRY(read_fd(fd, room, &ret->text));
    if (pem_has_key(ret->text)) { /* it would be in messages, and in the memory of the traffic */
        memory_wipe_span(room);
        ret->text = STR_NONE;
        return ERR_DENIED;
    }
    return ret->text.len == room.len ? ERR_AGAIN : ERR_OK; /* it grows while it is read */
}

static uint64_t text_mark(void *context, Str path)
{
    return files_mark((const Files *)context, path);
}

static Err read_text(void *context, Arena *a, Str path, size_t bytes_max, WatchedPath *ret)
{
    const Files *f = (const Files *)context;
    char name[PATH_MAX];
    TRY(str_to_c(path, span_of(name, sizeof name)));
    int fd = openat(f->directory, name, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
    if (fd < 0) {
        Err missing = err_from_errno(errno);
        ret->mark = files_mark(f, path);
        return missing;
    }
    Err err = read_regular(f, fd, bytes_max, a, ret);
    (void)close(fd);
    return err;
}

static Err read_names(DIR *directory, Arena *a, Str **ret, size_t *ret_count)
{
    size_t room = 0;
    for (const struct dirent *e = readdir(directory); e; e = readdir(directory)) {
        Str name = str_from_c(e->d_name);
        if (*ret_count == room) {
            room = room == 0 ? 64 : 2 * room;
            Str *list = arena_array(a, Str, room);
            if (!list) {
                return ERR_MEMORY;
            }
            (void)span_copy(span_of(list, room * sizeof *list),
                            str_of(*ret, *ret_count * sizeof *list));
            *ret = list;
        }
        if (!str_starts(name, S(".")) && !arena_copy(a, name, &(*ret)[*ret_count])) {
            return ERR_MEMORY;
        }
        *ret_count += str_starts(name, S(".")) ? 0 : 1;
    }
    return ERR_OK;
}

static Err list_directory(void *context, Arena *a, Str path, Str **ret, size_t *ret_count,
                          uint64_t *ret_mark)
{
    const Files *f = (const Files *)context;
    char name[PATH_MAX];
    *ret_mark = files_mark(f, path);
    *ret = NULL;
    *ret_count = 0;
    TRY(str_to_c(path, span_of(name, sizeof name)));
    int fd = openat(f->directory, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *directory = fd >= 0 ? fdopendir(fd) : NULL;
    if (!directory) {
        Err err = err_from_errno(errno);
        if (fd >= 0) {
            (void)close(fd);
        }
        return err;
    }
    Err err = read_names(directory, a, ret, ret_count);
    (void)closedir(directory);
    return err;
}

static Err look_at_file(void *context, Str path)
{
    const Files *f = (const Files *)context;
    char name[PATH_MAX];
    TRY(str_to_c(path, span_of(name, sizeof name)));
    return faccessat(f->directory, name, R_OK, AT_EACCESS) == 0 ? ERR_OK : err_from_errno(errno);
}

static uint64_t identify_path(void *context, Str path)
{
    const Files *f = (const Files *)context;
    char name[PATH_MAX];
    struct stat about;
    if (str_to_c(path, span_of(name, sizeof name)) != ERR_OK ||
        fstatat(f->directory, name, &about, 0) != 0) {
        return 0;
    }
    const uint64_t facts[] = {(uint64_t)about.st_dev, (uint64_t)about.st_ino};
    return u64_max(str_fnv(str_of(facts, sizeof facts), 0), 1);
}

static bool read_environment(void *context, Str name, Str *ret)
{
    char text[256];
    (void)context;
    const char *value =
        str_to_c(name, span_of(text, sizeof text)) == ERR_OK ? getenv(text) : NULL;
    *ret = str_from_c(value);
    return value != NULL;
}

Err files_open_directory(const Files *f, Str path, int *ret_fd)
{
    char name[PATH_MAX];
    TRY(str_to_c(path, span_of(name, sizeof name)));
    int fd = openat(f->directory, name, O_PATH | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0) {
        return errno == ENOTDIR ? ERR_UNSUPPORTED : err_from_errno(errno);
    }
    int itself = system_calls->file_open(fd, ".", false);
    if (itself < 0 && errno == ENOSYS) {
        (void)close(fd);
        return ERR_UNSUPPORTED;
    }
    if (itself >= 0) {
        (void)close(itself); /* an unreadable directory may still have readable files */
    }
    *ret_fd = fd;
    return ERR_OK;
}

static Err look_at_directory(void *context, Str path)
{
    int fd = -1;
    TRY(files_open_directory((const Files *)context, path, &fd));
    (void)close(fd);
    return ERR_OK;
}

uint64_t files_mark(const Files *f, Str path)
{
    char name[PATH_MAX];
    struct stat about = {0};
    if (str_to_c(path, span_of(name, sizeof name)) != ERR_OK ||
        fstatat(f->directory, name, &about, 0) != 0) {
        about = (struct stat){0};
    }
    return mark_of(&about);
}

/* ---- many at once ---- */

static void *look_at_files(void *looking)
{
    FilesLooking *l = (FilesLooking *)looking;
    size_t from = atomic_fetch_add(&l->taken, LOOK_STEP);
    while (from < l->count) {
        size_t to = size_min(from + LOOK_STEP, l->count);
        for (size_t i = from; i < to; i++) {
            l->marks[i] = files_mark(l->files, l->list[i].path);
        }
        from = atomic_fetch_add(&l->taken, LOOK_STEP);
    }
    return NULL;
}

void files_look_begin(Files *f, const FileSettings *list, size_t count)
{
    FilesLooking *l = &f->looking;
    size_t wanted = size_min(machine_cores() - 1, FILES_LOOKERS_MAX);
    if (count < LOOK_TOGETHER_MIN || wanted == 0) {
        return;
    }
    *l = (FilesLooking){.files = f, .list = list, .count = count};
    l->marks = (uint64_t *)memory_new(NULL, count * sizeof *l->marks);
    while (l->marks && l->started < wanted &&
           pthread_create(&l->threads[l->started], NULL, look_at_files, l) == 0) {
        l->started++;
    }
}

static void wait_for_lookers(FilesLooking *l)
{
    for (; l->started > 0; l->started--) {
        (void)pthread_join(l->threads[l->started - 1], NULL);
    }
}

void files_look_end(Files *f)
{
    FilesLooking *l = &f->looking;
    atomic_store(&l->taken, l->count); /* unclaimed files are skipped */
    wait_for_lookers(l);
    memory_drop(NULL, l->marks, l->count * sizeof *l->marks);
    *l = (FilesLooking){0};
}

static void mark_files(void *context, const FileSettings *files, size_t count, uint64_t *ret)
{
    Files *f = (Files *)context;
    FilesLooking *begun = &f->looking;
    if (begun->marks && begun->list == files && begun->count == count) {
        (void)look_at_files(begun);
        wait_for_lookers(begun);
        size_t bytes = count * sizeof *ret;
        (void)span_copy(span_of(ret, bytes), str_of(begun->marks, bytes));
        return;
    }
    FilesLooking alone = {.files = f, .list = files, .marks = ret, .count = count};
    (void)look_at_files(&alone);
}

void files_look_at_clock(Files *f)
{
    f->config.now_s = (int64_t)time(NULL);
}

void files_open(Files *f)
{
    int directory = open(".", O_PATH | O_DIRECTORY | O_CLOEXEC);
    /* Without the directory, absolute paths can still be read. */
    *f = (Files){.directory = directory >= 0 ? directory : AT_FDCWD,
                 .config = {.context = f, .read = read_file, .read_secret = read_secret,
                            .keep_secret = keep_secret, .marks = mark_files,
                            .read_text = read_text, .text_mark = text_mark,
                            .list = list_directory,
                            .environment = read_environment, .exists = look_at_file,
                            .identity = identify_path,
                            .directory = look_at_directory,
                            .user = account_find_user,
                            .group = account_find_group}};
    files_look_at_clock(f);
}

void files_close(Files *f)
{
    if (f->directory >= 0) {
        (void)close(f->directory);
        f->directory = -1;
    }
}
