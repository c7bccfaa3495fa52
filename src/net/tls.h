/* tls.h - TLS sessions without I/O: ciphertext goes in and out as slices, plaintext on the other
 * side. Only tls_rustls*.c know rustls.
 *
 * Three things: a `TlsServer` is what one listener is towards its clients (certificates, policy,
 * suites), a `TlsClient` is what one connector is towards its origin; both are immutable once made,
 * counted, and shared by all threads. A `Tls` is one connection's session; it belongs to one thread
 * at a time (it may be handed over, like a descriptor).
 *
 * Nothing here waits, reads a descriptor or a file. What a session holds counts in the budget. */
#ifndef NET_TLS_H
#define NET_TLS_H

#include "base/arena.h"
#include "base/keyed_hash.h"
#include "base/text.h"

typedef struct Tls Tls;
typedef struct TlsServer TlsServer;
typedef struct TlsClient TlsClient;
typedef struct CertificateCache CertificateCache;

/* --- what a listener is ---------------------------------------------------------------------- */

/* Names of a provider's parts, as the configuration writes them. */
typedef enum TlsList { TLS_LIST_VERSIONS, TLS_LIST_SUITES, TLS_LIST_GROUPS } TlsList;
/* All known names, separated by '|' ("1.2|1.3"). Static. */
Str tls_known(TlsList list);

/* A chain and its key, as PEM bytes that the caller has read. */
typedef struct TlsPair {
    Str chain;
    Str key;
    Str ocsp; /* DER of an OCSP response to staple while it is good; empty: none */
    Fingerprint print; /* the same only for the same three; zero: the cache makes one */
} TlsPair;

typedef enum TlsClientPolicy { TLS_CLIENTS_NONE, TLS_CLIENTS_OPTIONAL, TLS_CLIENTS_REQUIRED }
    TlsClientPolicy;

typedef struct TlsServerPlan {
    size_t pair_count; /* at least 1; the first one is for names that no certificate has */
    const TlsPair *pairs COUNTED_BY(pair_count);
    Str versions; /* subsets of the known names, separated by commas; empty: all */
    Str suites;
    Str groups;
    bool offer_h2;   /* ALPN h2 before http/1.1 */
    bool offer_h1;   /* and then http/1.0 */
    TlsClientPolicy clients;
    Str client_roots; /* PEM */
    Str client_crls;  /* PEM; empty: none */
    bool refuse_expired_crls; /* a list past its nextUpdate lets no client in */
    Fingerprint clients_print; /* the same only for the same two; zero: the cache makes one */
    uint32_t session_lifetime_s; /* that resumed sessions follow each other; 0: none is resumed */
    int key_log_fd;   /* -1: none; borrowed, lines in NSS key log format are written to it */
    CertificateCache *cache;  /* NULL: everything is parsed for this server alone */
} TlsServerPlan;

/* What was wrong with a plan, for a diagnostic. */
typedef enum TlsPart {
    TLS_PART_NONE,
    TLS_PART_CHAIN,        /* of pairs[index] */
    TLS_PART_KEY,
    TLS_PART_PAIR,         /* they do not belong together */
    TLS_PART_OCSP,
    TLS_PART_VERSIONS,
    TLS_PART_SUITES,
    TLS_PART_GROUPS,
    TLS_PART_CLIENT_ROOTS,
    TLS_PART_CLIENT_CRLS,
    TLS_PART_ROOTS,        /* of a TlsClientPlan */
    TLS_PART_NAME,
    TLS_PART_MEMORY
} TlsPart;

typedef struct TlsMistake {
    TlsPart part;
    size_t index;
} TlsMistake;

/* ERR_SYNTAX: *ret_mistake says which part, `why` (may be NULL) in words. Two servers never resume
 * each other's sessions (each has ticket keys of its own). */
MUST_USE Err tls_server_new(const TlsServerPlan *plan, TlsServer **ret, TlsMistake *ret_mistake,
                            Text *why);
TlsServer *tls_server_ref(TlsServer *s);
void tls_server_unref(TlsServer *s); /* No-op on NULL */

