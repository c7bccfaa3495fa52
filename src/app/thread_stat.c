/* thread_stat.c - "TID (name) S 1 2 3 ...\n": a name in parentheses, a letter, numbers. */
#include "app/thread_stat.h"

#include "base/number.h"

enum { /* fields as numbered in proc_pid_stat(5) */
    FIELD_AFTER_STATE = 4,
    FIELD_MAJOR_FAULTS = 12,
    FIELD_USER_TICKS = 14,
    FIELD_SYSTEM_TICKS = 15
};

/* The text after the name. A name may contain blanks, parentheses and newlines, but what follows it
 * does not, so the last parenthesis closes it. */
static Err skip_name(Str text, Str *ret)
{
    StrCut id = str_cut(text, ' ');
    uint64_t number = 0;
    TRY(number_decimal(id.head, INT32_MAX, &number));
    if (str_peek(id.tail, 0) != '(') {
        return ERR_SYNTAX;
    }
    size_t end = id.tail.len;
    while (end > 0 && str_at(id.tail, end - 1) != ')') {
        end--;
    }
    *ret = str_drop(id.tail, end);
    return end > 0 ? ERR_OK : ERR_SYNTAX;
}

static bool is_letter(int byte)
{
    return (byte >= 'A' && byte <= 'Z') || (byte >= 'a' && byte <= 'z');
}

/* Reads the numbers up to the last one that we need; some of the others are negative. All kernels
 * print more after it; in a truncated text the newline fails to parse as a digit. */
static Err read_numbers(Str rest, uint64_t *fields)
{
    for (size_t i = FIELD_AFTER_STATE; i <= FIELD_SYSTEM_TICKS; i++) {
        StrCut cut = str_cut(rest, ' ');
        bool wanted = i == FIELD_MAJOR_FAULTS || i >= FIELD_USER_TICKS;
        bool negative = !wanted && str_peek(cut.head, 0) == '-';
        TRY(number_decimal(str_drop(cut.head, negative), UINT64_MAX, &fields[i]));
        rest = cut.tail;
    }
    return ERR_OK;
}

Err thread_stat_parse(Str text, ThreadStat *ret)
{
    Str rest;
    uint64_t fields[FIELD_SYSTEM_TICKS + 1] = {0};
    if (!str_ends(text, S("\n"))) {
        return ERR_SYNTAX;
    }
    TRY(skip_name(text, &rest));
    if (str_peek(rest, 0) != ' ' || !is_letter(str_peek(rest, 1)) || str_peek(rest, 2) != ' ') {
        return ERR_SYNTAX;
    }
    ThreadStat stat = {.state = str_at(rest, 1)};
    TRY(read_numbers(str_drop(rest, 3), fields));
    stat.major_faults = fields[FIELD_MAJOR_FAULTS];
    if (!u64_add(fields[FIELD_USER_TICKS], fields[FIELD_SYSTEM_TICKS], &stat.ticks)) {
        return ERR_RANGE;
    }
    *ret = stat;
    return ERR_OK;
}
