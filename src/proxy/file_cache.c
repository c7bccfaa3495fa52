/* file_cache.c - finds, opens, keeps and drops files. */
#include "proxy/file_cache.h"

#include "base/keyed_hash.h"
#include "base/number.h"
#include "base/text.h"
#include "proxy/worker.h"
#include "proxy/worker.h"

#define BUCKETS 2048u /* a power of two */
#define EVICT_STEPS_MAX 8u
#define FILES_PRESENT_MIN (2 * EVICT_STEPS_MAX) /* so that the newest is never evicted */
#define SETTLED_S 2 /* a file changed more recently may change again within the same time stamp */
#define TRANSIENT_MAX 8192u /* entries beyond the cache's limits that exchanges pin */

typedef struct FileWait {
    Token who;
    uint32_t next; /* index + 1 */
} FileWait;

/* Ordered by the time of the last check. */
typedef struct FileList {
    HandleList files; /* oldest first */
    uint32_t count;
    uint32_t max;
} FileList;

struct FileCache {
    Pool pool;
    HashSecret secret; /* outsiders cannot predict the hashes of paths */
    size_t content_bytes;
    size_t content_max;
    FileList present;
    FileList absent;
    uint32_t free_wait; /* index + 1 */
    uint32_t waits_used;
    FileWait waits[FILES_WAITS_MAX];
    Handle buckets[BUCKETS];
};

FileCache *file_cache_new(uint32_t present_max, size_t content_max)
{
    FileCache *files = (FileCache *)memory_reserve(sizeof *files);
    if (!files) {
        return NULL;
    }
    hash_secret_make(&files->secret);
    files->content_max = content_max;
    files->present.max = present_max > FILES_PRESENT_MIN ? present_max : FILES_PRESENT_MIN;
    files->absent.max = FILES_ABSENT_MAX;
    uint32_t slots = files->present.max + FILES_ABSENT_MAX + TRANSIENT_MAX;
    if (pool_init(&files->pool, sizeof(File), slots) != ERR_OK) {
        memory_release(files, sizeof *files);
        return NULL;
    }
    return files;
}

File *file_cache_get(const Thread *t, Handle h)
{
    return t->file_cache ? (File *)pool_get(&t->file_cache->pool, h) : NULL;
}

/* --- lists ----------------------------------------------------------------------------------- */

static FileList *list_of(FileCache *files, const File *f)
{
    return f->err == ERR_OK ? &files->present : &files->absent;
}

static void list_remove(Thread *t, File *f)
{
    FileList *list = list_of(t->file_cache, f);
    handle_list_remove(&list->files, &t->file_cache->pool, offsetof(File, links), &f->links);
    list->count--;
}

static void list_add(Thread *t, File *f)
{
    FileList *list = list_of(t->file_cache, f);
    handle_list_append(&list->files, &t->file_cache->pool, offsetof(File, links), f->self,
                       &f->links);
    list->count++;
}

static Handle *bucket_of(FileCache *files, uint64_t hash)
{
    return &files->buckets[hash & (BUCKETS - 1)];
}

/* --- freeing an entry ----------------------------------------------------------------------- */

static void content_drop(Thread *t, File *f)
{
    if (f->content.len > 0) {
        t->file_cache->content_bytes -= f->content.len;
        memory_drop(&t->group->budget, f->content.at /* system call */, f->content.len);
        f->content = span_of(NULL, 0);
    }
}

static void file_free(Thread *t, File *f)
{
    content_drop(t, f);
    if (f->fd >= 0) {
        file_close(f->fd);
    }
    memory_drop(&t->group->budget, f->path.at /* system call */, f->path.len);
    pool_give(&t->file_cache->pool, f->self);
}

/* Removes it from the index; it is freed once unused. */
static void file_unlist(Thread *t, File *f)
{
    Handle *link = bucket_of(t->file_cache, f->hash);
    File *at = file_cache_get(t, *link);
    while (at && at != f) {
        link = &at->next;
        at = file_cache_get(t, *link);
    }
    *link = f->next;
    list_remove(t, f);
    f->listed = false;
    if (f->pins == 0) {
        file_free(t, f);
    }
}

/* Makes room in a list by evicting the oldest unused entries. */
static void evict_oldest(Thread *t, const FileList *list)
{
    Handle h = list->files.first;
    for (unsigned i = 0; i < EVICT_STEPS_MAX && list->count > list->max; i++) {
        File *f = file_cache_get(t, h);
        if (!f) {
            return;
        }
        h = f->links.next;
        if (f->pins == 0 && !f->opening) {
            file_unlist(t, f);
        }
    }
}