/* Which of the server's identities a host name (no port, any case) belongs to: the index of the
 * first pair that serves it, by its certificate's names, exact before wildcard; 0 (the default) for
 * names that no certificate has. */
size_t tls_server_identity(const TlsServer *s, Str host);

/* The keys of a server's tickets, for an equal server in another process: its sessions go on there.
 * They are secrets. ERR_SYNTAX: these are not keys; nothing has changed. */
#define TLS_TICKETS_BYTES_MAX 256u
void tls_server_save_tickets(const TlsServer *s, Text *out);
MUST_USE Err tls_server_restore_tickets(TlsServer *s, Str keys);

/* What is known of a list of revoked certificates (RFC 5280 §5), for status and diagnostics. Of one
 * authority's key and one scope the newest list counts, in whichever file it is: by its number and
 * its thisUpdate; where these disagree, both count. */
typedef enum TlsCrlState {
    TLS_CRL_COUNTS,
    TLS_CRL_OLDER,       /* a newer one counts instead */
    TLS_CRL_TWICE,       /* the same bytes are before it */
    TLS_CRL_SAME_NUMBER, /* another one has its number: the later one counts, or both of one date */
    TLS_CRL_DISAGREES,   /* by its number it is newer than another one, by its date older, or the
                          * other way round: both count */
    TLS_CRL_STRANGER     /* its authority is not at hand: it counts where a chain brings it along */
} TlsCrlState;

typedef struct TlsCrl {
    TlsCrlState state;
    bool counts; /* chains are judged by it */
    Str issuer; /* RFC 4514 text */
    Str number; /* empty: none */
    int64_t this_update; /* seconds since 1970 */
    int64_t next_update;
} TlsCrl;

/* The lists of a plan that asks clients for certificates, in their order; slices lie in the arena.
 * ERR_SYNTAX: tls_server_new would say what is wrong with them. */
MUST_USE Err tls_crls_read(const TlsServerPlan *plan, Arena *a, const TlsCrl **ret,
                           size_t *ret_count);

/* What is known of a certificate, for status and diagnostics. */
typedef struct TlsCertificate {
    int64_t not_before; /* seconds since 1970 */
    int64_t not_after;
    Str subject; /* RFC 4514 text */
    Str names;   /* DNS names, separated by commas */
} TlsCertificate;
/* The first certificate of a PEM chain; slices lie in the arena. */
MUST_USE Err tls_certificate_read(Str chain, Arena *a, TlsCertificate *ret);

/* Whether a chain and its key can be used: errors as of tls_server_new (the mistake's index is 0).
 * *ret: from when until when its first certificate holds. */
typedef struct TlsValidity {
    int64_t not_before; /* seconds since 1970 */
    int64_t not_after;
    bool has_names; /* DNS names, by which it can be chosen */
} TlsValidity;
MUST_USE Err tls_pair_try(const TlsPair *pair, CertificateCache *cache, TlsValidity *ret,
                          TlsMistake *ret_mistake, Text *why);

/* What an OCSP response is worth for the certificate that it is to be stapled to (RFC 6960): only a
 * good one is. */
typedef enum TlsStapleState {
    TLS_STAPLE_NONE, /* the certificate has none */
    TLS_STAPLE_GOOD,
    TLS_STAPLE_MALFORMED,
    TLS_STAPLE_NO_ANSWER, /* `detail` is the OCSPResponseStatus (§4.2.1) */
    TLS_STAPLE_OTHER,     /* about another certificate */
    TLS_STAPLE_NO_ISSUER, /* the authority's certificate is neither in it nor in the chain */
    TLS_STAPLE_SIGNATURE,
    TLS_STAPLE_SIGNER, /* neither the authority nor who may speak for it (§4.2.2.2) */
    TLS_STAPLE_REVOKED,
    TLS_STAPLE_UNKNOWN,
    TLS_STAPLE_CRITICAL, /* it has a critical extension */
    TLS_STAPLE_EARLY,
    TLS_STAPLE_EXPIRED
} TlsStapleState;

typedef struct TlsStaple {
    TlsStapleState state; /* but for the clock: neither early nor expired */
    unsigned detail;
    int64_t from; /* a good one: seconds since 1970 */
    int64_t until; /* from then on it is not stapled */
} TlsStaple;

