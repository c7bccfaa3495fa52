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

#define DOTS "resolve . and .., refuse to climb above the root"
#define SLASHES "make one slash of several"
#define SEPARATORS "refuse encoded slashes and backslashes"
#define CONTROLS "refuse control characters, also encoded ones"
#define ESCAPES "decode unreserved characters, write escapes in upper case, refuse broken ones"
#define PARAMETERS                                                                                 \
    "what happens to `;name=value` in a path, which Tomcat and other servers of Java leave out "   \
    "before they look at it"
#define STATUS "the status of a refusal"
#define BODY "the body of a refusal"
#define PRESETS "strict|safe|as-is"

static const SchemaNode normalization_children[] = {
    OPTION_BOOL("default", "true",
                "the switches that are not written; without it the word after `normalization` "
                "says what they are"),
    OPTION_BOOL("dot-segments", "true", DOTS),
    OPTION_BOOL("duplicate-slashes", "true", SLASHES),
    OPTION_BOOL("encoded-separators", "true", SEPARATORS),
    OPTION_BOOL("control-characters", "true", CONTROLS),
    OPTION_BOOL("percent-encoding", "true", ESCAPES),
    OPTION("matrix-parameters", 0, PARAMETERS,
           ITEM_CHOICE("WORD", "pass|strip|reject", "", "pass", "")),
    OPTION_BOOL("ambiguous-paths", "false",
                "compare a path in all ways in which a server may read it, and refuse it where "
                "they lead to different routes or rules"),
    OPTION_BOOL("host", "true",
                "answer missing, repeated and contradictory hosts with this section's status and "
                "body; they are refused in any case"),
    OPTION_BOOL("header-non-ascii", "false", "refuse field values that are not ASCII"),
    OPTION_NUMBER("status", 400, 599, "400", STATUS),
    OPTION_TEXT("body", TEXT, "", BODY),
};

const SchemaNode schema_normalization = {
    .name = S_INIT("normalization"),
    .sentence = S_INIT("one spelling for each path"),
    .argument_count = 1,
    .arguments =
        (const SchemaItem[]){{.name = S_INIT("WORD"),
                              .type = SCHEMA_CHOICE,
                              .flags = SCHEMA_OPTIONAL,
                              .choices = S_INIT(PRESETS),
                              .fallback = S_INIT("strict"),
                              .sentence = S_INIT("what the switches are that are not written")}},
    .child_count = SCHEMA_COUNT(normalization_children),
    .children = normalization_children,
};

/* A switch that is not written is the service's. */
#define SWITCH(n, why) OPTION(n, 0, why, ITEM_VALUE("BOOL", BOOL, 0, "true", ""))

static const SchemaNode route_normalization_children[] = {
    SWITCH("default", "the switches that are not written"),
    SWITCH("dot-segments", DOTS),
    SWITCH("duplicate-slashes", SLASHES),
    SWITCH("encoded-separators", SEPARATORS),
    SWITCH("control-characters", CONTROLS),
    SWITCH("percent-encoding", ESCAPES),
    OPTION("matrix-parameters", 0, PARAMETERS,
           ITEM_CHOICE("WORD", "pass|strip|reject", "", "", "")),
    OPTION("status", 0, STATUS, ITEM_OPTIONAL_NUMBER("N", 400, 599, "400", "")),
    OPTION_TEXT("body", TEXT, "", BODY),
};

const SchemaNode schema_route_normalization = {
    .name = S_INIT("normalization"),
    .sentence = S_INIT("the same for this route; what is not written is as in the service"),
    .argument_count = 1,
    .arguments =
        (const SchemaItem[]){{.name = S_INIT("WORD"),
                              .type = SCHEMA_CHOICE,
                              .flags = SCHEMA_OPTIONAL,
                              .choices = S_INIT(PRESETS),
                              .sentence = S_INIT("what the switches are that are not written")}},
    .child_count = SCHEMA_COUNT(route_normalization_children),
    .children = route_normalization_children,
};
