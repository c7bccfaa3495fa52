/* timer.c - the wheel: level L holds deadlines up to 64^(L+1) ms away, in slots of 64^L ms. */
#include "loop/timer.h"

#define SLOT_BITS 6u
#define NEVER UINT64_MAX
#define HORIZON ((UINT64_C(1) << (SLOT_BITS * WHEEL_LEVELS)) - 1) /* 8,900 years */
#define DUE_LEVEL 0xf0u /* and the list's index in `due` */

struct TimerEntry {
    uint64_t due_ms;   /* the deadline; NEVER when stopped */
    uint64_t place_ms; /* the slot's time; <= due_ms */
    Token token;
    uint32_t next; /* index + 1; 0 ends */
    uint32_t previous;
    uint8_t level; /* WHEEL_LEVELS when not linked, from DUE_LEVEL on in a due list */
    uint8_t slot;
};

static TimerEntry *entry_of(const Wheel *w, Timer timer)
{
    CHECK(timer > 0 && timer <= w->entries_touched);
    return &w->entries[timer - 1];
}

Err wheel_init(Wheel *w, uint32_t timers_max, uint64_t now_ms)
{
    *w = (Wheel){.entries_max = timers_max, .now_ms = now_ms};
    w->entries = (TimerEntry *)memory_reserve(sizeof(TimerEntry) * (size_t)timers_max);
    return w->entries ? ERR_OK : ERR_MEMORY;
}

void wheel_drop(Wheel *w)
{
    memory_release(w->entries, sizeof(TimerEntry) * (size_t)w->entries_max);
    *w = (Wheel){0};
}

static uint32_t *entry_head(Wheel *w, const TimerEntry *e)
{
    return e->level >= DUE_LEVEL ? &w->due[e->level - DUE_LEVEL] : &w->heads[e->level][e->slot];
}

static void entry_push(Wheel *w, Timer timer, uint32_t *head)
{
    TimerEntry *e = entry_of(w, timer);
    e->previous = 0;
    e->next = *head;
    if (e->next) {
        entry_of(w, e->next)->previous = timer;
    }
    *head = timer;
    w->armed++;
}

static void entry_unlink(Wheel *w, Timer timer)
{
    TimerEntry *e = entry_of(w, timer);
    if (e->level == WHEEL_LEVELS) {
        return;
    }
    uint32_t *head = entry_head(w, e);
    if (e->previous) {
        entry_of(w, e->previous)->next = e->next;
    } else {
        *head = e->next;
    }
    if (e->next) {
        entry_of(w, e->next)->previous = e->previous;
    }
    if (*head == 0 && e->level < DUE_LEVEL) {
        w->filled[e->level] &= ~(UINT64_C(1) << e->slot);
    }
    e->level = WHEEL_LEVELS;
    w->armed--;
}

/* Links the entry in the slot of its deadline; what is due already is handed out next time. */
static void entry_link(Wheel *w, Timer timer)
{
    TimerEntry *e = entry_of(w, timer);
    e->place_ms = e->due_ms < HORIZON ? e->due_ms : HORIZON;
    if (e->place_ms <= w->now_ms) {
        e->level = (uint8_t)(DUE_LEVEL + w->next_due);
        entry_push(w, timer, entry_head(w, e));
        return;
    }
    uint64_t apart = e->place_ms ^ w->now_ms;
    unsigned level = (63u - (unsigned)__builtin_clzll(apart)) / SLOT_BITS;
    unsigned slot = (unsigned)(e->place_ms >> (SLOT_BITS * level)) & (WHEEL_SLOTS - 1);
    e->level = (uint8_t)level;
    e->slot = (uint8_t)slot;
    w->filled[level] |= UINT64_C(1) << slot;
    entry_push(w, timer, &w->heads[level][slot]);
}

