/* schema_file_server.c - `file-server`, of a service or of a route. */
#include "config/schema.h"

static const SchemaItem fallback_properties[] = {
    ITEM_BOOL("assets", "true",
              "false: a name with the extension of a known media type other than HTML stays a 404"),
};

static const SchemaNode file_children[] = {
    OPTION("base-path", SCHEMA_REQUIRED, "the directory whose files are served",
           ITEM_VALUE("\"DIR\"", FILE, 0, "/srv/www", "")),
    OPTION_BOOL("dotfiles", "false", "serve names that begin with a dot, too"),
    OPTION("index", 0, "the file that is served for its directory",
           {.name = S_INIT("\"NAME\""), .type = SCHEMA_NAME, .fallback = S_INIT("index.html")}),
    OPTION_TEXT("strip-prefix", PATH, "/static",
                "what is taken off the front of a request's path; other paths name nothing"),
    {.name = S_INIT("fallback"),
     .sentence = S_INIT("the file that answers paths which name nothing: for applications whose "
                        "pages are made in the browser"),
     .argument_count = 1,
     .arguments = (const SchemaItem[]){ITEM_VALUE("\"PATH\"", PATH, 0, "/index.html", "")},
     .property_count = SCHEMA_COUNT(fallback_properties),
     .properties = fallback_properties},
};

const SchemaNode schema_file_server =
    SECTION("file-server", SCHEMA_ALTERNATIVE,
            "serve the files below a directory (instead of `connectors`)", file_children);
