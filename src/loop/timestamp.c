/* timestamp.c - days to dates, after Howard Hinnant's "chrono-compatible low-level date
 * algorithms". */
#include "loop/timestamp.h"

#include <time.h>

#define US_PER_SECOND UINT64_C(1000000)
#define SECONDS_PER_DAY UINT64_C(86400)

typedef struct Timestamp {
    unsigned year;
    unsigned month; /* 1..12 */
    unsigned day;   /* 1..31 */
    unsigned hour;
    unsigned minute;
    unsigned second;
    unsigned ms;
} Timestamp;

static const Str month_names[12] = {
    S_INIT("Jan"), S_INIT("Feb"), S_INIT("Mar"), S_INIT("Apr"), S_INIT("May"), S_INIT("Jun"),
    S_INIT("Jul"), S_INIT("Aug"), S_INIT("Sep"), S_INIT("Oct"), S_INIT("Nov"), S_INIT("Dec"),
};

uint64_t timestamp_now_us(void)
{
    struct timespec now;
    (void)clock_gettime(CLOCK_REALTIME, &now);
    return (uint64_t)now.tv_sec * US_PER_SECOND + (uint64_t)now.tv_nsec / 1000;
}

static Timestamp timestamp_split(uint64_t unix_us)
{
    uint64_t seconds = unix_us / US_PER_SECOND;
    uint64_t in_day = seconds % SECONDS_PER_DAY;
    /* Years start in March, so that the leap day is a year's last; an era is 400 years. */
    uint64_t days = seconds / SECONDS_PER_DAY + 719468;
    uint64_t era = days / 146097;
    uint64_t day_of_era = days % 146097;
    uint64_t year_of_era =
        (day_of_era - day_of_era / 1460 + day_of_era / 36524 - day_of_era / 146096) / 365;
    uint64_t day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    uint64_t month_from_march = (5 * day_of_year + 2) / 153;
    uint64_t month = month_from_march < 10 ? month_from_march + 3 : month_from_march - 9;
    return (Timestamp){
        .year = (unsigned)(year_of_era + era * 400 + (month <= 2 ? 1 : 0)),
        .month = (unsigned)month,
        .day = (unsigned)(day_of_year - (153 * month_from_march + 2) / 5 + 1),
        .hour = (unsigned)(in_day / 3600),
        .minute = (unsigned)(in_day / 60 % 60),
        .second = (unsigned)(in_day % 60),
        .ms = (unsigned)(unix_us / 1000 % 1000),
    };
}

static void print_clock(Text *t, const Timestamp *s)
{
    text_digits(t, s->hour, 2);
    text_byte(t, ':');
    text_digits(t, s->minute, 2);
    text_byte(t, ':');
    text_digits(t, s->second, 2);
}

void timestamp_print(Text *t, uint64_t unix_us)
{
    Timestamp s = timestamp_split(unix_us);
    text_digits(t, s.year, 4);
    text_byte(t, '-');
    text_digits(t, s.month, 2);
    text_byte(t, '-');
    text_digits(t, s.day, 2);
    text_byte(t, 'T');
    print_clock(t, &s);
    text_byte(t, '.');
    text_digits(t, s.ms, 3);
    text_byte(t, 'Z');
}

void timestamp_print_combined(Text *t, uint64_t unix_us)
{
    Timestamp s = timestamp_split(unix_us);
    text_digits(t, s.day, 2);
    text_byte(t, '/');
    text_add(t, month_names[(s.month + 11) % 12]);
    text_byte(t, '/');
    text_digits(t, s.year, 4);
    text_byte(t, ':');
    print_clock(t, &s);
    text_add(t, S(" +0000"));
}
