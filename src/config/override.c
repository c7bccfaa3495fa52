/* override.c - the table of overrides, and which of two values wins. */
#include "config/override.h"

const OverrideInfo *override_info(OverrideId id)
{
    static const OverrideInfo table[] = {
#define X(name, variable, flag, path, sentence)                                                    \
    {S_INIT(variable), S_INIT(flag), S_INIT(path), S_INIT(sentence)},
        OVERRIDE_TABLE(X)
#undef X
    };
    return &table[id];
}

void override_from_environment(ConfigOverrides *o, OverrideId id, Str value)
{
    if (value.len != 0 && !o->of[id].from_command_line) {
        o->of[id] = (Override){.set = true, .from_command_line = false, .text = value};
    }
}

void override_from_command_line(ConfigOverrides *o, OverrideId id, Str value)
{
    o->of[id] = (Override){.set = true, .from_command_line = true, .text = value};
}

void override_print(const ConfigOverrides *o, Text *out)
{
    for (unsigned id = 0; id < OVERRIDE_COUNT; id++) {
        const OverrideInfo *info = override_info((OverrideId)id);
        const Override *value = &o->of[id];
        text_add(out, info->variable);
        if (value->set) {
            text_add(out, S("="));
            text_add(out, value->text);
        }
        text_add(out, value->set && value->from_command_line ? S("  (from the command line)\n    ")
                                                             : S("\n    "));
        text_add(out, info->sentence);
        text_add(out, S(" ("));
        text_add(out, info->path);
        if (info->flag.len != 0) {
            text_add(out, S(", "));
            text_add(out, info->flag);
        }
        text_add(out, S(")\n"));
    }
}
