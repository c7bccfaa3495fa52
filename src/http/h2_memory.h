/* h2_memory.h - the allocator that a session of nghttp2 is given; its `user` is the Budget that
 * pays. */
#ifndef HTTP_H2_MEMORY_H
#define HTTP_H2_MEMORY_H

#include <stddef.h>

void *h2_memory_take(size_t bytes, void *user);
void h2_memory_give(void *at, void *user);
void *h2_memory_take_array(size_t count, size_t bytes, void *user);
void *h2_memory_resize(void *at, size_t bytes, void *user);

#endif