/* No descriptor is left: closes all that the cache can do without. */
static void evict_all(Thread *t)
{
    Handle h = t->file_cache->present.files.first;
    for (File *f = file_cache_get(t, h); f; f = file_cache_get(t, h)) {
        h = f->links.next;
        if (f->pins == 0 && !f->opening && f->fd >= 0) {
            file_unlist(t, f);
        }
    }
}

void file_cache_release(Thread *t, Handle h)
{
    File *f = file_cache_get(t, h);
    if (!f) {
        return;
    }
    CHECK(f->pins > 0);
    f->pins--;
    if (f->pins == 0 && !f->listed) {
        file_free(t, f);
    }
}

void file_cache_drop(Thread *t)
{
    FileCache *files = t->file_cache;
    if (!files) {
        return;
    }
    FileList *lists[] = {&files->present, &files->absent};
    for (size_t i = 0; i < 2; i++) {
        File *f;
        while ((f = file_cache_get(t, lists[i]->files.first)) != NULL) {
            f->pins = 0;
            file_unlist(t, f);
        }
    }
    pool_drop(&files->pool);
    memory_release(files, sizeof *files);
    t->file_cache = NULL;
}

/* --- waiting --------------------------------------------------------------------------------- */

static bool wait_add(FileCache *files, File *f, Token who)
{
    uint32_t at = files->free_wait;
    if (at) {
        files->free_wait = files->waits[at - 1].next;
    } else if (files->waits_used < FILES_WAITS_MAX) {
        at = ++files->waits_used;
    } else {
        return false;
    }
    files->waits[at - 1] = (FileWait){.who = who, .next = f->first_wait};
    f->first_wait = at;
    return true;
}

/* Waiters that are gone have stale tokens. */
static void wake_all(Thread *t, uint32_t first)
{
    FileCache *files = t->file_cache;
    while (first) {
        FileWait *w = &files->waits[first - 1];
        uint32_t next = w->next;
        thread_again_token(t, w->who);
        w->next = files->free_wait;
        files->free_wait = first;
        first = next;
    }
}

/* --- filling an entry ----------------------------------------------------------------------- */

static int64_t wall_seconds(const Thread *t)
{
    return (int64_t)((t->now_ns / 1000 + t->wall_offset_us) / 1000000);
}

/* A strong tag: it changes with every modification that the file system's clock can show. */
static void name_version(const Thread *t, File *f)
{
    Text etag = text_in(span_of(f->etag, sizeof f->etag));
    uint64_t ns = (uint64_t)f->facts.modified_s * UINT64_C(1000000000) + f->facts.modified_ns;
    text_byte(&etag, '"');
    text_hex(&etag, ns, 1);
    text_byte(&etag, '-');
    text_hex(&etag, f->facts.size, 1);
    text_byte(&etag, '"');
    CHECK(!etag.overflow);
    f->etag_len = etag.len;
    Text date = text_in(span_of(f->modified, sizeof f->modified));
    int64_t now = wall_seconds(t); /* never later than Date (RFC 9110 §8.8.2.1) */
    date_print(&date, f->facts.modified_s < now ? f->facts.modified_s : now);
}

/* Whether an open file still matches its entity tag: it may have been modified in place. */
static bool is_unchanged(const File *f)
{
    FileFacts now;
    return f->fd < 0 || (file_look_now(f->fd, &now) == ERR_OK && file_facts_equal(&f->facts, &now));
}

/* Makes room for `size` bytes of content by evicting the oldest entries. */
static bool content_room(Thread *t, size_t size)
{
    FileCache *files = t->file_cache;
    Handle h = files->present.files.first;
    for (unsigned i = 0; i < EVICT_STEPS_MAX; i++) {
        File *f = file_cache_get(t, h);
        if (!f || files->content_bytes + size <= files->content_max) {
            break;
        }
        h = f->links.next;
        if (f->content.len > 0 && f->pins == 0 && !f->opening) {
            file_unlist(t, f);
        }
    }
    return files->content_bytes + size <= files->content_max;
}

/* Keeps a small file in memory if all of it is available and it has not just changed; it then needs
 * no descriptor. */
