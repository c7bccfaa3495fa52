/* fill_normalization.c - `normalization` of a service and of a route: what is written there, else
 * what its `default` says, else its preset, else (in a route) what the service has. */
#include "config/fill.h"

/* What the words choose. */
static const NormalizationSettings presets[] = {
    /* strict */ {.dot_segments = true,
                  .duplicate_slashes = true,
                  .encoded_separators = true,
                  .control_characters = true,
                  .percent_encoding = true},
    /* safe: only what RFC 3986 §6.2.2 says does not change the meaning */
    {.dot_segments = true,
     .control_characters = true,
     .percent_encoding = true,
     .ambiguous_paths = true},
    /* as-is */ {.control_characters = true, .ambiguous_paths = true},
};

static bool is_written(Section s, Str name)
{
    return section_child(s, name).node != NULL;
}

static bool fill_switch(Section s, Str name, bool otherwise)
{
    if (is_written(s, name)) {
        return section_bool(s, name);
    }
    return is_written(s, S("default")) ? section_bool(s, S("default")) : otherwise;
}

/* The five switches. */
static void fill_switches(Section s, const NormalizationSettings *otherwise,
                          NormalizationSettings *ret)
{
    ret->dot_segments = fill_switch(s, S("dot-segments"), otherwise->dot_segments);
    ret->duplicate_slashes = fill_switch(s, S("duplicate-slashes"), otherwise->duplicate_slashes);
    ret->encoded_separators =
        fill_switch(s, S("encoded-separators"), otherwise->encoded_separators);
    ret->control_characters =
        fill_switch(s, S("control-characters"), otherwise->control_characters);
    ret->percent_encoding = fill_switch(s, S("percent-encoding"), otherwise->percent_encoding);
}

NormalizationSettings fill_normalization(Section s)
{
    const NormalizationSettings *preset = &presets[option_choice(section_value(s))];
    NormalizationSettings n = {
        .matrix = (MatrixRule)option_choice(section_option(s, S("matrix-parameters"))),
        .ambiguous_paths = is_written(s, S("ambiguous-paths"))
                               ? section_bool(s, S("ambiguous-paths"))
                               : preset->ambiguous_paths,
        .host = fill_switch(s, S("host"), true),
        .header_non_ascii = section_bool(s, S("header-non-ascii")), /* only where it is written */
        .status = (uint16_t)section_number(s, S("status")),
        .body = section_text(s, S("body")),
    };
    fill_switches(s, preset, &n);
    return n;
}

NormalizationSettings fill_route_normalization(Section s, const NormalizationSettings *service)
{
    Option preset = section_value(s);
    NormalizationSettings n = *service;
    fill_switches(s, preset.entry ? &presets[option_choice(preset)] : service, &n);
    n.ambiguous_paths = false; /* the service's rules say so; see proxy/path.h */
    n.header_non_ascii = false;
    if (is_written(s, S("matrix-parameters"))) {
        n.matrix = (MatrixRule)option_choice(section_option(s, S("matrix-parameters")));
    } else if (preset.entry) {
        n.matrix = MATRIX_PASS;
    }
    if (is_written(s, S("status"))) {
        n.status = (uint16_t)section_number(s, S("status"));
    }
    if (is_written(s, S("body"))) {
        n.body = section_text(s, S("body"));
    }
    return n;
}
