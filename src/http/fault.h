/* fault.h - every way in which a message can break HTTP's rules, once.
 *
 * A row is: name, reason code (stable: it reaches the access log), sentence, and a remedy: what
 * the sender should do instead. The proxy turns a row into 400 when a client broke the rule and
 * into 502 when an origin did. */
#ifndef HTTP_FAULT_H
#define HTTP_FAULT_H

#define HTTP_FAULT_TABLE(X)                                                                        \
    X(NONE, "none", "nothing is wrong",                                                            \
      "")                                                                                          \
    X(BARE_LF, "bare-lf", "a line ends with LF alone",                                             \
      "end each line with CRLF")                                                                   \
    X(BARE_CR, "bare-cr", "CR stands where no line ends",                                          \
      "end each line with CRLF, and send CR nowhere else")                                         \
    X(CONTROL, "control-character", "a control character stands in the head",                      \
      "percent-encode control characters in targets, and leave them out of fields")                \
    X(REQUEST_LINE, "request-line", "the request line is not METHOD SP TARGET SP VERSION",         \
      "send one blank between method, target and version, and none in the target")                 \
    X(METHOD, "method", "the method is not a token",                                               \
      "send a method of letters, such as GET")                                                     \
    X(METHOD_TOO_LONG, "method-too-long", "the method is longer than any that is known",           \
      "send a method that is known")                                                               \
    X(VERSION, "version", "the version is not HTTP/1.0 or HTTP/1.1",                               \
      "speak HTTP/1.1; on a listener with TLS also HTTP/2")                                        \
    X(TARGET, "target", "the request target is not a valid URI of its form",                       \
      "percent-encode what is not allowed in a URI; a proxy takes no fragment and no user "        \
      "name")                                                                                      \
    X(STATUS_LINE, "status-line", "the status line is not VERSION SP 3DIGIT SP REASON",            \
      "send HTTP/1.1, a blank, three digits, a blank and a reason")                                \
    X(FIELD_NAME, "field-name", "a field name is empty or not a token",                            \
      "use letters, digits and hyphens in names of fields")                                        \
    X(FIELD_COLON, "field-colon", "white space stands before a field's colon, or none follows",    \
      "send the colon right after the name of the field")                                          \
    X(FIELD_VALUE, "field-value", "a field value holds a forbidden byte",                          \
      "leave NUL, CR and LF out of values")                                                        \
    X(FOLDING, "obs-fold", "a field line starts with white space",                                 \
      "send the value in one line")                                                                \
    X(HEAD_TOO_LARGE, "head-too-large", "the head is larger than the limit",                       \
      "send less in cookies and fields, or raise `max-header-bytes`")                              \
    X(TOO_MANY_FIELDS, "too-many-fields", "the head has more fields than the limit",               \
      "send fewer fields, or raise `max-headers`")                                                 \
    X(TARGET_TOO_LONG, "target-too-long", "the request target is longer than the limit",           \
      "send the data in a body, or raise `max-target-bytes`")                                      \
    X(LENGTH_INVALID, "content-length", "Content-Length is not one plain number",                  \
      "send one decimal number")                                                                   \
    X(LENGTH_CONFLICT, "content-length-conflict", "Content-Length fields differ",                  \
      "send one Content-Length")                                                                   \
    X(LENGTH_AND_CODING, "length-and-coding", "both Content-Length and Transfer-Encoding",         \
      "send one of the two: both together are how requests are smuggled")                          \
    X(CODING, "transfer-encoding", "Transfer-Encoding is not exactly chunked",                     \
      "send `Transfer-Encoding: chunked` and nothing else")                                        \
    X(CODING_IN_10, "transfer-encoding-1.0", "Transfer-Encoding in HTTP/1.0",                      \
      "speak HTTP/1.1, or send a Content-Length")                                                  \
    X(CONNECTION_TOO_LONG, "connection-too-long", "Connection holds more than 1,024 bytes",        \
      "name fewer fields in Connection")                                                           \
    X(HOST_MISSING, "host-missing", "an HTTP/1.1 request has no Host",                             \
      "send the field Host")                                                                       \
    X(HOST_REPEATED, "host-repeated", "more than one Host",                                        \
      "send one Host")                                                                             \
    X(HOST_INVALID, "host-invalid", "Host is not a valid authority",                               \
      "send a name or an address, maybe with a port")                                              \
    X(HOST_CONFLICT, "host-conflict", "Host and the target's authority differ",                    \
      "send the same host in Host and in the target")                                              \
    X(PSEUDO, "pseudo-field", "an HTTP/2 pseudo-field is missing, repeated or malformed",          \
      "send each pseudo-field once, before the other fields")                                      \
    X(CONNECTION_FIELD, "connection-field", "an HTTP/2 head names a field of one connection",      \
      "leave Connection, Transfer-Encoding and the like out of HTTP/2")                            \
    X(PROTOCOL_BROKEN, "http2-protocol", "the stream broke HTTP/2's rules",                        \
      "update the HTTP/2 library of the sender, or speak HTTP/1.1")                                \
    X(CHUNK_SIZE, "chunk-size", "a chunk size is not a plain hexadecimal number in range",         \
      "send the size in hexadecimal digits alone")                                                 \
    X(CHUNK_EXTENSION, "chunk-extension", "a chunk extension is malformed or too long",            \
      "leave chunk extensions out")                                                                \
    X(CHUNK_END, "chunk-end", "chunk data is not followed by CRLF",                                \
      "send as many bytes as the chunk's size says, and CRLF")                                     \
    X(TRAILER, "trailer", "the trailer section is malformed or too large",                         \
      "send fewer or shorter trailers")                                                            \
    X(BODY_CUT, "body-cut", "the body ended before its announced length",                          \
      "send as many bytes as announced; a sender that crashes cuts its body, too")                 \
    X(BODY_FORBIDDEN, "body-forbidden", "a body stands where the message may not have one",        \
      "send no body with this method or status")                                                   \
    X(EXTRA_BYTES, "extra-bytes", "bytes follow the end of the response",                          \
      "send as many bytes as announced, and nothing after them")

typedef enum HttpFault {
#define X(name, code, sentence, remedy) HTTP_FAULT_##name,
    HTTP_FAULT_TABLE(X)
#undef X
} HttpFault;

#endif
