/* mux_stream.h - within an HTTP/2 connection (mux.h): what its two files ask of each other. */
#ifndef TRANSPORT_MUX_STREAM_H
#define TRANSPORT_MUX_STREAM_H

#include "transport/mux.h"

/* What the session tells: everything is recorded in streams. Its user is the Mux. */
extern const H2Hooks mux_stream_hooks;
/* Gives everything back. `m` is NULL when the connection has gone before. */
void mux_stream_free(Thread *t, Mux *m, MuxStream *s);
/* Opens the connection's window by what has come, as far as may be. Returns whether it stays closed
 * only because memory is short: nothing else may tell when that is over. */
bool mux_window_open(Mux *m);

#endif
