/* trial.h - one simulated life of a whole worker: what a seed has chosen (the plan), the peers that
 * play clients and origins, what they asked for, and what is judged.
 *
 * A request's path says what its answer must be ("/7/5000/..."): so each answer can be judged by
 * itself. An ask is `tainted` when a fault may have touched it; one that is not must be answered,
 * in time and to the last byte. */
#ifndef TESTS_SIM_TRIAL_H
#define TESTS_SIM_TRIAL_H

#include "filter/file_server.h"
#include "http/h2.h"
#include "lan.h"
#include "net/tls_engine.h"
#include "transport/body.h"
#include "proxy/turn.h"
#include "proxy/worker.h"

#define ORIGINS_MAX 3
#define CLIENTS_MAX 40
#define FAULTS_MAX 8
#define PROBES_MAX 16
#define PEERS_MAX 8192
#define ASKS_MAX 4096
#define SERVES_MAX 4096
#define FILES_AT (ORIGINS_MAX + 1) /* the service of files, where clients name their origin */
#define SERVICES (ORIGINS_MAX + 2) /* of each origin, of all of them, and of files */
#define LISTENERS (2 * SERVICES)   /* plain and sealed */

/* --- the plan -------------------------------------------------------------------------------- */

#define THEME_TABLE(X)                                                                             \
    X(MIXED) X(BIG) X(CROWD) X(OUTAGE) X(STALE) X(QUIET) X(CUT) X(SEALED) X(DEAD) X(SURPLUS)       \
    X(DRIP) X(SCARCE) X(TUNNEL) X(RELOAD) X(STEADY) X(FRAMES) X(MEMORY) \
    X(FILES)

typedef enum Theme {
#define X(name) THEME_##name,
    THEME_TABLE(X)
#undef X
        THEME_COUNT
} Theme;

typedef enum Way { WAY_H1, WAY_H1_SEALED, WAY_H2, WAY_H2_SEALED, WAY_COUNT } Way;

#define CONDUCT_TABLE(X)                                                                           \
    X(GOOD) X(SLOW) X(RESETS) X(STALLS) X(DRIPS) X(CUTS) X(QUIET) X(TUNNELS) X(DEAF)               \
    X(ABANDONS) X(MUTE) X(VANISHES) X(NASTY)

typedef enum Conduct { /* of a client */
#define X(name) CONDUCT_##name,
    CONDUCT_TABLE(X)
#undef X
        CONDUCT_COUNT
} Conduct;

#define FAULT_KINDS(X)                                                                             \
    X(REFUSE) X(SILENT) X(DIAL_SLOW) X(STALL) X(RESTART) X(CLOSE_IDLE) X(DEAD) X(GOAWAY)           \
    X(LIE) X(REFUSE_STREAMS) X(HALF_CLOSE) X(TRICKLE) X(WALL_JUMP) X(CALLS) X(SNAPSHOT) X(LATENCY) \
    X(DEAF_ORIGIN) X(WATCH) X(NASTY) X(MEMORY)

typedef enum FaultKind {
#define X(name) TROUBLE_##name,
    FAULT_KINDS(X)
#undef X
        TROUBLE_COUNT
} FaultKind;

typedef struct OriginPlan {
    EndpointProtocol protocol;
    bool tls;
    LanHost host;
    uint64_t answer_ns; /* what an answer takes at the origin */
    uint32_t connections_max;
    bool old; /* agrees on HTTP/1 although it is offered HTTP/2 */
    uint64_t idle_ns; /* after which the origin closes; 0: never */
    uint32_t window; /* of its HTTP/2 streams */
} OriginPlan;

typedef struct ClientPlan {
    bool on;
    Way way;
    Conduct conduct;
    unsigned origin; /* ORIGINS_MAX: any of them; FILES_AT: none */
    uint64_t start_ns;
    uint64_t gap_ns;
    unsigned asks;
    unsigned at_once;
    uint64_t size_max;
    uint64_t sends_max; /* 0: GET only */
    uint64_t rate;      /* bytes a second that it reads; 0: all */
    uint32_t window;
    LanLink link;
} ClientPlan;

typedef struct FaultPlan {
    bool on;
    FaultKind kind;
    unsigned origin;
    uint64_t at_ns;
    uint64_t for_ns;
} FaultPlan;

