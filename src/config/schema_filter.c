/* schema_filter.c - `path-control`, `rate-limiting` and `normalization`: what happens to requests
 * and responses on their way. */
#include "config/schema.h"
#include "filter/filters.h"

static const SchemaNode request_kinds[] = {
#define REQUEST_FILTER(name) {.link = &filter_##name.schema},
#include "filter/all.def"
};

static const SchemaNode header_kinds[] = {
#define HEADER_FILTER(name) {.link = &filter_##name.schema},
#include "filter/all.def"
};

static const SchemaNode body_kinds[] = {
#define BODY_FILTER(name) {.link = &filter_##name.schema},
#include "filter/all.def"
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
     .sentence = S_INIT("a step of this stage; there are no kinds yet"),
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

static const SchemaNode rule_kinds[] = {
#define LIMIT_RULE(name) {.link = &filter_##name.schema},
#include "filter/all.def"
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
    OPTION_BOOL("default", "true", "the default of the switches that are not written"),
    OPTION_BOOL("dot-segments", "true", "resolve . and .., refuse to climb above the root"),
    OPTION_BOOL("duplicate-slashes", "true", "make one slash of several"),
    OPTION_BOOL("encoded-separators", "true", "refuse encoded slashes and backslashes"),
    OPTION_BOOL("control-characters", "true", "refuse control characters, also encoded ones"),
    OPTION_BOOL("percent-encoding", "true",
                "decode unreserved characters, write escapes in upper case, refuse broken ones"),
    OPTION("matrix-parameters", 0,
           "what happens to `;name=value` in a path, which Tomcat and other servers of Java leave "
           "out before they look at it",
           ITEM_CHOICE("WORD", "pass|strip|reject", "", "pass", "")),
    OPTION_BOOL("host", "true",
                "answer missing, repeated and contradictory hosts with this section's status and "
                "body; they are refused in any case"),
    OPTION_BOOL("header-non-ascii", "false", "refuse field values that are not ASCII"),
    OPTION_NUMBER("status", 400, 599, "400", "the status of a refusal"),
    OPTION_TEXT("body", TEXT, "", "the body of a refusal"),
};

const SchemaNode schema_normalization =
    SECTION("normalization", 0, "one spelling for each path", normalization_children);
