/* redirect.h - a handler that sends the client to another URI. */
#ifndef FILTER_REDIRECT_H
#define FILTER_REDIRECT_H

#include "proxy/filter.h"

/* What takes the place of the request's path, or of a part of it. */
typedef enum RedirectPath {
    REDIRECT_PATH_KEPT,
    REDIRECT_PATH_REPLACED,  /* by `path` */
    REDIRECT_PREFIX_REPLACED /* the first `prefix_bytes` of it by `path` */
} RedirectPath;

/* Its state. The texts are fit for a URI: the configuration's check has seen to it. */
typedef struct Redirect {
    uint16_t status; /* 301, 302, 303, 307 or 308 */
    Str to;          /* the whole URI; the rest does not count then. Empty: */
    Str scheme;      /* "http" or "https"; empty: the request's */
    Str host;        /* with brackets where it is IPv6; empty: the request's */
    uint16_t port;   /* 0: the scheme's own, where one is given; else the request's */
    RedirectPath path_rule;
    Str path;        /* absolute; as a prefix without a slash at its end, so "/" is "" */
    size_t prefix_bytes;
    bool query;      /* the request's is kept */
} Redirect;

/* Its state is a Redirect. */
extern const FilterKind filter_redirect;

#endif
