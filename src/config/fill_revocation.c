/* fill_revocation.c - warnings about lists of revoked certificates and OCSP responses that do not
 * do their job, but do not keep River from serving. */
#include "config/check.h"
#include "config/fill.h"
#include "config/material.h"
#include "http/date.h"

#define NAME_SHOWN_MAX 200
#define LIST_BYTES_MAX 320u
#define WHY_BYTES_MAX 256u

/* ---- lists of revoked certificates ---- */

/* "the list of `CN=...` (number 5)". */
static void name_list(const TlsCrl *crl, Text *out)
{
    text_format(out, "the list of `%.*s`", STR_ARG(str_take(crl->issuer, NAME_SHOWN_MAX)));
    if (crl->number.len > 0) {
        text_format(out, " (number %.*s)", STR_ARG(crl->number));
    }
}

/* What it is beside the others. */
static const char *place_among(TlsCrlState state)
{
    switch (state) {
    case TLS_CRL_TWICE:
        return "is listed twice";
    case TLS_CRL_SAME_NUMBER:
        return "is not the only one with its number: the one of the later date counts, of one date "
               "both";
    case TLS_CRL_DISAGREES:
        return "is newer than another one by its number or by its date, and older by the other: "
               "both count";
    case TLS_CRL_STRANGER:
        return "is by none of the authorities in `ca-path`: it counts only where a client sends "
               "its authority's certificate along";
    case TLS_CRL_COUNTS:
    case TLS_CRL_OLDER:
        break;
    }
    return NULL;
}

static void check_crl_dates(Filler *f, const TlsCrl *crl, bool refuse, Location at, Str name)
{
    uint8_t room[DATE_BYTES];
    Text date = text_in(span_of(room, sizeof room));
    if (crl->next_update <= f->files->now_s) {
        date_print(&date, crl->next_update);
        check_report(f->checker, SEVERITY_WARNING, where_at(at), STR_NONE,
                     "%.*s expired on %.*s: %s", STR_ARG(name), STR_ARG(text_str(&date)),
                     refuse ? "clients of this authority are refused"
                            : "it is used all the same, and may lack later revocations");
        return;
    }
    f->valid_until = crl->next_update < f->valid_until ? crl->next_update : f->valid_until;
    if (crl->this_update > f->files->now_s) {
        date_print(&date, crl->this_update);
        check_report(f->checker, SEVERITY_WARNING, where_at(at), STR_NONE,
                     "%.*s is dated in the future: %.*s", STR_ARG(name), STR_ARG(text_str(&date)));
    }
}

Err fill_check_crls(Filler *f, const ListenerTls *tls, Location at)
{
    const TlsCrl *list = NULL;
    size_t count = 0;
    TlsServerPlan plan = material_clients_plan(tls);
    plan.cache = f->cache;
    Err err = tls_crls_read(&plan, f->arena, &list, &count);
    if (err != ERR_OK) {
        return err == ERR_MEMORY ? err : ERR_OK; /* what is wrong with them was said */
    }
    for (size_t i = 0; i < count; i++) {
        uint8_t room[LIST_BYTES_MAX];
        Text name = text_in(span_of(room, sizeof room));
        const char *place = place_among(list[i].state);
        name_list(&list[i], &name);
        if (place) {
            check_report(f->checker, SEVERITY_WARNING, where_at(at), STR_NONE, "%.*s %s",
                         STR_ARG(text_str(&name)), place);
        }
        if (list[i].counts) {
            check_crl_dates(f, &list[i], tls->refuse_expired_crls, at, text_str(&name));
        }
    }
    return ERR_OK;
}

/* ---- OCSP responses ---- */

Err fill_check_staple(Filler *f, const FileSettings *files, Location at)
{
    uint8_t room[WHY_BYTES_MAX];
    Text why = text_in(span_of(room, sizeof room));
    TlsStaple staple;
    TRY(material_staple(files, f->cache, &staple));
    TlsStapleState state = tls_staple_at(&staple, f->files->now_s);
    if (state == TLS_STAPLE_GOOD) {
        f->valid_until = staple.until < f->valid_until ? staple.until : f->valid_until;
    } else if (state != TLS_STAPLE_NONE) {
        tls_staple_print(state, staple.detail, &why);
        check_report(f->checker, SEVERITY_WARNING, where_at(at), STR_NONE,
                     "this response is not stapled: %.*s", STR_ARG(text_str(&why)));
    }
    return ERR_OK;
}
