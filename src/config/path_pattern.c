/* path_pattern.c - matches names, and sorts those that match. */
#include "config/path_pattern.h"

/* Whether a name matches: `*` any bytes, `?` one. */
static bool name_matches(Str pattern, Str name)
{
    size_t p = 0;
    size_t n = 0;
    size_t star = SIZE_MAX; /* where to go on when the last `*` must take one byte more ... */
    size_t taken = 0;       /* ... than up to here */
    while (n < name.len) {
        if (p < pattern.len && str_at(pattern, p) == '*') {
            star = ++p;
            taken = n;
        } else if (p < pattern.len &&
                   (str_at(pattern, p) == '?' || str_at(pattern, p) == str_at(name, n))) {
            p++;
            n++;
        } else if (star != SIZE_MAX) {
            p = star;
            n = ++taken;
        } else {
            return false;
        }
    }
    while (p < pattern.len && str_at(pattern, p) == '*') {
        p++;
    }
    return p == pattern.len;
}

bool path_has_wildcard(Str text)
{
    return str_find(text, '*', 0) < text.len || str_find(text, '?', 0) < text.len;
}

size_t path_directory_len(Str path)
{
    size_t len = path.len;
    while (len > 0 && str_at(path, len - 1) != '/') {
        len--;
    }
    return len;
}

Err path_join(Arena *a, Str directory, Str rest, Str *ret)
{
    Span room;
    if (!arena_span(a, directory.len + rest.len + 1, &room)) {
        return ERR_MEMORY;
    }
    Text t = text_in(room);
    text_add(&t, directory);
    text_add(&t, rest);
    *ret = text_str(&t);
    return ERR_OK;
}

static size_t keep_matching(Str *names, size_t count, Str pattern)
{
    size_t kept = 0;
    for (size_t i = 0; i < count; i++) {
        if (name_matches(pattern, names[i])) {
            names[kept++] = names[i];
        }
    }
    return kept;
}

/* Heap sort: the number of files is not in our hands. */
static void sift_down(Str *names, size_t root, size_t count)
{
    for (size_t child = 2 * root + 1; child < count; root = child, child = 2 * root + 1) {
        child += child + 1 < count && str_compare(names[child], names[child + 1]) < 0 ? 1 : 0;
        if (str_compare(names[root], names[child]) >= 0) {
            return;
        }
        Str other = names[root];
        names[root] = names[child];
        names[child] = other;
    }
}

static void sort_names(Str *names, size_t count)
{
    for (size_t i = count / 2; i > 0; i--) {
        sift_down(names, i - 1, count);
    }
    for (size_t i = count; i > 1; i--) {
        Str last = names[i - 1];
        names[i - 1] = names[0];
        names[0] = last;
        sift_down(names, 0, i - 1);
    }
}

size_t path_pattern_select(Str *names, size_t count, Str pattern)
{
    size_t kept = keep_matching(names, count, pattern);
    sort_names(names, kept);
    return kept;
}
