/* describe.h - the schema as text for people: a commented configuration, and the manual's. */
#ifndef CONFIG_DESCRIBE_H
#define CONFIG_DESCRIBE_H

#include "base/text.h"

/* A KDL 1 document with every option and its default, each explained. It loads. */
void describe_defaults(Text *out);
/* The option reference in Markdown. */
void describe_reference(Text *out);

#endif
