/* date.c - HTTP dates (RFC 9110 §5.6.7): one form is written, three are read.
 *
 * The proleptic Gregorian calendar, years 1 to 9999, without leap seconds (":60" is read as the
 * second that follows). It reads no clock: the caller passes `now`. */
#include "http/date.h"

#include "base/number.h"

#define DAY_SECONDS 86400
#define YEAR_MAX 9999
#define EPOCH_DAYS 719162                 /* days from 0001-01-01 to 1970-01-01 */
#define SECONDS_MIN INT64_C(-62135596800) /* 0001-01-01 00:00:00 */
#define SECONDS_MAX INT64_C(253402300799) /* 9999-12-31 23:59:59 */

static const Str day_names[7] = {S_INIT("Mon"), S_INIT("Tue"), S_INIT("Wed"), S_INIT("Thu"),
                                 S_INIT("Fri"), S_INIT("Sat"), S_INIT("Sun")};
static const Str long_day_names[7] = {S_INIT("Monday"),   S_INIT("Tuesday"), S_INIT("Wednesday"),
                                      S_INIT("Thursday"), S_INIT("Friday"),  S_INIT("Saturday"),
                                      S_INIT("Sunday")};
static const Str month_names[12] = {S_INIT("Jan"), S_INIT("Feb"), S_INIT("Mar"), S_INIT("Apr"),
                                    S_INIT("May"), S_INIT("Jun"), S_INIT("Jul"), S_INIT("Aug"),
                                    S_INIT("Sep"), S_INIT("Oct"), S_INIT("Nov"), S_INIT("Dec")};
static const uint8_t month_days[12] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};

typedef struct Moment {
    int year;
    int month; /* 0..11 */
    int day;   /* 1..31 */
    int hour;
    int minute;
    int second;
} Moment;

