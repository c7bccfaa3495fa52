/* supervisor_files.c - the files that only one River may have at a time: the control socket, the
 * pid file, and the orphan's socket. */
#include "app/supervision.h"

#include "app/pidfile.h"
#include "base/clock.h"

#define CLAIM_FIRST_MS 100u   /* until files are claimed again, at first */
#define CLAIM_AGAIN_MS 1000u /* and from then on */

void supervisor_find_control(Supervisor *s, Arena *arena)
{
    uint8_t room[128];
    Text found = text_in(span_of(room, sizeof room));
    s->control_path = s->system.control_socket;
    if (s->control_path.len > 0) {
        return;
    }
    Err err = control_default_path(true, &found);
    if (err == ERR_OK && !arena_copy(arena, text_str(&found), &s->control_path)) {
        err = ERR_MEMORY;
    }
    if (err != ERR_OK) {
        LOG(WARN, "no control socket", LOG_STR("path", text_str(&found)),
            LOG_STR("why", str_from_c(err_sentence(err))));
    }
}

/* Without it an orphaned worker still serves, but its listeners cannot be taken over. */
static void open_orphan(Supervisor *s, Arena *arena)
{
    Err err = orphan_listen(s->control_path, arena, &s->orphan);
    if (err != ERR_OK) {
        LOG(WARN, "should this process die, the next River cannot take over from its worker",
            LOG_STR("why", str_from_c(err_sentence(err))));
    }
}

static Err open_control(Supervisor *s, Arena *arena, Text *why)
{
    control_none(&s->control);
    if (s->control_path.len == 0) {
        return ERR_OK;
    }
    Err err = control_open(&s->control, s->control_path, why);
    if (err != ERR_OK) {
        control_none(&s->control);
        return err;
    }
    open_orphan(s, arena);
    return ERR_OK;
}

Err supervisor_open_control(Supervisor *s, Arena *arena, Text *why)
{
    uint8_t room[512];
    Text own_why = text_in(span_of(room, sizeof room));
    bool asked_for = s->system.control_socket.len > 0;
    Err err = open_control(s, arena, asked_for ? why : &own_why);
    if (err != ERR_OK && !asked_for) {
        LOG(WARN, "no control socket", LOG_STR("path", s->control_path),
            LOG_STR("why", text_str(&own_why)));
    }
    return asked_for ? err : ERR_OK;
}

Err supervisor_open_pid_file(Supervisor *s, Arena *arena, Text *why)
{
    (void)arena;
    Str path = s->system.pid_file;
    return path.len > 0 ? pidfile_write(path, &s->pid_file, why) : ERR_OK;
}

void supervisor_close_orphan(Supervisor *s)
{
    if (s->orphan.fd >= 0) {
        ListenSet set = {.room = 1, .at = &s->orphan, .count = 1}; /* system call */
        listen_close(&set, NULL, true);
    }
}

/* A River that was killed may hold its files a moment longer than its connections, so what fails is
 * tried again. */
void supervisor_claim_files(Supervisor *s)
{
    uint8_t room[512];
    Text why = text_in(span_of(room, sizeof room));
    Err err = s->control.socket.fd < 0 ? open_control(s, s->arena, &why) : ERR_OK;
    err = err == ERR_OK && s->pid_file < 0 ? supervisor_open_pid_file(s, s->arena, &why) : err;
    if (err != ERR_OK) {
        bool first = s->claim_at_ms == 0;
        s->claim_at_ms = clock_ms() + (first ? CLAIM_FIRST_MS : CLAIM_AGAIN_MS);
        if (!first && !s->claim_told) {
            s->claim_told = true;
            LOG(ERROR, "River serves, but without a file of its own; it tries again",
                LOG_STR("why", text_str(&why)));
        }
        return;
    }
    s->claim_at_ms = 0;
    const KeptChild *serving = manager_find(&s->manager, KEPT_SERVING);
    if (serving && serving->ready) {
        supervisor_confirm(s, serving);
    }
}
