/* describe.h - the schema as text for people: a commented configuration, and the manual's. */
#ifndef CONFIG_DESCRIBE_H
#define CONFIG_DESCRIBE_H

#include "base/text.h"

/* A KDL 1 document with every option and its default, each explained. It loads. */
void describe_defaults(Text *out);
/* The sections and options whose path ends with `wanted`, written like that; they do not load by
 * themselves. False: there is none. */
bool describe_defaults_of(Text *out, Str wanted);
/* The option reference in Markdown. */
void describe_reference(Text *out);
/* The manual's page on reason codes. */
void describe_reasons_page(Text *out);
/* Each reason code, or only `code` if that is not empty: status, meaning, remedy. False: no such
 * code exists. */
bool describe_reasons(Text *out, Str code);

#endif