static bool is_leap(int year)
{
    return (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
}

static int days_of_month(int year, int month)
{
    return month_days[month] + (month == 1 && is_leap(year) ? 1 : 0);
}

/* Days from 0001-01-01 to the first of January of `year` (1..10000). */
static int days_before_year(int year)
{
    int y = year - 1;
    return y * 365 + y / 4 - y / 100 + y / 400;
}

static int64_t moment_seconds(const Moment *m)
{
    int days = days_before_year(m->year) + m->day - 1;
    for (int month = 0; month < m->month; month++) {
        days += days_of_month(m->year, month);
    }
    int64_t clock = (int64_t)m->hour * 3600 + (int64_t)m->minute * 60 + m->second;
    return ((int64_t)days - EPOCH_DAYS) * DAY_SECONDS + clock;
}

static Moment moment_from(int64_t seconds, int *ret_weekday)
{
    int64_t clamped = seconds < SECONDS_MIN ? SECONDS_MIN : seconds;
    clamped = clamped > SECONDS_MAX ? SECONDS_MAX : clamped;
    int64_t since = clamped - SECONDS_MIN;
    int days = (int)(since / DAY_SECONDS);
    int rest = (int)(since % DAY_SECONDS);
    Moment m = {.hour = rest / 3600, .minute = rest / 60 % 60, .second = rest % 60};
    *ret_weekday = days % 7; /* 0001-01-01 was a Monday */
    /* 146097 days are 400 years: the quotient is the year or the one before. */
    m.year = (int)((int64_t)days * 400 / 146097) + 1;
    if (days < days_before_year(m.year)) {
        m.year--;
    } else if (days >= days_before_year(m.year + 1)) {
        m.year++;
    }
    days -= days_before_year(m.year);
    while (m.month < 11 && days >= days_of_month(m.year, m.month)) {
        days -= days_of_month(m.year, m.month);
        m.month++;
    }
    m.day = days + 1;
    return m;
}

void date_print(Text *t, int64_t seconds)
{
    int weekday = 0;
    Moment m = moment_from(seconds, &weekday);
    text_add(t, day_names[weekday]);
    text_add(t, S(", "));
    text_digits(t, (unsigned)m.day, 2);
    text_byte(t, ' ');
    text_add(t, month_names[m.month]);
    text_byte(t, ' ');
    text_digits(t, (unsigned)m.year, 4);
    text_byte(t, ' ');
    text_digits(t, (unsigned)m.hour, 2);
    text_byte(t, ':');
    text_digits(t, (unsigned)m.minute, 2);
    text_byte(t, ':');
    text_digits(t, (unsigned)m.second, 2);
    text_add(t, S(" GMT"));
}

/* Reads `len` digits at `at`; -1 if one of them is not a digit. */
static int digits_read(Str s, size_t at, size_t len)
{
    int n = 0;
    for (size_t i = at; i < at + len; i++) {
        int c = str_peek(s, i);
        if (!byte_is_digit(c)) {
            return -1;
        }
        n = n * 10 + (c - '0');
    }
    return n;
}

/* The index of the name that is at `at`, or -1. */
static int name_read(Str s, size_t at, const Str *names, int count)
{
    for (int i = 0; i < count; i++) {
        if (str_stands(s, at, names[i])) {
            return i;
        }
    }
    return -1;
}

/* "08:49:37" at `at`. */
static bool clock_read(Str s, size_t at, Moment *m)
{
    m->hour = digits_read(s, at, 2);
    m->minute = digits_read(s, at + 3, 2);
    m->second = digits_read(s, at + 6, 2);
    return str_peek(s, at + 2) == ':' && str_peek(s, at + 5) == ':' && m->hour >= 0 &&
           m->hour <= 23 && m->minute >= 0 && m->minute <= 59 && m->second >= 0 && m->second <= 60;
}

/* "Sun, 06 Nov 1994 08:49:37 GMT" */
static bool fixdate_read(Str s, Moment *m)
{
    m->day = digits_read(s, 5, 2);
    m->month = name_read(s, 8, month_names, 12);
    m->year = digits_read(s, 12, 4);
    return s.len == DATE_BYTES && name_read(s, 0, day_names, 7) >= 0 && str_stands(s, 3, S(", ")) &&
           str_peek(s, 7) == ' ' && str_peek(s, 11) == ' ' && str_peek(s, 16) == ' ' &&
           clock_read(s, 17, m) && str_stands(s, 25, S(" GMT"));
}

/* "Sun Nov  6 08:49:37 1994" */
static bool asctime_read(Str s, Moment *m)
{
    bool one_digit = str_peek(s, 8) == ' ';
    m->day = one_digit ? digits_read(s, 9, 1) : digits_read(s, 8, 2);
    m->month = name_read(s, 4, month_names, 12);
    m->year = digits_read(s, 20, 4);
    return s.len == 24 && name_read(s, 0, day_names, 7) >= 0 && str_peek(s, 3) == ' ' &&
           str_peek(s, 7) == ' ' && str_peek(s, 10) == ' ' && clock_read(s, 11, m) &&
           str_peek(s, 19) == ' ';
}

/* "Sunday, 06-Nov-94 08:49:37 GMT"; the year is left at 0..99. */
static bool rfc850_read(Str s, Moment *m)
{
    int weekday = name_read(s, 0, long_day_names, 7);
    if (weekday < 0) {
        return false;
    }
    size_t at = long_day_names[weekday].len;
    m->day = digits_read(s, at + 2, 2);
    m->month = name_read(s, at + 5, month_names, 12);
    m->year = digits_read(s, at + 9, 2);
    return s.len == at + 24 && str_stands(s, at, S(", ")) && str_peek(s, at + 4) == '-' &&
           str_peek(s, at + 8) == '-' && m->year >= 0 && str_peek(s, at + 11) == ' ' &&
           clock_read(s, at + 12, m) && str_stands(s, at + 20, S(" GMT"));
}

/* RFC 9110 §5.6.7: a two-digit year that seems more than 50 years ahead is the most recent past
 * year with those digits. */
static int century_of(int two_digits, int64_t now)
{
    int weekday = 0;
    int this_year = moment_from(now, &weekday).year;
    int year = this_year - this_year % 100 + two_digits;
    if (year > this_year + 50) {
        return year - 100;
    }
    return year <= this_year - 50 ? year + 100 : year;
}

Err date_parse(Str s, int64_t now, int64_t *ret)
{
    Moment m = {0};
    if (str_peek(s, 3) == ',') {
        if (!fixdate_read(s, &m)) {
            return ERR_SYNTAX;
        }
    } else if (str_peek(s, 3) == ' ') {
        if (!asctime_read(s, &m)) {
            return ERR_SYNTAX;
        }
    } else {
        if (!rfc850_read(s, &m)) {
            return ERR_SYNTAX;
        }
        m.year = century_of(m.year, now);
    }
    if (m.year < 1 || m.year > YEAR_MAX || m.month < 0 || m.month > 11 || m.day < 1 ||
        m.day > days_of_month(m.year, m.month)) {
        return ERR_SYNTAX;
    }
    *ret = moment_seconds(&m);
    return ERR_OK;
}
