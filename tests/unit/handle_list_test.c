/* handle_list_test.c - random calls, compared with an array after each one. */
#include "base/handle_list.h"

#include <stddef.h>
#include <stdlib.h>

#include "test.h"

#define OBJECTS 12u
#define CALLS 20000u

typedef struct Item {
    uint64_t number; /* the links are not at the start */
    HandleLinks links;
} Item;

typedef struct Model {
    Pool pool;
    HandleList list;
    Handle order[OBJECTS];
    size_t count;
} Model;

static HandleLinks *links_of(const Model *m, Handle h)
{
    return handle_links(&m->pool, h, offsetof(Item, links));
}

/* From both ends the list is what the array is. */
static bool model_agrees(const Model *m)
{
    Handle forth = m->list.first;
    Handle back = m->list.last;
    bool same = true;
    for (size_t i = 0; same && i < m->count; i++) {
        same = handle_equal(forth, m->order[i]) && handle_equal(back, m->order[m->count - 1 - i]);
        forth = links_of(m, m->order[i])->next;
        back = links_of(m, m->order[m->count - 1 - i])->previous;
    }
    return same && handle_is_none(forth) && handle_is_none(back);
}

static void model_add(Model *m, bool first)
{
    Handle h = HANDLE_NONE;
    Item *item = (Item *)pool_take(&m->pool, &h);
    CHECK(item != NULL);
    for (size_t i = m->count; first && i > 0; i--) {
        m->order[i] = m->order[i - 1];
    }
    m->order[first ? 0 : m->count] = h;
    m->count++;
    if (first) {
        handle_list_prepend(&m->list, &m->pool, offsetof(Item, links), h, &item->links);
    } else {
        handle_list_append(&m->list, &m->pool, offsetof(Item, links), h, &item->links);
    }
}

static void model_remove(Model *m, size_t at)
{
    Handle h = m->order[at];
    HandleLinks *links = links_of(m, h);
    handle_list_remove(&m->list, &m->pool, offsetof(Item, links), links);
    EXPECT(handle_is_none(links->next) && handle_is_none(links->previous));
    pool_give(&m->pool, h);
    m->count--;
    for (size_t i = at; i < m->count; i++) {
        m->order[i] = m->order[i + 1];
    }
}

TEST("handle list: appending, prepending and removing keep both directions")
{
    Model m = {.count = 0};
    uint64_t dice = 12345;
    bool agrees = true;
    EXPECT(pool_init(&m.pool, sizeof(Item), OBJECTS) == ERR_OK);
    for (unsigned i = 0; agrees && i < CALLS; i++) {
        dice = dice * UINT64_C(6364136223846793005) + 1442695040888963407u;
        unsigned choice = (unsigned)(dice >> 33);
        if (m.count < OBJECTS && (m.count == 0 || choice % 2 == 0)) {
            model_add(&m, choice % 3 == 0);
        } else {
            model_remove(&m, choice / 2 % m.count);
        }
        agrees = model_agrees(&m);
    }
    EXPECT(agrees);
    while (m.count > 0) {
        model_remove(&m, m.count - 1);
    }
    EXPECT(handle_is_none(m.list.first) && handle_is_none(m.list.last));
    pool_drop(&m.pool);
}
