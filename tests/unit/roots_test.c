/* roots_test.c - where the paths of static roots lead, and what a worker's cage admits. */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "app/roots.h"
#include "test.h"

/* A directory with releases and links; relative paths count from it. */
typedef struct Ground {
    char path[64];
    Files files;
    Blocks blocks;
    Arena arena;
    Settings settings;
    Str name;
    Root *roots;
    size_t count;
} Ground;

static void place_open(Ground *p)
{
    *p = (Ground){.path = "/tmp/river-roots-XXXXXX"};
    CHECK(mkdtemp(p->path) != NULL);
    p->files.directory = open(p->path, O_PATH | O_DIRECTORY | O_CLOEXEC);
    CHECK(p->files.directory >= 0);
    static const char *const names[] = {"releases", "releases/a", "releases/a/public",
                                        "releases/b", "releases/b/public", "app"};
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        CHECK(mkdirat(p->files.directory, names[i], 0755) == 0);
    }
    blocks_init(&p->blocks, NULL, 4096, 0);
    arena_init(&p->arena, &p->blocks, 1 << 20);
}

static void place_link(const Ground *p, const char *to, const char *link)
{
    (void)unlinkat(p->files.directory, link, 0);
    CHECK(symlinkat(to, p->files.directory, link) == 0);
}

static Root *open_root(Ground *p, const char *path)
{
    uint8_t room[200];
    Text why = text_in(span_of(room, sizeof room));
    p->name = str_from_c(path);
    p->settings = (Settings){.root_count = 1, .roots = &p->name};
    CHECK(roots_open(&p->files, &p->settings, &p->arena, &p->roots, &p->count, &why) == ERR_OK);
    return &p->roots[0];
}

static void place_close(Ground *p)
{
    char command[100];
    (void)snprintf(command, sizeof command, "rm -rf %s", p->path);
    CHECK(system(command) == 0);
    (void)close(p->files.directory);
    arena_reset(&p->arena);
    blocks_drop(&p->blocks);
}

static int open_there(const Ground *p, const char *path)
{
    return openat(p->files.directory, path, O_PATH | O_DIRECTORY | O_CLOEXEC);
}

TEST("roots: the directory that holds the last link is admitted, if the root lies in it")
{
    static const struct {
        const char *link;
        const char *to;
        const char *path;
        bool holder;
        bool admits_b;
    } rows[] = {
        {"current", "releases/a", "current", true, true},
        {"current", "releases/a", "./current/", true, true},
        {"current", "releases/a", "current//public///", true, true},
        {"releases/now", "a", "releases/now", true, true},
        {"releases/now", "a", "releases/now/../now/public", true, true},
        {"current", "releases/a", "releases/a", false, false},
        {"app/current", "../releases/a", "app/current", false, false},
        {"app/top", "/", "app/top", false, false},
        {"app/current", "/tmp", "app/current", false, false},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        Ground p;
        place_open(&p);
        place_link(&p, rows[i].to, rows[i].link);
        Root *root = open_root(&p, rows[i].path);
        EXPECT(rows[i].holder == (root->holder >= 0));
        int b = open_there(&p, "releases/b/public");
        int outside = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC);
        EXPECT(root_admits(root, b) == rows[i].admits_b);
        EXPECT(!root_admits(root, outside));
        (void)close(b);
        (void)close(outside);
        root_close(root);
        place_close(&p);
    }
}

TEST("roots: a look finds another directory, the same one, or none")
{
    Ground p;
    int fd = -1;
    struct stat found;
    struct stat wanted;
    place_open(&p);
    place_link(&p, "releases/a", "current");
    Root *root = open_root(&p, "current");
    EXPECT(root_look(&p.files, S("current"), root, &fd) == ERR_EXISTS);
    place_link(&p, "./releases//a", "current");
    EXPECT(root_look(&p.files, S("current"), root, &fd) == ERR_EXISTS);
    place_link(&p, "releases/none", "current");
    EXPECT(root_look(&p.files, S("current"), root, &fd) == ERR_MISSING);
    place_link(&p, "current", "current");
    EXPECT(root_look(&p.files, S("current"), root, &fd) != ERR_OK);
    EXPECT(fd == -1);
    place_link(&p, "releases/b", "current");
    EXPECT(root_look(&p.files, S("current"), root, &fd) == ERR_OK);
    EXPECT(fstat(fd, &found) == 0 && stat(p.path, &wanted) == 0);
    EXPECT(fstatat(p.files.directory, "releases/b", &wanted, 0) == 0);
    EXPECT(found.st_ino == wanted.st_ino && found.st_dev == wanted.st_dev);
    EXPECT(root_admits(root, fd));
    (void)close(fd);
    root_close(root);
    place_close(&p);
}
