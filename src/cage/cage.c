/* cage.c - the two steps into the cage, and what is logged about it. */
#include "cage/cage.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <unistd.h>

#include "cage/account.h"
#include "cage/call_names.h"
#include "cage/calls.h"
#include "cage/landlock.h"
#include "cage/rlimits.h"
#include "loop/log.h"

#define SOCKET_DIRECTORIES_MAX 256u

/* Linux 6.3: memory that was ever writable never becomes executable. */
#define CALL_SET_MDWE 65
#define MDWE_REFUSE_EXEC_GAIN 1ul

/* ---- the supervisor's side ---- */

CagePlan cage_plan(const Settings *settings, size_t root_count, const int *roots)
{
    const SystemSettings *system = &settings->system;
    CagePlan plan = {.account = &system->account,
                     .sandbox = system->sandbox,
                     .root_count = root_count,
                     .settings = settings,
                     .memory_bytes = config_memory_bytes(system)};
    plan.roots = roots;
    return plan;
}

static Err cage_check(const CagePlan *plan, Text *why)
{
    TRY(account_check(plan->account, why));
    if (plan->sandbox && !call_filter_is_there()) {
        text_add(why, S("cannot cage the worker: this kernel, or the container that River runs in, "
                        "has no seccomp filters; `sandbox false` in `system` runs River without "
                        "the cage"));
        return ERR_UNSUPPORTED;
    }
    return ERR_OK;
}

static void hide_memory(const CagePlan *plan)
{
    struct rlimit cores = {0};
    if (plan->sandbox && getrlimit(RLIMIT_CORE, &cores) == 0) {
        cores.rlim_cur = 0; /* soft only: a River that takes over may decide otherwise */
        (void)setrlimit(RLIMIT_CORE, &cores);
        (void)prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
    }
}

static void cage_warn(const CagePlan *plan)
{
    if (!plan->sandbox) {
        LOG(WARN, "the worker is not caged: `sandbox` is false");
    }
    if (account_is_root(plan->account)) {
        LOG(WARN, "the worker runs as root: set `user` in `system`, or --user without a file");
    }
}

Err cage_prepare(const Settings *settings, Text *why)
{
    CagePlan plan = cage_plan(settings, 0, NULL);
    TRY(cage_check(&plan, why));
    hide_memory(&plan);
    cage_warn(&plan);
    return ERR_OK;
}

void cage_log(CageState *io_told, CageState state, bool sandbox)
{
    if (*io_told == state) {
        return;
    }
    *io_told = state;
    uint8_t room[256];
    LOG(INFO, "the worker's cage",
        LOG_STR("closed", cage_text(span_of(room, sizeof room), state)));
    if (!sandbox) {
        return;
    }
    if (!(state & CAGE_BAR(LANDLOCK))) {
        LOG(WARN, "this kernel has no Landlock: files are kept from the worker by their "
                  "permissions, and by seccomp where no service has files");
    }
    if (!(state & CAGE_BAR(NO_EXEC_GAIN))) {
        LOG(INFO, "this kernel cannot keep written memory from being executed: seccomp does");
    }
}

unsigned cage_landlock_version(CageState state)
{
    return (unsigned)(state >> 32);
}

void cage_print(Text *out, CageState state)
{
    static const Str names[] = {
#define X(name, text) S_INIT(text),
        CAGE_BARS(X)
#undef X
    };
    size_t before = out->len;
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        if (state >> i & 1) {
            text_add(out, out->len > before ? S(", ") : S(""));
            text_add(out, names[i]);
        }
        if (i == CAGE_BIT_LANDLOCK && (state >> i & 1)) {
            text_format(out, " %u", cage_landlock_version(state));
        }
    }
    text_add(out, out->len > before ? S("") : S("none"));
}

Str cage_text(Span room, CageState state)
{
    Text out = text_in(room);
    cage_print(&out, state);
    return text_str(&out);
}

void cage_print_call(Text *out, uint32_t number, uint32_t architecture)
{
    Str name = STR_NONE;
    for (size_t i = 0; i < call_name_count && architecture == call_architecture(); i++) {
        if (call_names[i].number == number) {
            name = call_names[i].name;
        }
    }
    text_add(out, name);
    if (name.len == 0) {
        text_format(out, "%u", number);
    }
    if (architecture != call_architecture()) {
        text_add(out, S(" of another architecture"));
    }
}

/* ---- Landlock's plan ---- */

/* The directory of a Unix socket: the socket itself may be recreated, or not exist yet. */
static Str directory_of(Str path)
{
    size_t slash = path.len;
    while (slash > 0 && str_at(path, slash - 1) != '/') {
        slash--;
    }
    return str_take(path, slash);
}

typedef struct Directories {
    size_t count;
    int at[SOCKET_DIRECTORIES_MAX];
    bool all;      /* the list is complete */
    uint64_t mark; /* differs if the names differ */
} Directories;

static void open_directory(Directories *d, Str directory)
{
    char name[PATH_MAX];
    int fd = -1;
    if (d->count < SOCKET_DIRECTORIES_MAX &&
        str_to_c(directory, span_of(name, sizeof name)) == ERR_OK) {
        fd = open(name, O_PATH | O_DIRECTORY | O_CLOEXEC);
    }
    if (fd < 0) {
        d->all = false;
    } else {
        d->at[d->count++] = fd;
    }
}

