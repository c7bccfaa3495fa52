/* tls_engine.h - what rustls does for River, in River's own types (internal to the room).
 *
 * Below it is tls_rustls.c, the one file that knows rustls; above it tls.c, which keeps the
 * states, the references and the budget. Nothing here is counted or checked twice. */
#ifndef NET_TLS_ENGINE_H
#define NET_TLS_ENGINE_H

#include "net/tls.h"
#include "net/tls_names.h"

/* Configurations; immutable, for any thread. */
typedef struct EngineServer EngineServer;
typedef struct EngineClient EngineClient;
/* A connection; opaque, rustls's own object. */
typedef struct Engine Engine;

/* A code of rustls; ENGINE_OK is success. */
typedef unsigned EngineCode;
#define ENGINE_OK 0u

/* A chain with its key, and a set of authorities; immutable, for any thread. */
typedef struct EngineKey EngineKey;
typedef struct EngineRoots EngineRoots;
/* Lists of revoked certificates, each with the authority whose it is; immutable, for any thread. */
typedef struct EngineCrls EngineCrls;
/* Errors as of tls_server_new; `index` is for the mistake. */
MUST_USE Err engine_key_new(const TlsPair *pair, size_t index, EngineKey **ret,
                            TlsMistake *ret_mistake, Text *why);
void engine_key_drop(EngineKey *key); /* No-op on NULL */
/* What its OCSP response is worth. */
TlsStaple engine_key_staple(const EngineKey *key);
/* Whether a client that knows no RSA could use the key. */
bool engine_key_is_modern(const EngineKey *key);
/* The number of the group that its curve is, which a client of TLS 1.2 that verifies it has to know
 * (RFC 8422 §5.1); 0: it has none. */
uint16_t engine_key_group(const EngineKey *key);
MUST_USE Err engine_roots_new(Str pem, bool strict, TlsPart part, EngineRoots **ret,
                              TlsMistake *ret_mistake, Text *why);
void engine_roots_drop(EngineRoots *roots); /* No-op on NULL */
/* `roots`: PEM of the authorities at hand. */
MUST_USE Err engine_crls_new(Str pem, Str roots, EngineCrls **ret, TlsMistake *ret_mistake,
                             Text *why);
void engine_crls_drop(EngineCrls *crls); /* No-op on NULL */
/* Its texts lie in the arena. ERR_MISSING: there is none at this place. */
MUST_USE Err engine_crl_read(const EngineCrls *crls, size_t at, Arena *a, TlsCrl *ret);

/* What a server is made of besides its plan; all of it must live as long as the server. */
typedef struct EngineServerParts {
    size_t key_count;
    const EngineKey *const *keys COUNTED_BY(key_count); /* of the plan's pairs */
    const uint16_t *groups COUNTED_BY(key_count);       /* engine_key_group of each */
    const TlsNames *names;
    const EngineRoots *client_roots; /* NULL: clients are not asked */
    const EngineCrls *client_crls;   /* NULL: none are given */
} EngineServerParts;

/* Errors as of tls_server_new. What is made lies in the arena and is undone by _drop. */
MUST_USE Err engine_server_new(Arena *a, const TlsServerPlan *plan, const EngineServerParts *parts,
                               EngineServer **ret, TlsMistake *ret_mistake, Text *why);
void engine_server_drop(EngineServer *s);
/* The keys of its tickets, as bytes that only this library understands. */
void engine_save_tickets(const EngineServer *s, Text *out);
bool engine_restore_tickets(const EngineServer *s, Str keys);
/* `own`: NULL when there is nothing to show. `roots`: NULL when nothing is verified. */
MUST_USE Err engine_client_new(Arena *a, const TlsClientPlan *plan, const EngineKey *own,
                               const EngineRoots *roots, EngineClient **ret,
                               TlsMistake *ret_mistake, Text *why);
void engine_client_drop(EngineClient *c);

MUST_USE Err engine_accept(EngineServer *s, Engine **ret);
MUST_USE Err engine_connect(EngineClient *c, Engine **ret);
void engine_free(Engine *e); /* No-op on NULL */

/* Passes ciphertext on and decrypts it. Takes less than everything when plaintext must be read
 * first. *since_s belongs to the connection: 0 at first, and then when its chain of resumed
 * sessions began. */
EngineCode engine_feed(Engine *e, uint64_t *since_s, Str raw, size_t *ret_taken);
/* ERR_AGAIN: nothing is there; ERR_CLOSED: close_notify came. */
MUST_USE Err engine_read(Engine *e, Span room, size_t *ret_read);
/* Encrypts everything; an error ends the session. */
MUST_USE Err engine_write(Engine *e, Str plain);
void engine_finish(Engine *e);
bool engine_has_output(const Engine *e);
MUST_USE Err engine_take(Engine *e, TlsSink *sink, void *context);
/* The description of the alert that waits to be sent in the clear, as a number of RFC 8446 §6; 0
 * when none is seen. */
unsigned engine_alert(Engine *e);
bool engine_is_handshaking(const Engine *e);

/* Fills in all but `identity`, `subject` and `names`. */
void engine_info(const Engine *e, TlsInfo *ret);
/* A certificate that the peer showed, as DER; empty: none. */
Str engine_peer_certificate(const Engine *e, size_t index);
/* What a certificate says: its subject, and its subject alternative names. What does not fit is
 * left out, and sets the text's overflow. */
void engine_describe(Str der, Text *subject, Text *names);
void engine_fingerprint(Str der, Span out); /* TLS_FINGERPRINT_BYTES */

TlsReason engine_reason(EngineCode code, unsigned alert);
/* Whether the code is an alert with which a peer refuses a certificate, or the lack of one, or what
 * proves that it is the sender's (RFC 8446 §6.2). */
bool engine_is_refusal(EngineCode code);
void engine_words(EngineCode code, Text *out);
/* What engine_words cannot say about the certificate that was refused last on this thread; empty:
 * nothing. Asked once, right after it failed. */
Str engine_cause(void);

/* Names that rustls knows, separated by '|'; static. */
Str engine_known(TlsList list);
MUST_USE Err engine_certificate_read(Str chain, Arena *a, TlsCertificate *ret);

#endif
