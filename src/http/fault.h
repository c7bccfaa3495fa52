/* fault.h - every way in which a message can break HTTP's rules, once.
 *
 * A row is: name, reason code (stable: it reaches the access log), sentence. The proxy turns a row
 * into 400 when a client broke the rule and into 502 when an origin did. */
#ifndef HTTP_FAULT_H
#define HTTP_FAULT_H

#define HTTP_FAULT_TABLE(X)                                                                        \
    X(NONE, "none", "nothing is wrong")                                                            \
    X(BARE_LF, "bare-lf", "a line ends with LF alone")                                             \
    X(BARE_CR, "bare-cr", "CR stands where no line ends")                                          \
    X(CONTROL, "control-character", "a control character stands in the head")                      \
    X(REQUEST_LINE, "request-line", "the request line is not METHOD SP TARGET SP VERSION")         \
    X(METHOD, "method", "the method is not a token")                                               \
    X(METHOD_TOO_LONG, "method-too-long", "the method is longer than any that is known")           \
    X(VERSION, "version", "the version is not HTTP/1.0 or HTTP/1.1")                               \
    X(TARGET, "target", "the request target is not a valid URI of its form")                       \
    X(STATUS_LINE, "status-line", "the status line is not VERSION SP 3DIGIT SP REASON")            \
    X(FIELD_NAME, "field-name", "a field name is empty or not a token")                            \
    X(FIELD_COLON, "field-colon", "white space stands before a field's colon, or none follows")    \
    X(FIELD_VALUE, "field-value", "a field value holds a forbidden byte")                          \
    X(FOLDING, "obs-fold", "a field line starts with white space")                                 \
    X(HEAD_TOO_LARGE, "head-too-large", "the head is larger than the limit")                       \
    X(TOO_MANY_FIELDS, "too-many-fields", "the head has more fields than the limit")               \
    X(TARGET_TOO_LONG, "target-too-long", "the request target is longer than the limit")           \
    X(LENGTH_INVALID, "content-length", "Content-Length is not one plain number")                  \
    X(LENGTH_CONFLICT, "content-length-conflict", "Content-Length fields differ")                  \
    X(LENGTH_AND_CODING, "length-and-coding", "both Content-Length and Transfer-Encoding")         \
    X(CODING, "transfer-encoding", "Transfer-Encoding is not exactly chunked")                     \
    X(CODING_IN_10, "transfer-encoding-1.0", "Transfer-Encoding in HTTP/1.0")                      \
    X(CONNECTION_TOO_LONG, "connection-too-long", "Connection holds more than 1,024 bytes")        \
    X(HOST_MISSING, "host-missing", "an HTTP/1.1 request has no Host")                             \
    X(HOST_REPEATED, "host-repeated", "more than one Host")                                        \
    X(HOST_INVALID, "host-invalid", "Host is not a valid authority")                               \
    X(HOST_CONFLICT, "host-conflict", "Host and the target's authority differ")                    \
    X(PSEUDO, "pseudo-field", "an HTTP/2 pseudo-field is missing, repeated or malformed")          \
    X(CONNECTION_FIELD, "connection-field", "an HTTP/2 head names a field of one connection")      \
    X(PROTOCOL_BROKEN, "http2-protocol", "the stream broke HTTP/2's rules")                        \
    X(CHUNK_SIZE, "chunk-size", "a chunk size is not a plain hexadecimal number in range")         \
    X(CHUNK_EXTENSION, "chunk-extension", "a chunk extension is malformed or too long")            \
    X(CHUNK_END, "chunk-end", "chunk data is not followed by CRLF")                                \
    X(TRAILER, "trailer", "the trailer section is malformed or too large")                         \
    X(BODY_CUT, "body-cut", "the body ended before its announced length")                          \
    X(BODY_FORBIDDEN, "body-forbidden", "a body stands where the message may not have one")        \
    X(EXTRA_BYTES, "extra-bytes", "bytes follow the end of the response")

typedef enum HttpFault {
#define X(name, code, sentence) HTTP_FAULT_##name,
    HTTP_FAULT_TABLE(X)
#undef X
} HttpFault;

#endif