typedef struct Plan {
    uint64_t seed;
    Theme theme;
    unsigned threads;
    unsigned origin_count;
    unsigned client_count;
    unsigned fault_count;
    uint64_t scale_ms; /* of River's time limits */
    uint64_t memory_bytes_max;
    uint64_t connections_max;
    unsigned short_one_in;
    unsigned pause_one_in; /* turns after which a thread is not scheduled for a while; 0: none */
    bool proxied; /* each connection begins with a header of the PROXY protocol */
    bool hoards; /* THEME_MEMORY: a small budget, and clients that ask for much and take nothing */
    bool goodbyes; /* THEME_SCARCE: GOAWAY again and again, and streams that last */
    bool turns;    /* THEME_SCARCE: another protocol again and again, while requests wait */
    bool keeps;    /* THEME_SCARCE: more streams that last than connections: some get none */
    OriginPlan origins[ORIGINS_MAX];
    ClientPlan clients[CLIENTS_MAX];
    FaultPlan faults[FAULTS_MAX];
} Plan;

void plan_make(Plan *p, uint64_t seed);
void plan_print(const Plan *p);

/* --- what is asked and served ---------------------------------------------------------------- */

typedef struct Ask {
    bool used;
    bool over;
    bool whole;   /* answered to the last byte */
    bool tainted;
    bool slow;    /* its time has no bound of its own */
    bool post;    /* not idempotent */
    bool quiet;
    bool tunnel;
    bool probe;
    bool own;     /* River's: fetches.c */
    bool woken;   /* after a pause: pauses.c */
    bool fetches; /* ... until a request of River's own is over */
    unsigned waiter_thread;
    Token waiter; /* its exchange, which pauses */
    bool garbled; /* frames by hand are part of it: no byte is as expected */
    bool touched; /* the origin has sent some of its answer */
    const char *why; /* it failed; NULL: it did not */
    uint16_t status;
    unsigned origin;
    unsigned client;
    int peer;
    int32_t stream; /* HTTP/2 */
    H2Message message; /* ... its answer */
    uint64_t id;
    uint64_t size;  /* of the answer's body */
    uint64_t got;
    uint64_t sends; /* of the request's body */
    uint64_t sent;
    uint64_t held;  /* received over HTTP/2, and the window not opened */
    uint64_t begun_ns;
    uint64_t moved_ns; /* the answer last grew */
    uint64_t end_ns;   /* its body's end is said, which comes by itself */
    uint64_t due_ns; /* must be over by then, if it is not slow */
} Ask;

typedef struct Serve { /* an origin's view of one */
    bool used;
    bool known;   /* the head has come */
    bool over;    /* the request is complete */
    bool replied;
    bool ended;
    bool tunnel;
    bool chunked;
    bool lies;
    int peer;
    int32_t stream;
    H2Message message;
    Ask *ask;
    uint64_t size;
    uint64_t at;
    uint64_t got;
    uint64_t held;
    uint64_t due_ns;
    uint64_t end_ns; /* as in Ask */
} Serve;

/* --- peers ----------------------------------------------------------------------------------- */

typedef struct Queue {
    uint8_t *at;
    size_t len;
    size_t from;
    size_t room;
} Queue;

typedef struct Party {
    bool used;
    bool client; /* else an origin's side */
    bool finished; /* it has said its end */
    bool ending; /* it will, once all is sent */
    bool said_end; /* ... of its TLS session */
    bool gone;  /* its host has vanished: it does nothing any more */
    bool greeted; /* the session is open */
    bool introduced; /* its header of the PROXY protocol is sent */
    bool half_said;  /* ... or a half of it */
    bool cut_short;  /* ... but for a half, and nothing follows */
    uint64_t begun_ns;
    uint64_t drip_ns; /* since when it drips; 0: it does not */
    int self;
    int end;
    unsigned number; /* of the client, or of the origin */
    Engine *tls;
    H2 *h2;
    Queue in;
    Queue out;
    unsigned asked; /* HTTP/1: asks that wait for their answers, in order */
    unsigned live;
    Ask *current; /* HTTP/1: whose answer comes */
    Serve *serve; /* HTTP/1: what is being served */
    bool in_body;
    Body body;
    uint64_t stall_ns; /* does nothing until then */
    uint64_t read_ns;  /* since when it has read at its rate */
    uint64_t read_bytes;
    uint64_t wake_ns;  /* of its next timer */
    uint64_t idle_ns;  /* since when it has nothing to do */
    uint64_t moved; /* bytes that it has read */
    bool raw; /* frames.c: its frames are written by hand */
    bool raw_done;
    bool raw_cuts; /* breaks off when all is sent */
    bool raw_deaf;
    uint8_t raw_script;
    unsigned raw_step;
    int32_t raw_stream;
    uint64_t raw_ns; /* since when */
    uint64_t raw_next_ns;
} Party;

