/* doctor.c - the table of checks, and the two output formats. */
#include "app/doctor.h"

#include <fcntl.h>
#include <unistd.h>

#include "app/read_fd.h"
#include "base/number.h"
#include "loop/quote.h"

#define NAME_COLUMNS 18u
#define VERDICT_COLUMNS 9u

typedef struct Look {
    Str name;
    void (*look)(const DoctorQuestion *q, Finding *f);
} Look;

static const Look looks[] = {
    {S_INIT("kernel"), doctor_kernel},
    {S_INIT("seccomp"), doctor_seccomp},
    {S_INIT("landlock"), doctor_landlock},
    {S_INIT("write-xor-execute"), doctor_exec_gain},
    {S_INIT("no-new-privs"), doctor_no_new_privs},
    {S_INIT("user"), doctor_account},
    {S_INIT("capabilities"), doctor_capabilities},
    {S_INIT("low-ports"), doctor_low_ports},
    {S_INIT("bounds-checks"), doctor_bounds},
    {S_INIT("address-layout"), doctor_layout},
    {S_INIT("core-dumps"), doctor_cores},
    {S_INIT("tracing"), doctor_tracing},
    {S_INIT("memory"), doctor_memory},
    {S_INIT("overcommit"), doctor_overcommit},
    {S_INIT("huge-pages"), doctor_huge_pages},
    {S_INIT("descriptors"), doctor_descriptors},
    {S_INIT("backlog"), doctor_backlog},
    {S_INIT("ports"), doctor_ports},
    {S_INIT("openat2"), doctor_openat2},
    {S_INIT("cachestat"), doctor_cachestat},
    {S_INIT("river"), doctor_river},
};

static const Str verdict_names[] = {S_INIT("ok"), S_INIT("weaker"), S_INIT("missing")};

/* ---- small files ---- */

bool doctor_read_all(const char *path, Span room, Str *ret)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0) {
        return false;
    }
    Err err = read_fd(fd, room, ret);
    (void)close(fd);
    return err == ERR_OK;
}

bool doctor_read(const char *path, Span room, Str *ret_line)
{
    Str all = STR_NONE;
    bool read = doctor_read_all(path, room, &all);
    *ret_line = str_cut(all, '\n').head;
    return read;
}

bool doctor_read_number(const char *path, uint64_t *ret)
{
    uint8_t room[64];
    Str line = STR_NONE;
    if (!doctor_read(path, span_of(room, sizeof room), &line)) {
        return false;
    }
    return number_decimal(str_cut(str_cut(line, ' ').head, '\t').head, UINT64_MAX, ret) == ERR_OK;
}

/* ---- printing ---- */

static void pad_word(Text *out, Str word, size_t columns)
{
    text_add(out, word);
    for (size_t i = word.len; i < columns; i++) {
        text_byte(out, ' ');
    }
}

static void print_row(Text *out, Str name, const Finding *f)
{
    pad_word(out, name, NAME_COLUMNS);
    pad_word(out, verdict_names[f->verdict], VERDICT_COLUMNS);
    text_add(out, text_str(&f->found));
    text_byte(out, '\n');
    if (f->advice.len > 0) {
        pad_word(out, STR_NONE, NAME_COLUMNS + VERDICT_COLUMNS);
        text_add(out, f->advice);
        text_byte(out, '\n');
    }
}

static void print_member(Text *out, Str key, Str value, const char *behind)
{
    quote_json(out, key);
    text_byte(out, ':');
    quote_json(out, value);
    text_add(out, str_from_c(behind));
}

static void print_json(Text *out, Str name, const Finding *f, bool last)
{
    text_add(out, S("{"));
    print_member(out, S("name"), name, ",");
    print_member(out, S("verdict"), verdict_names[f->verdict], ",");
    print_member(out, S("found"), text_str(&f->found), ",");
    print_member(out, S("advice"), f->advice, last ? "}" : "},\n");
}

static void print_conclusion(Text *out, Health worst, bool json)
{
    static const Str sentences[] = {S_INIT("Everything is as it should be.\n"),
                                    S_INIT("River runs here; what is weaker could be better.\n"),
                                    S_INIT("Something that River needs is missing.\n")};
    if (json) {
        text_add(out, S("],\n"));
        print_member(out, S("verdict"), verdict_names[worst], "}\n");
        return;
    }
    text_byte(out, '\n');
    text_add(out, sentences[worst]);
}

bool doctor_examine(const DoctorQuestion *q, bool json, Text *out)
{
    const size_t count = sizeof looks / sizeof looks[0];
    Health worst = HEALTH_OK;
    text_add(out, json ? S("{\"findings\":[\n") : S(""));
    for (size_t i = 0; i < count; i++) {
        uint8_t room[DOCTOR_FOUND_BYTES_MAX];
        Finding f = {.found = text_in(span_of(room, sizeof room)), .advice = STR_NONE};
        looks[i].look(q, &f);
        if (json) {
            print_json(out, looks[i].name, &f, i + 1 == count);
        } else {
            print_row(out, looks[i].name, &f);
        }
        worst = f.verdict > worst ? f.verdict : worst;
    }
    print_conclusion(out, worst, json);
    return worst != HEALTH_MISSING;
}
