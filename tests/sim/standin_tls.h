/* standin_tls.h - what tests ask of the stand-in for rustls beyond net/tls_engine.h. */
#ifndef TESTS_SIM_STANDIN_TLS_H
#define TESTS_SIM_STANDIN_TLS_H

#include "net/tls_engine.h"

/* Plaintext that waits to be read. */
size_t standin_waiting(const Engine *e);
/* Seals records that hold nothing. */
void standin_barren(Engine *e, unsigned records);
/* A client that offers HTTP/1, or HTTP/2 instead. */
EngineClient *standin_client(bool h2);

#endif
