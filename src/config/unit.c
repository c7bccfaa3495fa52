/* unit.c - tables of units, and numbers that are followed by them. */
#include "config/unit.h"

#include "base/number.h"

/* Units of a kind, the largest first, each with its size in the smallest one. */
typedef struct UnitRow {
    Str name;
    uint64_t size;
} UnitRow;

#define UNIT_ROWS 8u

static const UnitRow time_rows[UNIT_ROWS] = {
    {S_INIT("d"), 86400000}, {S_INIT("h"), 3600000}, {S_INIT("m"), 60000},
    {S_INIT("s"), 1000},     {S_INIT("ms"), 1},
};

static const UnitRow size_rows[UNIT_ROWS] = {
    {S_INIT("TiB"), UINT64_C(1) << 40},      {S_INIT("GiB"), UINT64_C(1) << 30},
    {S_INIT("MiB"), UINT64_C(1) << 20},      {S_INIT("KiB"), UINT64_C(1) << 10},
    {S_INIT("GB"), UINT64_C(1000000000)},    {S_INIT("MB"), UINT64_C(1000000)},
    {S_INIT("KB"), UINT64_C(1000)},          {S_INIT("B"), 1},
};

static const struct {
    Str suffix;
    uint64_t size; /* in the smallest unit of its kind */
    const UnitRow *rows;
} units[] = {
    [UNIT_NONE] = {S_INIT(""), 1, NULL},
    [UNIT_MS] = {S_INIT("-ms"), 1, time_rows},
    [UNIT_SECONDS] = {S_INIT("-seconds"), 1000, time_rows},
    [UNIT_DAYS] = {S_INIT("-days"), 86400000, time_rows},
    [UNIT_BYTES] = {S_INIT("-bytes"), 1, size_rows},
};

Unit unit_of(Str option)
{
    for (unsigned u = UNIT_MS; u <= UNIT_BYTES; u++) {
        if (str_ends(option, units[u].suffix)) {
            return (Unit)u;
        }
    }
    return UNIT_NONE;
}

Str unit_short_name(Str option)
{
    return str_take(option, option.len - units[unit_of(option)].suffix.len);
}

/* Cuts a number and a unit off the text, and adds what they are to *sum. */
static UnitFault take_part(Str *text, const UnitRow *rows, uint64_t *sum)
{
    size_t digits = 0;
    size_t letters = 0;
    uint64_t number = 0;
    while (byte_is_digit(str_peek(*text, digits))) {
        digits++;
    }
    while (digits + letters < text->len && !byte_is_digit(str_at(*text, digits + letters))) {
        letters++;
    }
    Str word = str_slice(*text, digits, digits + letters);
    if (digits == 0) {
        return UNIT_SYNTAX;
    }
    if (number_decimal(str_take(*text, digits), UINT64_MAX, &number) != ERR_OK) {
        return UNIT_LARGE;
    }
    if (word.len == 0) {
        return UNIT_MISSING;
    }
    *text = str_drop(*text, digits + letters);
    for (size_t i = 0; i < UNIT_ROWS && rows[i].size != 0; i++) {
        if (str_equal(word, rows[i].name)) {
            bool large = number > (UINT64_MAX - *sum) / rows[i].size;
            *sum += large ? 0 : number * rows[i].size;
            return large ? UNIT_LARGE : UNIT_OK;
        }
    }
    return UNIT_UNKNOWN;
}

UnitFault unit_parse(Str text, Unit unit, uint64_t *ret)
{
    uint64_t sum = 0;
    UnitFault fault = text.len == 0 ? UNIT_SYNTAX : UNIT_OK;
    while (text.len > 0 && fault == UNIT_OK) {
        fault = take_part(&text, units[unit].rows, &sum);
    }
    if (fault == UNIT_OK && sum % units[unit].size != 0) {
        return UNIT_FRACTION;
    }
    *ret = sum / units[unit].size;
    return fault;
}

void unit_print(Text *out, uint64_t number, Unit unit)
{
    const UnitRow *rows = units[unit].rows;
    uint64_t smallest = number * units[unit].size;
    for (size_t i = 0; rows && i < UNIT_ROWS && rows[i].size != 0; i++) {
        bool decimal = unit == UNIT_BYTES && i >= 4 && rows[i].size > 1;
        if (!decimal && smallest > 0 && smallest % rows[i].size == 0) {
            text_u64(out, smallest / rows[i].size);
            text_add(out, rows[i].name);
            return;
        }
    }
    text_u64(out, number);
}

Str unit_takes(Unit unit)
{
    return unit == UNIT_BYTES
               ? S("a size like \"512B\", \"64KiB\", \"10MiB\" or \"1GiB\"")
               : S("a time like \"500ms\", \"60s\", \"2m\", \"1h\" or \"7d\"");
}
