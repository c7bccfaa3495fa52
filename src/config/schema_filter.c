/* schema_filter.c - `path-control`, `rate-limiting` and `normalization`: what happens to requests
 * and responses on their way. */
#include "config/schema.h"
#include "filter/filters.h"

static const SchemaNode request_kinds[] = {
#define FILTER(name, group) IN_##group(name)
#define IN_REQUEST(name) {.link = &filter_##name.schema},
#define IN_HEADER(name)
#define IN_BODY(name)
#define IN_LIMIT(name)
#include "filter/all.def"
#undef FILTER
#undef IN_REQUEST
#undef IN_HEADER
#undef IN_BODY
#undef IN_LIMIT
};

static const SchemaItem pattern_properties[] = {
    ITEM_VALUE("pattern", NAME, SCHEMA_REQUIRED, "^x-internal-", "unanchored, case is ignored"),
};
static const SchemaItem glob_properties[] = {
    ITEM_VALUE("pattern", NAME, SCHEMA_REQUIRED, "x-internal-*", "case is ignored"),
};
/* What is not built yet, beside the kinds of filter/all.def. */
static const SchemaNode header_kinds[] = {
    {.name = S_INIT("remove-header-key-regex"),
     .flags = SCHEMA_LATER,
     .sentence = S_INIT("removes fields whose name matches a regular expression"),
     .property_count = SCHEMA_COUNT(pattern_properties),
     .properties = pattern_properties},
    {.name = S_INIT("remove-header-key-glob"),
     .flags = SCHEMA_LATER,
     .sentence = S_INIT("removes fields whose name matches a pattern with * and ?"),
     .property_count = SCHEMA_COUNT(glob_properties),
     .properties = glob_properties},
#define FILTER(name, group) IN_##group(name)
#define IN_REQUEST(name)
#define IN_HEADER(name) {.link = &filter_##name.schema},
#define IN_BODY(name)
#define IN_LIMIT(name)
#include "filter/all.def"
#undef FILTER
#undef IN_REQUEST
#undef IN_HEADER
#undef IN_BODY
#undef IN_LIMIT
};

static const SchemaItem size_properties[] = {
    ITEM_NEEDED_NUMBER("max-bytes", 1, SCHEMA_BYTES_MAX, "1048576", "a longer body is refused"),
    ITEM_OPTIONAL_NUMBER(
        "status", 400, 599, "413",
        "the status of a refusal; 413 for a request and 502 for a response by default"),
};

static const SchemaNode body_kinds[] = {
    {.name = S_INIT("max-size"),
     .flags = SCHEMA_LATER,
     .sentence = S_INIT("refuses bodies above a size; once in a stage"),
     .property_count = SCHEMA_COUNT(size_properties),
     .properties = size_properties},
};

#define STEPS(kinds)                                                                              \
    (const SchemaNode[])                                                                           \
    {                                                                                              \
        {                                                                                          \
            .name = S_INIT("filter"), .flags = SCHEMA_REPEATED,                                    \
            .sentence = S_INIT("a step of this stage; they run in the order of the file"),         \
            .variant_key = S_INIT("kind"), .variant_count = SCHEMA_COUNT(kinds),                   \
            .variants = (kinds)                                                                    \
        }                                                                                          \
    }
#define STAGE(n, why, kinds)                                                                       \
    {                                                                                              \
        .name = S_INIT(n), .sentence = S_INIT(why), .child_count = 1, .children = STEPS(kinds)    \
    }

static const SchemaNode no_kinds[] = {
    {.name = S_INIT("filter"),
     .flags = SCHEMA_REPEATED,
     .sentence = S_INIT("a step of this stage; there is no kind of it yet"),
     .variant_key = S_INIT("kind")},
};

static const SchemaNode stages[] = {
    STAGE("request-filters", "when a request has arrived", request_kinds),
    SECTION("peer-selection", 0, "when an endpoint is chosen", no_kinds),
    STAGE("upstream-request", "before the request is sent to the origin", header_kinds),
    STAGE("upstream-response", "when the origin's answer has arrived", header_kinds),
    STAGE("response-filters", "before the answer is sent to the client", header_kinds),
    STAGE("request-body", "while the request's body passes", body_kinds),
    STAGE("response-body", "while the response's body passes", body_kinds),
};

