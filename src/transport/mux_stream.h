/* mux_stream.h - internal to an HTTP/2 connection (mux.h): the interface between its two files. */
#ifndef TRANSPORT_MUX_STREAM_H
#define TRANSPORT_MUX_STREAM_H

#include "transport/mux.h"

/* The session's callbacks, which record everything in the streams. Their user is the Mux. */
extern const H2Hooks mux_stream_hooks;
/* Frees everything. `m` is NULL if the connection is already gone. */
void mux_stream_free(Thread *t, Mux *m, MuxStream *s);
/* Opens the connection's window for what has arrived, as far as allowed. Returns whether it stays
 * closed only because memory is short: no other event may signal the end of that. */
bool mux_window_open(Mux *m);

#endif
