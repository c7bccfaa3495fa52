/* origin_model_test.c - the promise of pool/origin.h, tried over all interleavings: when everybody
 * has come to rest, no request waits while a connection lies idle.
 *
 * A model of origin.c's steps (each is one locked or sequentially consistent operation there):
 *
 *   request     LOOK, then REGISTER, then LOOK again, then it waits
 *   returner    PARK, then while somebody WAITS: TAKE one back, POP the oldest waiter, and SERVE
 *               it; a waiter that has gone meanwhile, or none: PARK again
 *
 * The same search finds the lost wake-up at once when a request does not look again. */
#include "test.h"

#define REQUESTS 3
#define RETURNERS 2
#define SEEN_MAX (1u << 20)
#define ACTORS (REQUESTS + RETURNERS)

typedef enum Pc {
    LOOK, REGISTER, LOOK_AGAIN, WAITING, SERVED,
    PARK, ASK_WAITERS, TAKE, POP, PARK_AGAIN, OVER
} Pc;

typedef struct Model {
    uint8_t pc[ACTORS];
    uint8_t idle;
    uint8_t queue[REQUESTS];
    uint8_t queued;
} Model;

typedef struct Search {
    uint32_t seen[SEEN_MAX]; /* keys + 1 of states that were explored */
    bool looks_again;
    unsigned states;
    unsigned lost; /* ends in which a request waits beside an idle connection */
} Search;

static bool step_request(Model *m, unsigned a, bool looks_again)
{
    switch ((int)m->pc[a]) {
    case LOOK:
    case LOOK_AGAIN:
        if (m->idle > 0) {
            m->idle--;
            m->pc[a] = SERVED;
        } else {
            m->pc[a] = m->pc[a] == LOOK ? REGISTER : WAITING;
        }
        return true;
    case REGISTER:
        m->queue[m->queued++] = (uint8_t)a;
        m->pc[a] = looks_again ? LOOK_AGAIN : WAITING;
        return true;
    default:
        return false;
    }
}

/* The popped request takes the connection, unless it has found another one meanwhile. */
static Pc serve(Model *m, unsigned a)
{
    if (m->pc[a] == SERVED) {
        return PARK_AGAIN;
    }
    m->pc[a] = SERVED;
    return ASK_WAITERS;
}

static bool step_returner(Model *m, unsigned a)
{
    switch ((int)m->pc[a]) {
    case PARK:
    case PARK_AGAIN:
        m->idle++;
        m->pc[a] = ASK_WAITERS;
        return true;
    case ASK_WAITERS:
        m->pc[a] = m->queued > 0 ? TAKE : OVER;
        return true;
    case TAKE:
        m->pc[a] = m->idle > 0 ? POP : OVER;
        m->idle = (uint8_t)(m->idle - (m->idle > 0));
        return true;
    case POP:
        if (m->queued == 0) {
            m->pc[a] = PARK_AGAIN;
            return true;
        }
        {
            unsigned oldest = m->queue[0];
            m->queued--;
            for (unsigned i = 0; i < m->queued; i++) {
                m->queue[i] = m->queue[i + 1];
            }
            m->pc[a] = (uint8_t)serve(m, oldest);
        }
        return true;
    default:
        return false;
    }
}

static bool is_lost(const Model *m)
{
    bool waits = false;
    for (unsigned a = 0; a < REQUESTS; a++) {
        waits |= m->pc[a] == WAITING;
    }
    return waits && m->idle > 0;
}

/* The state, exactly, in 31 bits. */
static uint32_t model_key(const Model *m)
{
    uint32_t key = 0;
    for (unsigned a = 0; a < ACTORS; a++) {
        key = key << 4 | m->pc[a];
    }
    key = key << 3 | m->idle;
    key = key << 2 | m->queued;
    for (unsigned i = 0; i < REQUESTS; i++) {
        key = key << 2 | (i < m->queued ? m->queue[i] : 0u);
    }
    return key;
}

/* Whether the state is new; remembers it. */
static bool state_is_new(Search *s, uint32_t key)
{
    uint32_t at = key * 2654435761u % SEEN_MAX;
    while (s->seen[at] != 0 && s->seen[at] != key + 1) {
        at = (at + 1) % SEEN_MAX;
    }
    bool fresh = s->seen[at] == 0;
    s->seen[at] = key + 1;
    return fresh;
}

/* Depth first over all orders, each state once. */
static void explore(Search *s, Model m)
{
    if (!state_is_new(s, model_key(&m))) {
        return;
    }
    bool moved = false;
    for (unsigned a = 0; a < ACTORS; a++) {
        Model next = m;
        bool can = a < REQUESTS ? step_request(&next, a, s->looks_again) : step_returner(&next, a);
        if (can) {
            moved = true;
            explore(s, next);
        }
    }
    s->states++;
    s->lost += !moved && is_lost(&m);
}

static Model model_start(void)
{
    Model m = {0};
    for (unsigned a = 0; a < ACTORS; a++) {
        m.pc[a] = a < REQUESTS ? LOOK : PARK;
    }
    return m;
}

TEST("no request waits beside an idle connection, in whatever order the threads run")
{
    static Search s = {.looks_again = true};
    explore(&s, model_start());
    EXPECT_U64(s.lost, 0);
    EXPECT(s.states > 1000);
}

TEST("the model finds the lost wake-up when a request does not look again")
{
    static Search s = {.looks_again = false};
    explore(&s, model_start());
    EXPECT(s.lost > 0);
}
