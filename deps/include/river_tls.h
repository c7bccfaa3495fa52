/* river_tls.h - what rustls offers and rustls.h does not: key exchange groups, ticket keys shared
 * by threads, key logs with a context (deps/src/tls.rs). It belongs beside rustls.h. */
#ifndef RIVER_TLS_H
#define RIVER_TLS_H

#include <rustls.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* A key exchange group or cipher suite: IANA's number, and rustls's name for it, which is static
 * and not terminated by NUL ("X25519MLKEM768", "secp256r1", "TLS13_AES_128_GCM_SHA256"). */
typedef struct river_tls_name {
    uint16_t id;
    bool by_default; /* offered when nothing is chosen */
    const char *name;
    size_t name_bytes;
} river_tls_name;

/* The groups of a provider, or with NULL all that are known; all suites that are known. Each in
 * order of preference, into out[0..room). They return how many there are, which may be more. */
size_t river_tls_groups(const struct rustls_crypto_provider *provider, river_tls_name *out,
                        size_t room);
size_t river_tls_suites(river_tls_name *out, size_t room);

/* A provider (aws-lc-rs) of these groups and suites only, in this order; a count of 0 means the
 * defaults. NULL: an id is not known. Free it with rustls_crypto_provider_free. A protocol version
 * without a suite is refused later, when a config is built. */
const struct rustls_crypto_provider *river_tls_provider_new(const uint16_t *groups,
                                                            size_t groups_count,
                                                            const uint16_t *suites,
                                                            size_t suites_count);

/* Keys that seal session tickets. They change by themselves every 6 hours, and a ticket stays good
 * for 12 at most. No ticket outlives a certificate of the client's chain, and no chain of sessions
 * that are resumed one after the other `lifetime_s` seconds (RFC 8446 §4.6.1). A handle may be used
 * by any thread; one made by clone has the same keys. */
typedef struct river_tls_ticketer river_tls_ticketer;
river_tls_ticketer *river_tls_ticketer_new(uint64_t lifetime_s); /* NULL: no random numbers */
river_tls_ticketer *river_tls_ticketer_clone(const river_tls_ticketer *ticketer);
void river_tls_ticketer_free(river_tls_ticketer *ticketer); /* NULL is fine */
/* The keys as bytes, for another process, which goes on with them: 0 when there is no room (104 are
 * enough). They are secrets. False: these are none, and nothing has changed. */
size_t river_tls_ticketer_save(const river_tls_ticketer *ticketer, uint8_t *out, size_t room);
bool river_tls_ticketer_restore(const river_tls_ticketer *ticketer, const uint8_t *from,
                                size_t len);

/* Which connection this thread works on, until it is called again: *since_s, which is 0 at first,
 * is where its chain of sessions keeps the second in which it began. NULL: none. Around each call
 * of rustls_connection_process_new_packets in a server's handshake. */
void river_tls_session_begin(uint64_t *since_s);

/* Makes *config resume sessions by tickets under these keys, in TLS 1.2 and 1.3, on whichever
 * thread a client comes back; `tls13_tickets` are sent after a full handshake. NULL: nothing is
 * resumed. Early data is off either way. *config is the caller's own handle from
 * rustls_server_config_builder_build, and names the changed configuration afterwards. Connections
 * that exist keep what they began with. */
rustls_result river_tls_server_config_set_tickets(const struct rustls_server_config **config,
                                                  const river_tls_ticketer *ticketer,
                                                  size_t tls13_tickets);

/* Hands each secret to the callback, on whichever thread the handshake runs; the slices live for
 * the call. (rustls.h has this too, without a context.) *config as above. */
typedef void (*river_tls_key_log)(void *context, const char *label, size_t label_bytes,
                                  const uint8_t *client_random, size_t client_random_bytes,
                                  const uint8_t *secret, size_t secret_bytes);
rustls_result river_tls_server_config_set_key_log(const struct rustls_server_config **config,
                                                  river_tls_key_log callback, void *context);
rustls_result river_tls_client_config_set_key_log(const struct rustls_client_config **config,
                                                  river_tls_key_log callback, void *context);

/* Makes *config (as above) judge a server's certificate as it does, and more: one that is in
 * `roots` itself is trusted although it is an authority's, if its name and time are right; `roots`
 * NULL: any will do, also what rustls cannot read (X.509 v1, short keys), and no signature is
 * checked. Its sessions are resumed until the certificate that was verified last ends, and for a
 * day at most. */
rustls_result river_tls_client_config_set_verifier(const struct rustls_client_config **config,
                                                   const struct rustls_root_cert_store *roots);

/* Why the certificate that this thread has seen last was refused, where rustls's code does not say;
 * asked once, and 0 afterwards. */
enum { RIVER_TLS_CAUSE_VERSION = 1, RIVER_TLS_CAUSE_KEY_SIZE, RIVER_TLS_CAUSE_AUTHORITY };
unsigned river_tls_take_cause(void);

#endif