static void add_sockets_of(Directories *d, const ActionSettings *action, bool open_them)
{
    for (size_t i = 0; action->kind == ACTION_PROXY && i < action->cluster.connector_count; i++) {
        Str path = action->cluster.connectors[i].address.unix_path;
        if (path.len > 0) {
            d->mark = str_fnv(directory_of(path), d->mark);
        }
        if (path.len > 0 && open_them) {
            open_directory(d, directory_of(path));
        }
    }
}

static void find_sockets(Directories *d, const Settings *settings, bool open_them)
{
    *d = (Directories){.all = true};
    for (size_t i = 0; i < settings->service_count; i++) {
        const ServiceSettings *service = settings->services[i];
        if (service->route_count == 0) {
            add_sockets_of(d, &service->action, open_them);
        }
        for (size_t k = 0; k < service->route_count; k++) {
            add_sockets_of(d, &service->routes[k].action, open_them);
        }
    }
}

uint64_t cage_mark(const Settings *settings)
{
    Directories sockets = {.mark = 0};
    if (landlock_handles_sockets()) {
        find_sockets(&sockets, settings, false);
    }
    const AccountSettings *account = &settings->system.account;
    const uint64_t facts[] = {account->user.len > 0, account->user_id, account->group.len > 0,
                              account->group_id, settings->system.sandbox};
    return str_fnv(str_of(facts, sizeof facts), sockets.mark);
}

static Err enter_landlock(Cage *c, Directories *sockets)
{
    LandlockPlan plan = {.root_count = c->plan.root_count,
                         .socket_directory_count = sockets->count,
                         .lets_sockets = !sockets->all,
                         .lets_read = call_extras.for_sanitizer};
    plan.roots = c->plan.roots;
    plan.socket_directories = sockets->at; /* system call */
    unsigned version = 0;
    Err err = landlock_enter(&plan, &version);
    if (version > 0) {
        c->state |= CAGE_BAR(LANDLOCK) | (uint64_t)version << 32;
    }
    for (size_t i = 0; i < sockets->count; i++) {
        (void)close(sockets->at[i]);
    }
    return err;
}

/* ---- the steps ---- */

static Err enter_all(Cage *c)
{
    Directories sockets = {.count = 0};
    if (c->plan.sandbox) { /* while paths can still be opened */
        find_sockets(&sockets, c->plan.settings, landlock_handles_sockets());
        c->sizes = limits_open_sizes();
    }
    /* The nursery is not dumpable, and its children inherit that. */
    if (!c->plan.sandbox && prctl(PR_SET_DUMPABLE, 1, 0, 0, 0) != 0) {
        return err_from_errno(errno);
    }
    TRY(account_become(c->plan.account, c->plan.sandbox));
    c->state |= geteuid() != 0 ? CAGE_BAR(USER) : 0;
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0) {
        return err_from_errno(errno);
    }
    c->state |= CAGE_BAR(NO_NEW_PRIVS);
    if (!c->plan.sandbox) {
        return ERR_OK;
    }
    c->state |= CAGE_BAR(POWERLESS);
    /* From here on root owns /proc/PID: nobody else can read memory, environment or descriptors. */
    if (prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) != 0) {
        return err_from_errno(errno);
    }
    if (prctl(CALL_SET_MDWE, MDWE_REFUSE_EXEC_GAIN, 0ul, 0ul, 0ul) == 0) {
        c->state |= CAGE_BAR(NO_EXEC_GAIN);
    }
    TRY(limits_lower());
    return enter_landlock(c, &sockets);
}

Err cage_enter(Cage *c, const CagePlan *plan)
{
    *c = (Cage){.plan = *plan, .sizes = -1};
    Err err = enter_all(c);
    c->plan.account = NULL; /* the settings will be freed */
    c->plan.settings = NULL;
    if (err != ERR_OK) {
        LOG(ERROR, "the cage cannot be entered", LOG_STR("why", str_from_c(err_sentence(err))));
    }
    return err;
}

Err cage_close(void *cage)
{
    Cage *c = (Cage *)cage;
    if (!c->plan.sandbox) {
        return ERR_OK;
    }
    if (!call_extras.for_sanitizer) {
        c->state |= limits_bound_memory(c->sizes, c->plan.memory_bytes) ? CAGE_BAR(MEMORY) : 0;
        TRY(limits_forbid_processes());
    }
    if (c->sizes >= 0) {
        (void)close(c->sizes);
        c->sizes = -1;
    }
    static CallProgram program; /* too large for the stack */
    call_program(&program, &call_list_worker, c->plan.root_count > 0, (uint32_t)getpid());
    Err err = call_filter_enter(&program);
    if (err != ERR_OK) {
        LOG(ERROR, "the cage cannot be closed: seccomp refused",
            LOG_STR("why", str_from_c(err_sentence(err))));
        return err;
    }
    c->state |= CAGE_BAR(SECCOMP);
    return ERR_OK;
}
