/* hosts.c - names in a hash table; wildcards are found by the suffixes of a name. */
#include "proxy/hosts.h"

#include "http/uri.h"

enum { SCOPE_EXACT, SCOPE_BELOW };

static size_t count_labels(Str name)
{
    size_t count = 1;
    for (size_t i = 0; i < name.len; i++) {
        count += name.at[i] == '.' ? 1 : 0;
    }
    return count;
}

Err host_names_open(Arena *a, size_t most, HostNames *ret)
{
    *ret = (HostNames){0};
    return str_map_open(a, most, &ret->table);
}

void host_names_add(HostNames *h, Str name, bool below, uint32_t service)
{
    uint32_t scope = below ? SCOPE_BELOW : SCOPE_EXACT;
    uint32_t there;
    if (str_map_find(&h->table, scope, name, &there)) {
        return;
    }
    str_map_add(&h->table, scope, name, service);
    size_t labels = below ? count_labels(name) : 0;
    h->labels_max = labels > h->labels_max ? labels : h->labels_max;
}

/* The name in lower case, without a trailing dot. False: it is too long for any entry. */
static bool name_of(Str authority, Text *ret)
{
    Authority a = {0};
    if (authority_split(authority, &a) != ERR_OK || a.host.len > ret->room.len) {
        return false;
    }
    for (size_t i = 0; i < a.host.len; i++) {
        text_byte(ret, byte_lower(a.host.at[i]));
    }
    ret->len -= ret->len > 1 && str_peek(text_str(ret), ret->len - 1) == '.' ? 1 : 0;
    return true;
}

/* The service of the longest matching wildcard. */
static bool find_below(const HostNames *h, Str name, uint32_t *ret)
{
    for (size_t labels = count_labels(name) - 1; labels > 0; labels--) {
        name = str_drop(name, str_find(name, '.', 0) + 1);
        if (labels <= h->labels_max && str_map_find(&h->table, SCOPE_BELOW, name, ret)) {
            return true;
        }
    }
    return false;
}

const Service *hosts_find(const Hosts *h, Str authority)
{
    uint8_t room[HOST_BYTES_MAX];
    Text text = text_in(span_of(room, sizeof room));
    uint32_t service = 0;
    if (!name_of(authority, &text)) {
        return h->otherwise;
    }
    Str name = text_str(&text);
    bool found = str_map_find(&h->names->table, SCOPE_EXACT, name, &service) ||
                 (h->names->labels_max > 0 && find_below(h->names, name, &service));
    return found && service < h->service_count ? h->services[service] : h->otherwise;
}