static void content_keep(Thread *t, File *f)
{
    size_t size = (size_t)u64_min(f->facts.size, FILE_CONTENT_BYTES_MAX + 1);
    bool settled = f->facts.modified_s + SETTLED_S <= wall_seconds(t) &&
                   (int64_t)(f->facts.changed_ns / 1000000000u) + SETTLED_S <= wall_seconds(t);
    if (f->fd < 0 || f->pins > 0 || size == 0 || size > FILE_CONTENT_BYTES_MAX || !settled ||
        thread_is_tight(t) || !content_room(t, size)) {
        return;
    }
    void *at = memory_new(&t->group->budget, size);
    if (!at) {
        return;
    }
    size_t got = 0;
    if (file_read_now(f->fd, 0, span_of(at, size), &got) != ERR_OK || got != size ||
        !is_unchanged(f)) {
        memory_drop(&t->group->budget, at, size);
        return;
    }
    f->content = span_of(at, size);
    t->file_cache->content_bytes += size;
    file_close(f->fd);
    f->fd = -1;
}

static File *file_new(Thread *t, int root, Str path, uint64_t hash)
{
    Handle h;
    File *f = (File *)pool_take(&t->file_cache->pool, &h);
    if (!f) {
        return NULL;
    }
    *f = (File){.self = h, .root = root, .fd = -1, .err = ERR_AGAIN, .hash = hash};
    void *copy = path.len ? memory_new(&t->group->budget, path.len) : NULL;
    if (path.len && !copy) {
        pool_give(&t->file_cache->pool, h);
        return NULL;
    }
    f->path = span_of(copy, path.len);
    span_copy(f->path, path);
    Handle *bucket = bucket_of(t->file_cache, hash);
    f->next = *bucket;
    *bucket = h;
    f->listed = true;
    list_add(t, f);
    evict_oldest(t, list_of(t->file_cache, f));
    return f;
}

/* Stores the result of a check of the path. An entry in use is replaced, and stays as it was. */
static File *file_settle(Thread *t, File *f, const DiskOpened *now)
{
    bool known = f->err != ERR_AGAIN;
    bool same = known && f->err == now->err &&
                (f->err != ERR_OK || file_facts_equal(&f->facts, &now->facts));
    f->opening = false;
    if (known && !same && f->pins > 0) {
        File *other = file_new(t, f->root, span_str(f->path), f->hash);
        if (!other) {
            if (now->fd >= 0) {
                file_close(now->fd);
            }
            return NULL;
        }
        other->first_wait = f->first_wait;
        f->first_wait = 0;
        file_unlist(t, f);
        f = other;
    }
    list_remove(t, f);
    f->err = now->err;
    list_add(t, f);
    f->checked_ms = t->now_ms;
    if (same && (f->fd >= 0 || f->content.len > 0)) {
        if (now->fd >= 0) {
            file_close(now->fd);
        }
    } else {
        content_drop(t, f);
        if (f->fd >= 0) {
            file_close(f->fd);
        }
        f->fd = now->fd;
        f->facts = now->facts;
        name_version(t, f);
    }
    content_keep(t, f);
    evict_oldest(t, list_of(t->file_cache, f));
    return f;
}

/* --- finding --------------------------------------------------------------------------------- */

static File *file_find(Thread *t, int root, Str path, uint64_t hash)
{
    File *f = file_cache_get(t, *bucket_of(t->file_cache, hash));
    while (f && !(f->hash == hash && f->root == root && str_equal(span_str(f->path), path))) {
        f = file_cache_get(t, f->next);
    }
    return f;
}

/* Makes the disk's threads check the path. */
static Err open_later(Thread *t, File *f, Token who)
{
    if (!wait_add(t->file_cache, f, who)) {
        return ERR_FULL;
    }
    if (f->opening) {
        return ERR_AGAIN;
    }
    DiskReply reply = {.to = &t->mailbox, .kind = MESSAGE_FILE_OPENED, .handle = f->self};
    Err err = disk_open(t->worker->disk, f->root, span_str(f->path), reply);
    if (err != ERR_OK) {
        uint32_t waits = f->first_wait; /* those of this exchange only */
        f->first_wait = 0;
        wake_all(t, waits);
        return err;
    }
    f->opening = true;
    return ERR_AGAIN;
}

