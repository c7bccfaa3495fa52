/* fill_again.c - services that are in the settings before, with the same text and the same files:
 * they are taken over as they are, and only what they add to the whole is looked at again. */
#include "config/fill.h"

const ServiceSettings *fill_find_again(const Filler *f, const KdlNode *node)
{
    if (!f->base || node->same == 0) {
        return NULL;
    }
    const ServiceSettings *was = f->base->services[node->same - 1];
    for (size_t i = 0; i < was->named_count; i++) {
        if (f->known.list[was->named[i]].changed) {
            return NULL;
        }
    }
    return was;
}

Err fill_again(Filler *f, const KdlNode *node, uint32_t index, const ServiceSettings *was)
{
    for (size_t i = 0; i < was->listener_count; i++) {
        fill_claim(f, index, was->name, &was->listeners[i], node->name_at);
    }
    for (size_t i = 0; i < was->named_count; i++) {
        f->known.list[was->named[i]].file.named = true;
    }
    f->serving_count += was->serves_files ? 1 : 0;
    f->limiter_bytes += was->limiter_bytes;
    bool fits = f->memory_bytes_max == 0 || f->limiter_bytes <= f->memory_bytes_max / 2;
    return fits ? ERR_OK : ERR_AGAIN; /* the rule that is too much can be named then */
}