Err timer_set(Wheel *w, Timer *timer, uint64_t due_ms, Token token)
{
    if (LIKELY(*timer != 0)) {
        TimerEntry *e = entry_of(w, *timer);
        e->token = token;
        e->due_ms = due_ms;
        if (LIKELY(e->level < WHEEL_LEVELS && e->place_ms <= due_ms)) {
            return ERR_OK;
        }
        entry_unlink(w, *timer);
        entry_link(w, *timer);
        return ERR_OK;
    }
    uint32_t fresh = w->first_free;
    if (fresh) {
        w->first_free = entry_of(w, fresh)->next;
    } else if (w->entries_touched < w->entries_max) {
        fresh = ++w->entries_touched;
    } else {
        return ERR_FULL;
    }
    *entry_of(w, fresh) = (TimerEntry){.due_ms = due_ms, .token = token, .level = WHEEL_LEVELS};
    entry_link(w, fresh);
    *timer = fresh;
    return ERR_OK;
}

void timer_stop(Wheel *w, Timer timer)
{
    if (timer) {
        entry_of(w, timer)->due_ms = NEVER;
    }
}

uint64_t timer_due_ms(const Wheel *w, Timer timer)
{
    return timer ? entry_of(w, timer)->due_ms : NEVER;
}

void timer_drop(Wheel *w, Timer *timer)
{
    if (*timer) {
        entry_unlink(w, *timer);
        TimerEntry *e = entry_of(w, *timer);
        e->next = w->first_free;
        w->first_free = *timer;
        *timer = 0;
    }
}

/* Empties a slot whose time has come: each entry goes where its deadline now says. */
static void slot_empty(Wheel *w, unsigned level, unsigned slot)
{
    while (w->heads[level][slot]) {
        Timer timer = w->heads[level][slot];
        entry_unlink(w, timer);
        if (entry_of(w, timer)->due_ms != NEVER) {
            entry_link(w, timer);
        }
    }
}

/* The first time after now at which a slot of this level comes up; NEVER when the level is empty.
 * Slots at or before the current position belong to no future time of this round. */
static uint64_t level_next_ms(const Wheel *w, unsigned level)
{
    if (w->filled[level] == 0) {
        return NEVER;
    }
    unsigned shift = SLOT_BITS * level;
    unsigned position = (unsigned)(w->now_ms >> shift) & (WHEEL_SLOTS - 1);
    uint64_t ahead = position == WHEEL_SLOTS - 1 ? 0 : w->filled[level] >> (position + 1);
    if (ahead == 0) {
        return NEVER;
    }
    unsigned slot = position + 1 + (unsigned)__builtin_ctzll(ahead);
    uint64_t round = w->now_ms >> (shift + SLOT_BITS) << (shift + SLOT_BITS);
    return round + ((uint64_t)slot << shift);
}

/* The first slot of the levels; NEVER when all are empty. */
static uint64_t slots_next_ms(const Wheel *w)
{
    uint64_t next = NEVER;
    for (unsigned level = 0; level < WHEEL_LEVELS; level++) {
        uint64_t at = level_next_ms(w, level);
        next = at < next ? at : next;
    }
    return next;
}

/* Empties all slots whose time has come by `now_ms`. */
static void slots_empty(Wheel *w, uint64_t now_ms)
{
    while (w->now_ms < now_ms) {
        uint64_t next = slots_next_ms(w);
        if (next > now_ms) {
            w->now_ms = now_ms;
            return;
        }
        w->now_ms = next;
        for (unsigned level = WHEEL_LEVELS; level-- > 0;) {
            unsigned shift = SLOT_BITS * level;
            if ((next & ((UINT64_C(1) << shift) - 1)) == 0) {
                slot_empty(w, level, (unsigned)(next >> shift) & (WHEEL_SLOTS - 1));
            }
        }
    }
}

void wheel_advance(Wheel *w, uint64_t now_ms)
{
    slots_empty(w, now_ms);
    if (w->due[!w->next_due] == 0) { /* all were handed out */
        w->next_due = !w->next_due;
    }
}

bool wheel_expired(Wheel *w, Token *ret_token)
{
    uint32_t *head = &w->due[!w->next_due];
    while (*head) {
        Timer timer = *head;
        TimerEntry *e = entry_of(w, timer);
        entry_unlink(w, timer);
        if (e->due_ms <= w->now_ms) {
            e->due_ms = NEVER;
            *ret_token = e->token;
            return true;
        } /* else it was stopped: a deadline that moves leaves the list at once */
    }
    return false;
}

uint64_t wheel_next_ms(const Wheel *w)
{
    if (w->due[0] || w->due[1]) {
        return w->now_ms;
    }
    return w->armed ? slots_next_ms(w) : NEVER;
}