typedef struct Site {
    TlsServer *server;
    TlsClient *clients[3]; /* by EndpointProtocol */
    Endpoint endpoints[ORIGINS_MAX];
    uint32_t clusters[ORIGINS_MAX + 1]; /* of each origin, and of all of them */
    FileServer files;
    _Atomic uint32_t active;
    Str upgrades[1];
    Service services[SERVICES];
    const Service *service_list[SERVICES];
    Listener listeners[1 + ORIGINS_MAX][LISTENERS]; /* none leaves, or one does */
    const Listener *listener_list[1 + ORIGINS_MAX][LISTENERS];
    Snapshot snapshots[64];
    unsigned snapshot_count;
    Blocks blocks;
    Arena arena;
} Site;

typedef struct Trial {
    Plan plan;
    Random random; /* of the peers */
    Site site;
    Worker *worker;
    Budget peers_budget;
    Blocks peers_blocks;
    bool awake[LAN_THREADS_MAX]; /* threads that do not wait yet */
    bool knocked[LAN_THREADS_MAX]; /* somebody on the thread has started or resumed something */
    int slots; /* that filters have and have not given back: pauses.c */
    uint64_t paused_ns[LAN_THREADS_MAX]; /* until then the system does not let the thread run */
    bool flipped[ORIGINS_MAX]; /* a restart has brought other software: old, or new */
    bool over[LAN_THREADS_MAX]; /* threads that have seen that they are over */
    bool calm; /* the faults are over */
    bool retired; /* no cluster has an endpoint any more */
    bool drained; /* and River was told to end */
    uint64_t leaving_ns; /* since when a listener leaves; 0: none does */
    uint64_t calm_ns;
    uint64_t tainted_ns[SERVICES]; /* asks that begin before are tainted */
    unsigned trouble[TROUBLE_COUNT][ORIGINS_MAX]; /* active faults */
    Party peers[PEERS_MAX];
    int peers_touched;
    Ask asks[ASKS_MAX];
    unsigned ask_count;
    unsigned ask_over;
    Serve serves[SERVES_MAX];
    unsigned serves_touched;
    unsigned client_asked[CLIENTS_MAX + PROBES_MAX];
    bool client_opened[CLIENTS_MAX + PROBES_MAX];
    char failure[600];
} Trial;

extern Trial *trial;

void trial_fail(const char *format, ...) __attribute__((format(printf, 1, 2)));
static inline bool trial_failed(void)
{
    return trial->failure[0] != '\0';
}
uint64_t trial_pick(uint64_t n);

enum {
    TIMER_PEER,
    TIMER_CLIENT,
    TIMER_TROUBLE,
    TIMER_TROUBLE_OVER,
    TIMER_DISK,
    TIMER_FETCH,
    TIMER_FETCH_GOES_ON,
    TIMER_PAUSE_OVER,
    TIMER_SETS,
    TIMER_TIDY,
    TIMER_TABLE
};

/* Bytes that body `id` has from `at` on. */
const uint8_t *pattern_at(uint64_t id, uint64_t at, size_t *len);
bool pattern_fits(uint64_t id, uint64_t at, Str bytes);

/* peers.c */
Party *peer_new(bool client, unsigned number, int end);
void peer_drop(Party *p, bool reset);
void peer_ready(int end, int self);
void peer_wake_at(Party *p, uint64_t at_ns);
void peer_go(Party *p);
void queue_add(Queue *q, const void *at, size_t len);
void queue_skip(Queue *q, size_t n);
Str queue_str(const Queue *q);
/* Plain bytes for the other side. */
void peer_say(Party *p, Str plain);

