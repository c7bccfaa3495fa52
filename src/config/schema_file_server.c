/* schema_file_server.c - `file-server`, of a service or of a route. */
#include "config/schema.h"

static const SchemaNode file_children[] = {
    OPTION("base-path", SCHEMA_REQUIRED, "the directory whose files are served",
           ITEM_VALUE("\"DIR\"", FILE, 0, "/srv/www", "")),
    OPTION_BOOL("dotfiles", "false", "serve names that begin with a dot, too"),
    OPTION("index", 0, "the file that is served for its directory",
           {.name = S_INIT("\"NAME\""), .type = SCHEMA_NAME, .fallback = S_INIT("index.html")}),
    OPTION_TEXT("strip-prefix", PATH, "/static",
                "what is taken off the front of a request's path; other paths name nothing"),
};

const SchemaNode schema_file_server =
    SECTION("file-server", SCHEMA_ALTERNATIVE,
            "serve the files below a directory (instead of `connectors`)", file_children);
