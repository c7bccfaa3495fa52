/* places.c - see places.h. */
#include "balance/places.h"

static int family_rank(const Endpoint *e)
{
    int family = e->address.as.any.sa_family;
    return family == AF_INET ? 0 : family == AF_INET6 ? 1 : 2;
}

static int compare_bytes(Str a, Str b)
{
    for (size_t i = 0; i < a.len && i < b.len; i++) {
        if (a.at[i] != b.at[i]) {
            return a.at[i] < b.at[i] ? -1 : 1;
        }
    }
    return (a.len > b.len) - (a.len < b.len);
}

static int compare_numbers(uint64_t a, uint64_t b)
{
    return (a > b) - (a < b);
}

/* IPv4 by number and port, then IPv6, then Unix sockets by path. */
static int compare_names(const Endpoint *a, const Endpoint *b)
{
    int ranks = compare_numbers((uint64_t)family_rank(a), (uint64_t)family_rank(b));
    if (ranks != 0) {
        return ranks;
    }
    if (family_rank(a) == 0) {
        const struct sockaddr_in *x = &a->address.as.v4;
        const struct sockaddr_in *y = &b->address.as.v4;
        int order = compare_numbers(ntohl(x->sin_addr.s_addr), ntohl(y->sin_addr.s_addr));
        return order ? order : compare_numbers(ntohs(x->sin_port), ntohs(y->sin_port));
    }
    if (family_rank(a) == 1) {
        const struct sockaddr_in6 *x = &a->address.as.v6;
        const struct sockaddr_in6 *y = &b->address.as.v6;
        Str one = str_of(x->sin6_addr.s6_addr, 16);
        int order = compare_bytes(one, str_of(y->sin6_addr.s6_addr, 16));
        return order ? order : compare_numbers(ntohs(x->sin6_port), ntohs(y->sin6_port));
    }
    return compare_bytes(a->name, b->name);
}

/* Heap sort: the file's list may be long, and in any order. */
static void heap_sift(const EndpointSet *set, Places *p, size_t root, size_t count)
{
    for (size_t child = 2 * root + 1; child < count; child = 2 * root + 1) {
        const EndpointPlace *list = p->list;
        bool right = child + 1 < count && compare_names(set->members[list[child].place].endpoint,
                                                  set->members[list[child + 1].place].endpoint) < 0;
        child += right ? 1 : 0;
        if (compare_names(set->members[list[root].place].endpoint,
                    set->members[list[child].place].endpoint) >= 0) {
            return;
        }
        EndpointPlace swap = p->list[root];
        p->list[root] = p->list[child];
        p->list[child] = swap;
        root = child;
    }
}

static void places_sort(const EndpointSet *set, Places *p)
{
    for (size_t i = p->count / 2; i > 0; i--) {
        heap_sift(set, p, i - 1, p->count);
    }
    for (size_t last = p->count - 1; last > 0; last--) {
        EndpointPlace swap = p->list[0];
        p->list[0] = p->list[last];
        p->list[last] = swap;
        heap_sift(set, p, 0, last);
    }
}

const Places *places_new(const EndpointSet *set, Arena *arena)
{
    Places *p = arena_new(arena, Places);
    EndpointPlace *list = arena_array(arena, EndpointPlace, set->count);
    if (!p || !list) {
        return NULL;
    }
    *p = (Places){.list = list};
    for (size_t i = 0; i < set->count; i++) {
        if (member_counts(&set->members[i])) {
            p->count++;
            p->list[p->count - 1].place = (uint32_t)i;
        }
    }
    places_sort(set, p);
    for (size_t i = 0; i < p->count; i++) {
        p->total += set->members[p->list[i].place].weight;
        p->list[i].end = p->total;
    }
    return p;
}