/* asks.c */
Ask *ask_new(unsigned client, unsigned origin);
void ask_over(Ask *a, bool whole, const char *why);
Ask *ask_by_id(uint64_t id);
void ask_path(const Ask *a, char *room, size_t bytes);

/* clients.c */
void client_opens(unsigned number);
void client_goes_on(Party *p);
/* Plaintext has come; and the connection is over. */
void client_hears(Party *p);
void client_loses(Party *p, const char *why);
void client_open_h2(Party *p);
/* HTTP/2: opens windows for what was read; *ret_more: when to come again. */
void client_consumes(Party *p);
bool client_h1_judges(Party *p);

/* Another request, as far as the test's books go; NULL: no room. */
Ask *client_asks(Party *p);

/* pauses.c */
/* Puts the filter into the chains of a service, where the seed wants it. */
void pauses_stand(FilterChain *chains);
bool pauses_are_wanted(void);
void pause_over(uint64_t id);
void pauses_judge(void);

/* fetches.c */
void fetches_begin(void);
void fetches_start(void);
void fetches_go_on(unsigned number);
/* For a client's request, on its thread, which wakes it; false: there is no room. Later whether it
 * is over. */
bool fetches_start_for(const Ask *waiter);
bool fetches_have_for(const Ask *waiter);
/* After each turn, and when all sleep. */
void fetches_look(void);

/* sets.c */
void sets_prepare(void);
void sets_begin(void);
void sets_change(void);
void sets_tidy(void);
/* After each turn: where its requests have gone. */
void sets_judge_turn(const Thread *t);
/* No cluster has an endpoint any more. */
void sets_retire(void);
/* The cluster of an origin; ORIGINS_MAX: of all. */
Cluster *sets_cluster(unsigned origin);
void sets_judge_left(void);
/* Whether some request still has an endpoint of that origin. */
bool sets_have_user(uint32_t origin);

/* standin_tables.c */
void tables_go_on(void);

/* frames.c */
void frames_begin(Party *p);
void frames_go_on(Party *p);
bool frames_linger(void);
const char *frames_name(const Party *p);

/* origins.c */
void origin_arrived(int host, int end);
void origin_goes_on(Party *p);
void origin_hears(Party *p);
void origin_loses(Party *p);
void origin_reads_head(Party *p, Serve *s, const RequestHead *head);
uint64_t serve_ready(const Serve *s);
bool serve_is_all(const Serve *s);
void serve_paces(Party *p, Serve *s);

/* h2_peers.c */
bool h2_peer_open(Party *p);
void h2_peer_hears(Party *p, Str bytes);
void h2_peer_says(Party *p);
bool h2_client_ask(Party *p, Ask *a);
void h2_origin_goes_on(Party *p);

/* troubles.c */
void trouble_begins(unsigned i);
void trouble_ends(unsigned i);
bool trouble_is_felt(unsigned origin);

/* trial.c */
void world_run(uint64_t until_ns, bool until_quiet);
bool trial_run(Trial *t, const Plan *plan);
void world_snapshot(void);

/* standin_disk.c */
void disk_goes_on(void);
size_t disk_files_open(void);

/* judge.c */
void judge_begin(void);
void judge_turn(Thread *t, uint64_t work_before, bool mail);
/* Nobody is queued twice for another turn. */
void judge_again(const Thread *t);
void judge_rest(void);
/* judge_state.c: what of a thread's records must fit together while it sleeps. */
void judge_state(Thread *t);
void judge_state_begin(void);
/* No configuration names an origin any more. */
void judge_retired(Thread *t);
/* judge_streams.c: what streams hold meanwhile. */
void judge_streams(Thread *t);
/* judge_relief.c: who looks for memory, after a turn and meanwhile. */
void judge_relief_begin(void);
void judge_relief_turn(const Thread *t);
void judge_relief(const Thread *t);
/* judge_waits.c: nobody waits for a connection that could be had. */
void judge_waits_begin(void);
void judge_waits(void);
/* judge_wakes.c: nobody sleeps who could go on. */
void judge_wakes(void);
void judge_asks(void);
/* judge_leftovers.c: what is left when all have gone. */
void judge_leftovers(void);
void judge_reasons(char *room, size_t bytes);

#endif
