/* tls_hello.h - the name that a client asks for, read from its ClientHello: for the log, since
 * rustls does not say which name it took for none. Pure. */
#ifndef NET_TLS_HELLO_H
#define NET_TLS_HELLO_H

#include "base/str.h"

/* The host name in a ClientHello whose record begins `bytes` (RFC 8446 §4.1.2, RFC 6066 §3). Empty:
 * there is none, or the record is not whole. */
Str tls_hello_name(Str bytes);
/* Whether rustls takes the name for that of a host, or for an IPv4 address. */
bool tls_hello_is_dns(Str name);

#endif
