/* fill_account.c - `user` and `group`: names or numbers that must exist on this machine. */
#include "config/fill.h"

static void report_missing(Filler *f, const KdlEntry *entry, const char *what, Err err)
{
    const char *why = err == ERR_MISSING ? "there is none of this name" : err_sentence(err);
    check_report(f->checker, SEVERITY_ERROR, where_at(entry->value.location), STR_NONE,
                 "%s `%.*s`: %s", what, STR_ARG(entry_text(entry)), why);
}

static void find_user(Filler *f, const KdlEntry *entry, AccountSettings *account)
{
    Err err = f->files->user(f->files->context, account->user, &account->user_id,
                             &account->group_id);
    if (err != ERR_OK) {
        report_missing(f, entry, "user", err);
    } else if (account->group_id == CONFIG_NO_GROUP && account->group.len == 0) {
        check_report(f->checker, SEVERITY_ERROR, where_at(entry->value.location), STR_NONE,
                     "user `%.*s` has no account, so `group` must be set too",
                     STR_ARG(account->user));
    }
}

static void find_group(Filler *f, const KdlEntry *entry, AccountSettings *account)
{
    Err err = f->files->group(f->files->context, account->group, &account->group_id);
    if (err != ERR_OK) {
        report_missing(f, entry, "group", err);
    }
}

void fill_account(Filler *f, Section system, AccountSettings *ret)
{
    AccountSettings account = {.user = section_text(system, S("user")),
                               .group = section_text(system, S("group"))};
    if (account.user.len > 0 && f->files && f->files->user) {
        find_user(f, section_option(system, S("user")).entry, &account);
    }
    if (account.group.len > 0 && f->files && f->files->group) {
        find_group(f, section_option(system, S("group")).entry, &account);
    }
    *ret = account;
}
