/* fault.c - the words of the tables: faults, methods and status codes. */
#include "http/head.h"

Str http_fault_code(HttpFault f)
{
    static const Str codes[] = {
#define X(name, code, sentence, remedy) S_INIT(code),
        HTTP_FAULT_TABLE(X)
#undef X
    };
    return (size_t)f < sizeof codes / sizeof codes[0] ? codes[f] : S("unknown");
}

Str http_fault_sentence(HttpFault f)
{
    static const Str sentences[] = {
#define X(name, code, sentence, remedy) S_INIT(sentence),
        HTTP_FAULT_TABLE(X)
#undef X
    };
    return (size_t)f < sizeof sentences / sizeof sentences[0] ? sentences[f] : S("unknown");
}

/* Methods are case-sensitive (RFC 9110 §9.1). */
static Method method_if(Str name, Str text, Method method)
{
    return str_equal(name, text) ? method : METHOD_OTHER;
}

Method method_from(Str name)
{
    uint8_t first = name.len ? str_at(name, 0) : 0;
    switch (name.len) {
    case 3:
        return first == 'G' ? method_if(name, S("GET"), METHOD_GET)
                            : method_if(name, S("PUT"), METHOD_PUT);
    case 4:
        return first == 'P' ? method_if(name, S("POST"), METHOD_POST)
                            : method_if(name, S("HEAD"), METHOD_HEAD);
    case 5:
        return first == 'P' ? method_if(name, S("PATCH"), METHOD_PATCH)
                            : method_if(name, S("TRACE"), METHOD_TRACE);
    case 6:
        return method_if(name, S("DELETE"), METHOD_DELETE);
    case 7:
        return first == 'O' ? method_if(name, S("OPTIONS"), METHOD_OPTIONS)
                            : method_if(name, S("CONNECT"), METHOD_CONNECT);
    default:
        return METHOD_OTHER;
    }
}

bool method_is_safe(Method m)
{
    static const bool safe[] = {
        false,
#define X(name, is_safe, is_idempotent) is_safe,
        METHOD_TABLE(X)
#undef X
    };
    return (size_t)m < sizeof safe / sizeof safe[0] && safe[m];
}

bool method_is_idempotent(Method m)
{
    static const bool idempotent[] = {
        false,
#define X(name, is_safe, is_idempotent) is_idempotent,
        METHOD_TABLE(X)
#undef X
    };
    return (size_t)m < sizeof idempotent / sizeof idempotent[0] && idempotent[m];
}

/* RFC 9110 §15 and the registry (RFC 2518, 4918, 5842, 6585, 7725, 7838, 8297, 8470). */
#define STATUS_TABLE(X)                                                                            \
    X(100, "Continue")                                                                             \
    X(101, "Switching Protocols")                                                                  \
    X(102, "Processing")                                                                           \
    X(103, "Early Hints")                                                                          \
    X(200, "OK")                                                                                   \
    X(201, "Created")                                                                              \
    X(202, "Accepted")                                                                             \
    X(203, "Non-Authoritative Information")                                                        \
    X(204, "No Content")                                                                           \
    X(205, "Reset Content")                                                                        \
    X(206, "Partial Content")                                                                      \
    X(207, "Multi-Status")                                                                         \
    X(208, "Already Reported")                                                                     \
    X(226, "IM Used")                                                                              \
    X(300, "Multiple Choices")                                                                     \
    X(301, "Moved Permanently")                                                                    \
    X(302, "Found")                                                                                \
    X(303, "See Other")                                                                            \
    X(304, "Not Modified")                                                                         \
    X(305, "Use Proxy")                                                                            \
    X(307, "Temporary Redirect")                                                                   \
    X(308, "Permanent Redirect")                                                                   \
    X(400, "Bad Request")                                                                          \
    X(401, "Unauthorized")                                                                         \
    X(402, "Payment Required")                                                                     \
    X(403, "Forbidden")                                                                            \
    X(404, "Not Found")                                                                            \
    X(405, "Method Not Allowed")                                                                   \
    X(406, "Not Acceptable")                                                                       \
    X(407, "Proxy Authentication Required")                                                        \
    X(408, "Request Timeout")                                                                      \
    X(409, "Conflict")                                                                             \
    X(410, "Gone")                                                                                 \
    X(411, "Length Required")                                                                      \
    X(412, "Precondition Failed")                                                                  \
    X(413, "Content Too Large")                                                                    \
    X(414, "URI Too Long")                                                                         \
    X(415, "Unsupported Media Type")                                                               \
    X(416, "Range Not Satisfiable")                                                                \
    X(417, "Expectation Failed")                                                                   \
    X(421, "Misdirected Request")                                                                  \
    X(422, "Unprocessable Content")                                                                \
    X(423, "Locked")                                                                               \
    X(424, "Failed Dependency")                                                                    \
    X(425, "Too Early")                                                                            \
    X(426, "Upgrade Required")                                                                     \
    X(428, "Precondition Required")                                                                \
    X(429, "Too Many Requests")                                                                    \
    X(431, "Request Header Fields Too Large")                                                      \
    X(451, "Unavailable For Legal Reasons")                                                        \
    X(500, "Internal Server Error")                                                                \
    X(501, "Not Implemented")                                                                      \
    X(502, "Bad Gateway")                                                                          \
    X(503, "Service Unavailable")                                                                  \
    X(504, "Gateway Timeout")                                                                      \
    X(505, "HTTP Version Not Supported")                                                           \
    X(506, "Variant Also Negotiates")                                                              \
    X(507, "Insufficient Storage")                                                                 \
    X(508, "Loop Detected")                                                                        \
    X(511, "Network Authentication Required")

Str status_reason(unsigned status)
{
    switch (status) {
#define X(number, reason)                                                                          \
    case number:                                                                                   \
        return S(reason);
        STATUS_TABLE(X)
#undef X
    default:
        return S("Unknown");
    }
}
