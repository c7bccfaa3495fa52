/* account.c - maps names to ids, and switches the worker's identity. */
#include "cage/account.h"

#include <errno.h>
#include <grp.h>
#include <linux/capability.h>
#include <pwd.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/number.h"

#define NAME_BYTES_MAX 256u
#define CAPABILITIES_MAX 64 /* the size of the kernel's sets */

/* ---- names ---- */

/* The largest number is not an id: (uid_t)-1 means "unchanged" to the kernel. */
static Err read_id(Str name, uint32_t *ret)
{
    uint64_t id = 0;
    if (number_decimal(name, UINT32_MAX - 1, &id) != ERR_OK) {
        return ERR_MISSING;
    }
    *ret = (uint32_t)id;
    return ERR_OK;
}

Err account_find_user(void *context, Str name, uint32_t *ret_user, uint32_t *ret_group)
{
    (void)context;
    char text[NAME_BYTES_MAX];
    TRY(str_to_c(name, span_of(text, sizeof text)));
    uint32_t id = 0;
    const struct passwd *entry = getpwnam(text);
    if (!entry) {
        TRY(read_id(name, &id));
        entry = getpwuid(id);
    }
    *ret_user = entry ? entry->pw_uid : id;
    *ret_group = entry ? entry->pw_gid : CONFIG_NO_GROUP;
    return ERR_OK;
}

Err account_find_group(void *context, Str name, uint32_t *ret_group)
{
    (void)context;
    char text[NAME_BYTES_MAX];
    TRY(str_to_c(name, span_of(text, sizeof text)));
    const struct group *entry = getgrnam(text);
    if (entry) {
        *ret_group = entry->gr_gid;
        return ERR_OK;
    }
    return read_id(name, ret_group);
}

/* ---- what this process may do ---- */

uint64_t account_capabilities(void)
{
    struct __user_cap_header_struct head = {.version = _LINUX_CAPABILITY_VERSION_3};
    struct __user_cap_data_struct sets[_LINUX_CAPABILITY_U32S_3] = {{0}};
    if (syscall(SYS_capget, &head, sets) != 0) {
        return 0;
    }
    return (uint64_t)sets[1].effective << 32 | sets[0].effective;
}

static bool has_capability(unsigned number)
{
    return (account_capabilities() >> number & 1) != 0;
}

bool account_may_bind(void)
{
    return has_capability(CAP_NET_BIND_SERVICE);
}

static bool is_set(const AccountSettings *account)
{
    return account->user.len > 0 || account->group.len > 0;
}

static uint32_t wanted_user(const AccountSettings *account)
{
    return account->user.len > 0 ? account->user_id : getuid();
}

/* Without CAP_SETGID the group stays, unless `group` asks for another. */
static uint32_t wanted_group(const AccountSettings *account)
{
    bool own = !is_set(account) || (account->group.len == 0 && !has_capability(CAP_SETGID));
    return own ? getgid() : account->group_id;
}

Err account_check(const AccountSettings *account, Text *why)
{
    if (wanted_user(account) != getuid() && !has_capability(CAP_SETUID)) {
        text_format(why, "cannot run the worker as user %.*s: only root (CAP_SETUID) may become "
                         "another user; start River as root or leave `user` out",
                    STR_ARG(account->user));
        return ERR_DENIED;
    }
    if (wanted_group(account) != getgid() && !has_capability(CAP_SETGID)) {
        text_format(why, "cannot run the worker as group %.*s: only root (CAP_SETGID) may become "
                         "another group; start River as root or leave `group` out",
                    STR_ARG(account->group));
        return ERR_DENIED;
    }
    return ERR_OK;
}

bool account_is_root(const AccountSettings *account)
{
    return wanted_user(account) == 0;
}

/* ---- switching ---- */

/* Whether all three ids of each kind are as requested. */
static bool is_changed(uid_t user, gid_t group)
{
    uid_t users[3];
    gid_t groups[3];
    if (getresuid(&users[0], &users[1], &users[2]) != 0 ||
        getresgid(&groups[0], &groups[1], &groups[2]) != 0) {
        return false;
    }
    bool all = true;
    for (size_t i = 0; i < 3; i++) {
        all = all && users[i] == user && groups[i] == group;
    }
    return all;
}

static void drop_bounding(void)
{
    for (int i = 0; i < CAPABILITIES_MAX; i++) {
        /* Fails without CAP_SETPCAP, and for numbers that the kernel does not know. Both are
         * harmless: with no_new_privs nothing can be regained from this set. */
        (void)prctl(PR_CAPBSET_DROP, i, 0, 0, 0);
    }
}

static Err drop_capabilities(void)
{
    /* Fails only before Linux 4.3, which has no ambient set. */
    (void)prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0);
    struct __user_cap_header_struct head = {.version = _LINUX_CAPABILITY_VERSION_3};
    struct __user_cap_data_struct none[_LINUX_CAPABILITY_U32S_3] = {{0}};
    return syscall(SYS_capset, &head, none) == 0 ? ERR_OK : err_from_errno(errno);
}

static Err change_ids(const AccountSettings *account, uid_t user)
{
    gid_t group = wanted_group(account);
    if (is_set(account) && has_capability(CAP_SETGID) && setgroups(0, NULL) != 0) {
        return err_from_errno(errno);
    }
    if (setresgid(group, group, group) != 0 || setresuid(user, user, user) != 0) {
        return err_from_errno(errno);
    }
    return is_changed(user, group) ? ERR_OK : ERR_DENIED;
}

Err account_become(const AccountSettings *account, bool powerless)
{
    if (!powerless && !is_set(account)) {
        return ERR_OK;
    }
    uid_t user = wanted_user(account);
    /* The bounding set must be emptied before the user changes, which takes away CAP_SETPCAP; the
     * others after it. */
    drop_bounding();
    TRY(change_ids(account, user));
    TRY(drop_capabilities());
    /* A former root must not be able to become root again. */
    bool back = user != 0 && (setresuid((uid_t)-1, 0, (uid_t)-1) == 0 || setuid(0) == 0);
    return back ? ERR_DENIED : ERR_OK;
}
