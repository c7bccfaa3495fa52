/* supervisor_roots.c - follows the paths of static roots: a new release is served without a reload.
 *
 * What lies in the directory that the cage admits is passed to the serving worker, which puts it in
 * place of the old descriptor (worker_reload.c). Anything else needs a fresh worker. Whether a root
 * has moved is judged anew at each look, so nothing is lost if an order or a reload fails. */
#include "app/supervision.h"

#include <unistd.h>

#define LOOK_MS 500u    /* a new release is served within a second */
#define FRESH_MS 5000u  /* between two fresh workers: the old ones finish their work meanwhile */

static void tell_gone(Root *root, Str path, Err err)
{
    if (!root->gone) {
        root->gone = true;
        LOG(WARN, "a static root leads nowhere; what it led to is served on",
            LOG_STR("path", path), LOG_STR("why", str_from_c(err_sentence(err))));
    }
}

/* The serving worker takes `fd` instead; if it reads no orders now, the next look tries again. */
static void pass_root(Supervisor *s, const KeptChild *serving, size_t index, int fd)
{
    Root *root = &s->current->roots[index];
    ChannelMessage order = {
        .kind = CHANNEL_ROOT, .id = (uint32_t)index, .fd_count = 1, .fds = {fd}};
    if (channel_order(&serving->channel, &order) != ERR_OK) {
        (void)close(fd);
        return;
    }
    (void)close(root->fd);
    root->fd = fd;
    LOG(INFO, "a static root leads to another directory",
        LOG_STR("path", s->current->settings->roots[index]));
}

/* Whether a fresh worker is needed. */
static bool look_at_root(Supervisor *s, const KeptChild *serving, size_t index)
{
    Root *root = &s->current->roots[index];
    Str path = s->current->settings->roots[index];
    int fd = -1;
    Err err = root_look(s->source.files, path, root, &fd);
    if (err != ERR_OK && err != ERR_EXISTS) {
        tell_gone(root, path, err);
        return false;
    }
    root->gone = false;
    if (err == ERR_EXISTS) {
        return false;
    }
    if (s->current->settings->system.sandbox && !root_admits(root, fd)) {
        (void)close(fd);
        return true;
    }
    pass_root(s, serving, index, fd);
    return false;
}

void roots_keep(Supervisor *s, uint64_t now_ms)
{
    const KeptChild *serving = manager_find(&s->manager, KEPT_SERVING);
    bool fresh = false;
    if (s->current->root_count == 0 || now_ms < s->roots.look_at_ms) {
        return;
    }
    s->roots.look_at_ms = now_ms + LOOK_MS;
    for (size_t i = 0; serving && serving->ready && i < s->current->root_count; i++) {
        fresh = look_at_root(s, serving, i) || fresh;
    }
    if (fresh && now_ms >= s->roots.fresh_at_ms && s->reload.state == RELOAD_NONE) {
        s->roots.fresh_at_ms = now_ms + FRESH_MS;
        LOG(INFO, "a static root leads to a directory that the worker's cage does not admit");
        reload_for_roots(s);
    }
}

uint64_t roots_due_ms(const Supervisor *s)
{
    return s->current->root_count > 0 ? s->roots.look_at_ms : 0;
}