/* The response of a pair; TLS_STAPLE_NONE also for a pair that cannot be used. ERR_MEMORY only. */
MUST_USE Err tls_pair_staple(const TlsPair *pair, CertificateCache *cache, TlsStaple *ret);
/* What it is at this time. */
TlsStapleState tls_staple_at(const TlsStaple *staple, int64_t now_s);
/* Why it is not stapled, as a sentence; nothing for a good one. */
void tls_staple_print(TlsStapleState state, unsigned detail, Text *out);

/* --- what is parsed once --------------------------------------------------------------------- */

/* What is known of a pair where its key is not. */
typedef struct TlsPairFacts {
    TlsValidity validity;
    TlsStaple staple;
} TlsPairFacts;
/* Tries a pair in another process. ERR_SYNTAX, and what it says, as of tls_server_new (the
 * mistake's index is 0); any other error: it cannot be tried. */
typedef Err TlsJudge(void *context, const TlsPair *pair, TlsPairFacts *ret,
                     TlsMistake *ret_mistake, Text *why);

/* A cache holds certificates with their keys, and sets of authorities, as they were parsed. Servers
 * and clients whose plans name it share what was parsed from equal bytes. It tells bytes apart by
 * fingerprints of 128 bits (its own, under a secret, or those that come with pairs), and keeps none
 * of them. It belongs to one thread, but what it gave may be used by any. */
MUST_USE Err certificate_cache_new(CertificateCache **ret);
void certificate_cache_drop(CertificateCache *cache); /* NULL: nothing */
/* From now on this process does not parse pairs itself, nor look at their bytes: it asks `judge`,
 * and knows no more of them than that. Servers and clients that it makes can be made, and not be
 * used. Their prints must come with the pairs. */
void certificate_cache_delegate(CertificateCache *cache, TlsJudge *judge, void *context);
/* What is asked for from now on stays at the next sweep; what was asked for before does not. */
void certificate_cache_turn(CertificateCache *cache);
/* Drops what is unused and has not been asked for since the last sweep. */
void certificate_cache_sweep(CertificateCache *cache);
size_t certificate_cache_count(const CertificateCache *cache);

/* --- what a connector is --------------------------------------------------------------------- */

typedef struct TlsClientPlan {
    Str name;    /* for SNI and verification: a DNS name or an IP address */
    Str roots;   /* PEM of the trusted roots */
    bool roots_of_platform; /* what rustls does not understand among them is left out */
    TlsPair own; /* shown to the origin when it asks; empty chain: none */
    bool verify; /* false: any certificate is taken */
    bool offer_h2;
    bool offer_h1;
    int key_log_fd;
    CertificateCache *cache; /* NULL: everything is parsed for this client alone */
} TlsClientPlan;

MUST_USE Err tls_client_new(const TlsClientPlan *plan, TlsClient **ret, TlsMistake *ret_mistake,
                            Text *why);
TlsClient *tls_client_ref(TlsClient *c);
void tls_client_unref(TlsClient *c);

/* --- sessions -------------------------------------------------------------------------------- */

/* Both take a reference of their own. ERR_MEMORY: the budget is spent. */
MUST_USE Err tls_accept(TlsServer *server, Budget *budget, Tls **ret);
MUST_USE Err tls_connect(TlsClient *client, Budget *budget, Tls **ret);
void tls_free(Tls *t); /* No-op on NULL */

/* Takes ciphertext that the peer sent, and decrypts it. *ret_taken may be less than raw.len while
 * plaintext waits to be read: read it, then feed the rest. ERR_SYNTAX: the session has failed
 * (tls_reason); what tls_take still gives is the alert to send. */
MUST_USE Err tls_feed(Tls *t, Str raw, size_t *ret_taken);
/* Copies plaintext out. ERR_AGAIN: there is none now; ERR_CLOSED: the peer has said that nothing
 * more will come (close_notify). */
MUST_USE Err tls_read(Tls *t, Span room, size_t *ret_read);
/* Encrypts all of the pieces; the ciphertext waits for tls_take, which the caller calls at once.
 * ERR_AGAIN: the handshake is not over (nothing was taken). */
