/* landlock.c - builds a ruleset for the kernel's ABI version and enforces it. */
#include "cage/landlock.h"

#include <errno.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/number.h"

/* The same numbers on every architecture. */
#define CALL_CREATE_RULESET 444
#define CALL_ADD_RULE 445
#define CALL_RESTRICT_SELF 446
#define ASK_VERSION 1u
#define RULE_PATH_BENEATH 1

#define FILES_EXECUTE (UINT64_C(1) << 0)
#define FILES_READ_FILE (UINT64_C(1) << 2)
#define FILES_READ_DIRECTORY (UINT64_C(1) << 3)
#define FILES_RESOLVE_UNIX (UINT64_C(1) << 16)
#define NETWORK_BIND_TCP (UINT64_C(1) << 0)
#define SCOPED_ABSTRACT_SOCKETS (UINT64_C(1) << 0)
#define SCOPED_SIGNALS (UINT64_C(1) << 1)

#define FILES_TO_READ (FILES_READ_FILE | FILES_READ_DIRECTORY)

/* The rights that each version added. The bits of `files` are contiguous. */
static const struct {
    unsigned version;
    LandlockHandled handled;
} steps[] = {
    {1, {.files = 0x1fff}},                                             /* Linux 5.13 */
    {2, {.files = UINT64_C(1) << 13}},                                  /* 5.19: reparenting */
    {3, {.files = UINT64_C(1) << 14}},                                  /* 6.2: truncating */
    {4, {.network = NETWORK_BIND_TCP}},                                 /* 6.7; connecting stays */
    {5, {.files = UINT64_C(1) << 15}},                                  /* 6.10: ioctl on devices */
    {6, {.scoped = SCOPED_ABSTRACT_SOCKETS | SCOPED_SIGNALS}},          /* 6.12 */
    {9, {.files = FILES_RESOLVE_UNIX}},                                 /* 7.1 */
};

/* The kernel's layout. The call takes its length, so older kernels read less. */
typedef struct RulesetAttributes {
    uint64_t handled_files;
    uint64_t handled_network;
    uint64_t scoped;
} RulesetAttributes;

typedef struct __attribute__((packed)) PathAttributes {
    uint64_t allowed;
    int32_t parent;
} PathAttributes;

unsigned landlock_version(void)
{
    long version = syscall(CALL_CREATE_RULESET, NULL, 0, ASK_VERSION);
    return version > 0 ? (unsigned)version : 0;
}

LandlockHandled landlock_handled(unsigned version)
{
    LandlockHandled all = {0};
    for (size_t i = 0; i < sizeof steps / sizeof steps[0]; i++) {
        if (version >= steps[i].version) {
            all.files |= steps[i].handled.files;
            all.network |= steps[i].handled.network;
            all.scoped |= steps[i].handled.scoped;
        }
    }
    return all;
}

bool landlock_handles_sockets(void)
{
    return (landlock_handled(landlock_version()).files & FILES_RESOLVE_UNIX) != 0;
}

/* The attributes grew with versions 4 and 6. */
static size_t attributes_size(unsigned version)
{
    size_t words = version >= 6 ? 3 : version >= 4 ? 2 : 1;
    return words * sizeof(uint64_t);
}

static Err allow_beneath(int ruleset, int directory, uint64_t rights)
{
    PathAttributes rule = {.allowed = rights, .parent = directory};
    long n = rights == 0 ? 0 : syscall(CALL_ADD_RULE, ruleset, RULE_PATH_BENEATH, &rule, 0);
    return n == 0 ? ERR_OK : err_from_errno(errno);
}

static Err add_rules(int ruleset, const LandlockPlan *plan, uint64_t handled)
{
    for (size_t i = 0; i < plan->root_count; i++) {
        TRY(allow_beneath(ruleset, plan->roots[i], handled & FILES_TO_READ));
    }
    for (size_t i = 0; i < plan->socket_directory_count; i++) {
        TRY(allow_beneath(ruleset, plan->socket_directories[i], handled & FILES_RESOLVE_UNIX));
    }
    return ERR_OK;
}

Err landlock_enter(const LandlockPlan *plan, unsigned *ret_version)
{
    unsigned version = landlock_version();
    if (version == 0) {
        *ret_version = 0;
        return ERR_OK;
    }
    LandlockHandled handled = landlock_handled(version);
    handled.files &= plan->lets_sockets ? ~FILES_RESOLVE_UNIX : ~UINT64_C(0);
    handled.files &= plan->lets_read ? ~(FILES_TO_READ | FILES_EXECUTE) : ~UINT64_C(0);
    RulesetAttributes attributes = {.handled_files = handled.files,
                                    .handled_network = handled.network,
                                    .scoped = handled.scoped};
    long ruleset = syscall(CALL_CREATE_RULESET, &attributes, attributes_size(version), 0);
    if (ruleset < 0) {
        return err_from_errno(errno);
    }
    Err err = add_rules((int)ruleset, plan, handled.files);
    if (err == ERR_OK && syscall(CALL_RESTRICT_SELF, (int)ruleset, 0) != 0) {
        err = err_from_errno(errno);
    }
    (void)close((int)ruleset);
    *ret_version = err == ERR_OK ? version : 0;
    return err;
}
