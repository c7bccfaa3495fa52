/* handle_list.h - a doubly linked list of objects of one pool, by their handles.
 *
 * An object has a HandleLinks for each list that it may be in; `at` is where that is in the object
 * (offsetof, a constant). Each function is a few instructions and inlined. A list belongs to the
 * thread of its pool. An object leaves its lists before it is given back to the pool. */
#ifndef BASE_HANDLE_LIST_H
#define BASE_HANDLE_LIST_H

#include "base/pool.h"

typedef struct HandleLinks {
    Handle next;
    Handle previous;
} HandleLinks;

typedef struct HandleList {
    Handle first;
    Handle last;
} HandleList;

/* The links of an object; NULL: there is none. */
static inline HandleLinks *handle_links(const Pool *p, Handle h, size_t at)
{
    uint8_t *object = (uint8_t *)pool_get(p, h);
    return object ? (HandleLinks *)(void *)(object + at) : NULL;
}

/* Puts `h`, whose links these are, at the end. It must not be in the list. */
static inline void handle_list_append(HandleList *l, const Pool *p, size_t at, Handle h,
                                      HandleLinks *links)
{
    HandleLinks *last = handle_links(p, l->last, at);
    links->previous = l->last;
    links->next = HANDLE_NONE;
    *(last ? &last->next : &l->first) = h;
    l->last = h;
}

/* The same at the start. */
static inline void handle_list_prepend(HandleList *l, const Pool *p, size_t at, Handle h,
                                       HandleLinks *links)
{
    HandleLinks *first = handle_links(p, l->first, at);
    links->next = l->first;
    links->previous = HANDLE_NONE;
    *(first ? &first->previous : &l->last) = h;
    l->first = h;
}

/* Takes the object with these links out. It must be in the list. */
static inline void handle_list_remove(HandleList *l, const Pool *p, size_t at, HandleLinks *links)
{
    HandleLinks *next = handle_links(p, links->next, at);
    HandleLinks *previous = handle_links(p, links->previous, at);
    *(next ? &next->previous : &l->last) = links->previous;
    *(previous ? &previous->next : &l->first) = links->next;
    *links = (HandleLinks){.next = HANDLE_NONE, .previous = HANDLE_NONE};
}

#endif