/* Checks the path, as far as possible without the disk. */
static Err file_look(Thread *t, File **f, Token who)
{
    DiskOpened now = {.fd = -1};
    now.err = file_open_now((*f)->root, span_str((*f)->path), &now.fd, &now.facts);
    if (now.err == ERR_DESCRIPTORS) {
        (*f)->opening = true; /* protects it from eviction */
        evict_all(t);
        (*f)->opening = false;
        now.err = file_open_now((*f)->root, span_str((*f)->path), &now.fd, &now.facts);
    }
    if (now.err == ERR_AGAIN) {
        return open_later(t, *f, who);
    }
    if (now.err == ERR_DESCRIPTORS || now.err == ERR_MEMORY) {
        return now.err;
    }
    *f = file_settle(t, *f, &now);
    return *f ? ERR_OK : ERR_MEMORY;
}

Err file_cache_find(Thread *t, int root, Str path, Token who, Handle *ret)
{
    uint64_t root_hash = ((uint64_t)(unsigned)root + 1) * UINT64_C(0x9e3779b97f4a7c15);
    uint64_t hash = hash_str(&t->file_cache->secret, path) ^ root_hash;
    File *f = file_find(t, root, path, hash);
    if (!f) {
        f = file_new(t, root, path, hash);
    }
    if (!f) {
        return ERR_FULL;
    }
    bool fresh = f->err != ERR_AGAIN && t->now_ms - f->checked_ms < FILE_CHECK_MS &&
                 is_unchanged(f);
    if (!fresh || f->opening) {
        Err err = f->opening ? open_later(t, f, who) : file_look(t, &f, who);
        if (err != ERR_OK) {
            if (err != ERR_AGAIN && f && f->err == ERR_AGAIN && !f->opening) {
                file_unlist(t, f); /* its state is unknown */
            }
            return err;
        }
    }
    if (f->err != ERR_OK) {
        return f->err;
    }
    f->pins++;
    *ret = f->self;
    return ERR_OK;
}

void file_cache_forget(Thread *t, int root)
{
    FileCache *files = t->file_cache;
    if (!files) {
        return;
    }
    const FileList *lists[] = {&files->present, &files->absent};
    for (size_t i = 0; i < 2; i++) {
        Handle h = lists[i]->files.first;
        for (File *f = file_cache_get(t, h); f; f = file_cache_get(t, h)) {
            h = f->links.next;
            if (f->root == root) {
                uint32_t waits = f->first_wait;
                f->first_wait = 0;
                file_unlist(t, f);
                wake_all(t, waits);
            }
        }
    }
}

void file_cache_on_opened(Thread *t, const Message *m)
{
    DiskOpened now = disk_opened(m);
    File *f = file_cache_get(t, m->handle);
    if (!f || !f->listed) { /* forgotten meanwhile */
        file_cache_discard(t, m);
        return;
    }
    uint32_t waits = f->first_wait;
    f->first_wait = 0;
    if (now.err == ERR_DESCRIPTORS || now.err == ERR_MEMORY) {
        evict_all(t);
    }
    (void)file_settle(t, f, &now);
    wake_all(t, waits);
}

/* --- reading --------------------------------------------------------------------------------- */

Err file_cache_read(const File *f, uint64_t offset, Span room, size_t *ret_read)
{
    if (f->content.len > 0) {
        Str from = str_drop(span_str(f->content), (size_t)u64_min(offset, f->content.len));
        *ret_read = span_copy(room, str_take(from, room.len));
        return *ret_read > 0 ? ERR_OK : ERR_CLOSED;
    }
    return file_read_now(f->fd, offset, room, ret_read);
}

Err file_cache_load(Thread *t, File *f, uint64_t offset, size_t len, Handle who)
{
    DiskReply reply = {.to = &t->mailbox,
                       .kind = MESSAGE_FILE_BYTES,
                       .handle = who,
                       .tag = token_of(0, f->self)};
    TRY(disk_read(t->worker->disk, f->fd, offset, len, reply));
    f->pins++; /* the descriptor must stay open until the reply */
    return ERR_OK;
}

DiskBytes file_cache_on_bytes(Thread *t, const Message *m)
{
    file_cache_release(t, token_handle(disk_tag(m)));
    return disk_bytes(m);
}

void file_cache_discard(Thread *t, const Message *m)
{
    if (m->kind == MESSAGE_FILE_OPENED) {
        DiskOpened opened = disk_opened(m);
        if (opened.fd >= 0) {
            file_close(opened.fd);
        }
    } else if (m->kind == MESSAGE_FILE_BYTES) {
        DiskBytes bytes = disk_bytes(m);
        disk_bytes_drop(&t->group->budget, &bytes);
    }
}
