/* access.h - the access record: what is known of a finished request, and its three formats.
 *
 * The exchange fills a record in FINISH and passes access_print's line to the log. Pure: no clock,
 * no descriptors. Nothing here trusts bytes sent by peers; loop/quote.h escapes them. */
#ifndef PROXY_ACCESS_H
#define PROXY_ACCESS_H

#include "base/ip.h"
#include "base/text.h"

typedef enum AccessStyle {
    ACCESS_STYLE_JSON,
    ACCESS_STYLE_LOGFMT,
    ACCESS_STYLE_COMBINED /* the "combined" format of web servers */
} AccessStyle;

/* All slices are borrowed, and may be empty if unknown. */
typedef struct AccessRecord {
    uint64_t time_us; /* since 1970, when the request's first byte arrived */
    Str request_id;
    IpAddress client; /* family 0: a Unix peer */
    uint16_t client_port; /* 0: unknown */
    Str service;
    Str route; /* path of the route; empty: the service has no routes, or none matched */
    Str host;
    Str method;
    Str target;
    uint8_t major; /* of HTTP: 1 or 2 */
    uint8_t minor; /* HTTP/1.minor */
    Str tls_version; /* "TLSv1.3"; empty: plain */
    Str tls_suite;
    Str tls_subject; /* of the verified client certificate */
    Str referer;
    Str user_agent;
    uint16_t status; /* 0: the client got no answer */
    Str reason;      /* reason code of the fault that ended it; empty: none */
    Str retried;     /* reason code of the last fault that caused a retry; empty: none */
    uint64_t bytes_in;       /* from the client: head and body */
    uint64_t bytes_out;      /* to the client: heads and body */
    uint64_t body_bytes_out; /* ... of which body */
    Str upstream;            /* the last endpoint tried; empty: none */
    uint32_t attempts;       /* upstream attempts */
    uint64_t total_us;       /* from the first byte to the last */
    uint64_t connect_us;     /* waiting for an upstream connection, over all attempts */
    uint64_t first_byte_us;  /* from the start to the first byte of the answer's head, the origin's
                              * or River's own; 0: none */
} AccessRecord;

/* Upper bound of a line: long values are truncated, and end in "...". */
#define ACCESS_LINE_BYTES_MAX 8000u

/* Prints the record as one line, without the line end. */
void access_print(Text *t, AccessStyle style, const AccessRecord *record);

#endif