const SchemaNode schema_path_control =
    SECTION("path-control", 0, "filters, stage by stage", stages);

#define BUCKET_PROPERTIES                                                                          \
    ITEM_NEEDED_NUMBER("tokens-per-bucket", 1, SCHEMA_COUNT_MAX, "10", "requests in a burst"),     \
        ITEM_NEEDED_NUMBER("refill-qty", 1, SCHEMA_COUNT_MAX, "1", "tokens that come back"),       \
        ITEM_NEEDED_NUMBER("refill-rate-ms", 1, SCHEMA_MS_MAX, "10", "in so many milliseconds")
#define BUCKETS_MAX                                                                                \
    ITEM_NEEDED_NUMBER("max-buckets", 1, SCHEMA_COUNT_MAX, "4000", "buckets that are remembered")
#define PATH_PATTERN                                                                               \
    ITEM_VALUE("pattern", NAME, SCHEMA_REQUIRED, "^/static/",                                      \
               "a regular expression for the path without the query, unanchored")

static const SchemaItem source_properties[] = {BUCKETS_MAX, BUCKET_PROPERTIES};
static const SchemaItem specific_properties[] = {BUCKETS_MAX, PATH_PATTERN, BUCKET_PROPERTIES};
static const SchemaItem any_properties[] = {PATH_PATTERN, BUCKET_PROPERTIES};

static const SchemaNode rule_kinds[] = {
    {.name = S_INIT("source-ip"),
     .flags = SCHEMA_LATER,
     .sentence = S_INIT("a bucket for each client address"),
     .property_count = SCHEMA_COUNT(source_properties),
     .properties = source_properties},
    {.name = S_INIT("specific-uri"),
     .flags = SCHEMA_LATER,
     .sentence = S_INIT("a bucket for each path that matches"),
     .property_count = SCHEMA_COUNT(specific_properties),
     .properties = specific_properties},
    {.name = S_INIT("any-matching-uri"),
     .flags = SCHEMA_LATER,
     .sentence = S_INIT("one bucket for all paths that match"),
     .property_count = SCHEMA_COUNT(any_properties),
     .properties = any_properties},
};

static const SchemaNode rate_children[] = {
    {.name = S_INIT("rule"),
     .flags = SCHEMA_REPEATED,
     .sentence = S_INIT("every rule that applies must grant a token, else the answer is 429"),
     .variant_key = S_INIT("kind"),
     .variant_count = SCHEMA_COUNT(rule_kinds),
     .variants = rule_kinds},
};

const SchemaNode schema_rate_limiting =
    SECTION("rate-limiting", 0, "how often clients may ask", rate_children);

static const SchemaNode normalization_children[] = {
    OPTION_BOOL("default", "true", "what holds for the switches that are not written"),
    OPTION_BOOL("dot-segments", "true", "resolve . and .., refuse to climb above the root"),
    OPTION_BOOL("duplicate-slashes", "true", "make one slash of several"),
    OPTION_BOOL("encoded-separators", "true", "refuse encoded slashes and backslashes"),
    OPTION_BOOL("control-characters", "true", "refuse control characters, also encoded ones"),
    OPTION_BOOL("percent-encoding", "true",
                "decode unreserved characters, write escapes in upper case, refuse broken ones"),
    OPTION_BOOL("host", "true",
                "answer missing, repeated and contradictory hosts with this section's status and "
                "body; they are refused in any case"),
    OPTION_BOOL("header-non-ascii", "false", "refuse field values that are not ASCII"),
    OPTION_NUMBER("status", 400, 599, "400", "the status of a refusal"),
    OPTION_TEXT("body", TEXT, "", "the body of a refusal"),
};

const SchemaNode schema_normalization =
    SECTION("normalization", 0, "one spelling for each path", normalization_children);