MUST_USE Err tls_write(Tls *t, const Str *pieces, size_t count);
/* Adds close_notify to what tls_take gives. */
void tls_finish(Tls *t);

/* Gives waiting ciphertext to `sink` until there is none. The sink must take all that it is given
 * (sends it, and keeps the rest); it returns an error to stop, which tls_take passes on (then some
 * ciphertext is lost and the session is broken). */
typedef Err TlsSink(void *context, const Str *pieces, size_t count);
#define TLS_SINK_PIECES_MAX 16u
bool tls_has_output(const Tls *t);
MUST_USE Err tls_take(Tls *t, TlsSink *sink, void *context);

typedef enum TlsState { TLS_HANDSHAKING, TLS_OPEN, TLS_FAILED } TlsState;
TlsState tls_state(const Tls *t);

typedef enum TlsAlpn { TLS_ALPN_NONE, TLS_ALPN_H1, TLS_ALPN_H2 } TlsAlpn;

/* What the handshake agreed on; valid once it is open. Slices live as long as the session. */
typedef struct TlsInfo {
    TlsAlpn alpn;
    Str version;  /* "TLSv1.3" */
    Str suite;    /* "TLS_AES_128_GCM_SHA256" */
    Str group;    /* "X25519MLKEM768"; empty where it is not known */
    Str sni;      /* that the client asked for; empty: none */
    size_t identity; /* server: tls_server_identity of the SNI */
    Str subject;  /* of the verified client certificate (RFC 4514, UTF-8); empty: none */
    Str names;    /* its subject alternative names ("DNS:a.example,URI:spiffe://a"), ASCII */
    bool resumed;
} TlsInfo;
void tls_info(const Tls *t, TlsInfo *ret);
/* The certificates that a client has shown and that were verified, as DER, its own first, also
 * where the session is resumed; empty after the last one. They live as long as the session. */
Str tls_peer_certificate(const Tls *t, size_t index);
/* The SHA-256 of a certificate. */
#define TLS_FINGERPRINT_BYTES 32u
void tls_fingerprint(Str der, Span out);
/* The server that accepted the session (borrowed); NULL for a client's session. */
const TlsServer *tls_server_of(const Tls *t);

/* Why a handshake (or session) failed: rows for transport/fault.h. */
typedef enum TlsReason {
    TLS_REASON_NONE,
    TLS_REASON_PLAINTEXT,    /* the first byte is that of no TLS record */
    TLS_REASON_VERSION,      /* no common protocol version */
    TLS_REASON_SUITE,        /* no cipher suite, group or signature scheme in common */
    TLS_REASON_ALPN,         /* no common protocol */
    TLS_REASON_NO_CERTIFICATE, /* the peer showed none, and had to */
    TLS_REASON_CERTIFICATE,  /* the peer's is not valid: untrusted, expired, revoked */
    TLS_REASON_NAME,         /* the origin's certificate is for other names */
    TLS_REASON_ALERT,        /* the peer ended it with an alert */
    TLS_REASON_PROTOCOL      /* anything else that breaks the protocol */
} TlsReason;
TlsReason tls_reason(const Tls *t);
/* The library's own words ("InvalidCertificate(Expired)"), for the error log. */
void tls_reason_print(const Tls *t, Text *out);

/* Whether the peer, an origin, may still refuse the certificate that River may have shown: in TLS
 * 1.3 its answer to that comes when the handshake is over for River (RFC 8446 §4.4). False once it
 * has sent data. */
bool tls_awaits_verdict(const Tls *t);
/* Whether it has done so, with an alert before its first data. Nothing that was sent has been
 * looked at then, since the handshake was not over for the origin. */
bool tls_is_refused(const Tls *t);

/* Calls `report` with the server name of each client that asks for one that is no DNS name (it is
 * served as one that asks for none), cut to 100 bytes. The name comes from the client's first
 * bytes: where they are not a whole record it is not reported. Once, before there are threads. */
void tls_report_odd_names(void (*report)(Str name));

#endif
