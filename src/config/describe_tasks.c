/* describe_tasks.c - the tasks of the option reference, in the order of the page. */
#include "config/describe_tasks.h"

#include "config/schema.h"

const Task tasks[] = {
    {S_INIT("The process"),
     S_INIT("What River as a whole does: threads, users, signals, memory ([Running "
            "River](running.md))."),
     S_INIT("system {\n"
            "    user \"www-data\"\n"
            "    control-socket \"/run/river/control.sock\"\n"
            "    drain-timeout-ms 30000 // for open requests, after SIGTERM\n"
            "    max-connections 20000\n"
            "}\n"
            "services {\n"
            "    Site {\n"
            "        listeners {\n"
            "            \"0.0.0.0:8080\"\n"
            "        }\n"
            "        connectors {\n"
            "            \"127.0.0.1:9000\"\n"
            "        }\n"
            "    }\n"
            "}\n"),
     S_INIT("system")},
    {S_INIT("Logs"),
     S_INIT("What is written where ([Logs](logs.md))."),
     S_INIT("system {\n"
            "    log {\n"
            "        access \"stdout\" format=\"json\"\n"
            "        error \"stderr\" level=\"info\"\n"
            "    }\n"
            "}\n"
            "services {\n"
            "    Site {\n"
            "        listeners {\n"
            "            \"0.0.0.0:8080\"\n"
            "        }\n"
            "        connectors {\n"
            "            \"127.0.0.1:9000\"\n"
            "        }\n"
            "    }\n"
            "}\n"),
     S_INIT("system/log")},
    {S_INIT("Services and where clients arrive"),
     S_INIT("A service has listeners, and something that answers ([Services](services.md), "
            "[TLS](tls.md))."),
     S_INIT("services {\n"
            "    Site {\n"
            "        listeners {\n"
            "            \"0.0.0.0:80\"\n"
            "            \"0.0.0.0:443\" cert-path=\"site.pem\" key-path=\"site.key\"\n"
            "        }\n"
            "        hosts \"www.example.org\" \"*.example.org\"\n"
            "        connectors {\n"
            "            \"127.0.0.1:9000\"\n"
            "        }\n"
            "    }\n"
            "}\n"),
     S_INIT("services|"
            "services/NAME|"
            "services/NAME/listeners")},
    {S_INIT("Origins"),
     S_INIT("Where requests are sent, and how one of several is chosen "
            "([Services](services.md))."),
     S_INIT("services {\n"
            "    Site {\n"
            "        listeners {\n"
            "            \"0.0.0.0:8080\"\n"
            "        }\n"
            "        connectors {\n"
            "            load-balance {\n"
            "                selection \"RoundRobin\"\n"
            "            }\n"
            "            \"10.0.0.1:9000\" weight=2\n"
            "            \"10.0.0.2:443\" tls-sni=\"origin.example\" proto=\"h2-or-h1\"\n"
            "            \"/run/app.sock\" read-timeout-ms=30000\n"
            "        }\n"
            "    }\n"
            "}\n"),
     S_INIT("services/NAME/connectors")},
    {S_INIT("Files"),
     S_INIT("Answers from a directory ([Static files](files.md))."),
     S_INIT("services {\n"
            "    Site {\n"
            "        listeners {\n"
            "            \"0.0.0.0:8080\"\n"
            "        }\n"
            "        file-server {\n"
            "            base-path \"www\"\n"
            "        }\n"
            "    }\n"
            "}\n"),
     S_INIT("services/NAME/file-server")},
    {S_INIT("Routes"),
     S_INIT("What answers which path and method ([Routes](routes.md))."),
     S_INIT("services {\n"
            "    Site {\n"
            "        listeners {\n"
            "            \"0.0.0.0:8080\"\n"
            "        }\n"
            "        routes {\n"
            "            route \"/api\" methods=\"GET,POST\" {\n"
            "                connectors {\n"
            "                    \"127.0.0.1:9000\"\n"
            "                }\n"
            "            }\n"
            "            route \"/old\" match=\"exact\" {\n"
            "                redirect path=\"/new\"\n"
            "            }\n"
            "            route \"/\" {\n"
            "                file-server {\n"
            "                    base-path \"www\"\n"
            "                }\n"
            "            }\n"
            "        }\n"
            "    }\n"
            "}\n"),
     S_INIT("services/NAME/routes")},
    {S_INIT("Who the client is"),
     S_INIT("What origins learn of a client, and which proxies are believed ([Who the "
            "client is](forwarding.md))."),
     S_INIT("services {\n"
            "    Site {\n"
            "        listeners {\n"
            "            \"0.0.0.0:8080\"\n"
            "        }\n"
            "        request-id {\n"
            "            header \"X-Request-Id\"\n"
            "            accept false\n"
            "        }\n"
            "        client-ip {\n"
            "            trusted-proxies \"10.0.0.0/8\"\n"
            "        }\n"
            "        connectors {\n"
            "            \"127.0.0.1:9000\"\n"
            "        }\n"
            "    }\n"
            "}\n"),
     S_INIT("services/NAME/request-id|"
            "services/NAME/forwarded-headers|"
            "services/NAME/client-certificate-headers|"
            "services/NAME/client-ip")},
    {S_INIT("Limits"),
     S_INIT("Deadlines, sizes and rates ([Limits](limits.md))."),
     S_INIT("services {\n"
            "    Site {\n"
            "        listeners {\n"
            "            \"0.0.0.0:8080\"\n"
            "        }\n"
            "        overload {\n"
            "            max-concurrent-requests 1000\n"
            "            head-timeout-ms 5000\n"
            "            max-header-bytes 32768\n"
            "        }\n"
            "        connectors {\n"
            "            \"127.0.0.1:9000\"\n"
            "        }\n"
            "    }\n"
            "}\n"),
     S_INIT("services/NAME/overload")},
    {S_INIT("Filters"),
     S_INIT("What is refused or changed on the way ([Filters](filters.md), "
            "[addresses](addresses.md))."),
     S_INIT("services {\n"
            "    Site {\n"
            "        listeners {\n"
            "            \"0.0.0.0:8080\"\n"
            "        }\n"
            "        path-control {\n"
            "            request-filters {\n"
            "                filter kind=\"block-cidr-range\" addrs=\"192.0.2.0/24\"\n"
            "            }\n"
            "            upstream-request {\n"
            "                filter kind=\"upsert-header\" key=\"X-Proxy\" value=\"river\"\n"
            "            }\n"
            "            request-body {\n"
            "                filter kind=\"max-size\" max-bytes=10485760\n"
            "            }\n"
            "        }\n"
            "        connectors {\n"
            "            \"127.0.0.1:9000\"\n"
            "        }\n"
            "    }\n"
            "}\n"),
     S_INIT("services/NAME/path-control")},
    {S_INIT("Rate limiting"),
     S_INIT("How often a client may ask ([Rate limiting](rate-limiting.md))."),
     S_INIT("services {\n"
            "    Site {\n"
            "        listeners {\n"
            "            \"0.0.0.0:8080\"\n"
            "        }\n"
            "        rate-limiting {\n"
            "            // Each client: bursts of 10 requests, 1 every 100 ms on average.\n"
            "            rule kind=\"source-ip\" max-buckets=100000 tokens-per-bucket=10 \\\n"
            "                refill-qty=1 refill-rate-ms=100\n"
            "        }\n"
            "        connectors {\n"
            "            \"127.0.0.1:9000\"\n"
            "        }\n"
            "    }\n"
            "}\n"),
     S_INIT("services/NAME/rate-limiting")},
    {S_INIT("One form of paths and fields"),
     S_INIT("Which form rules, routes and origins see ([Who the client is](forwarding.md))."),
     S_INIT("services {\n"
            "    Site {\n"
            "        listeners {\n"
            "            \"0.0.0.0:8080\"\n"
            "        }\n"
            "        normalization {\n"
            "            dot-segments true\n"
            "            duplicate-slashes false\n"
            "        }\n"
            "        connectors {\n"
            "            \"127.0.0.1:9000\"\n"
            "        }\n"
            "    }\n"
            "}\n"),
     S_INIT("services/NAME/normalization")},
};
const size_t task_count = sizeof tasks / sizeof tasks[0];

/* Whether the section at `path` is the one at `top`, or below it. */
static bool is_below(Str path, Str top)
{
    return str_equal(path, top) ||
           (str_starts(path, top) && path.len > top.len && str_at(path, top.len) == '/');
}

const Task *task_of(Str path)
{
    const Task *found = &tasks[0];
    size_t longest = 0;
    for (size_t i = 0; i < task_count; i++) {
        Str paths = tasks[i].paths;
        Str top;
        while (schema_next_choice(&paths, &top)) {
            if (is_below(path, top) && top.len > longest) {
                longest = top.len;
                found = &tasks[i];
            }
        }
    }
    return found;
}
