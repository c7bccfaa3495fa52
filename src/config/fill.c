/* fill.c - Settings of the system and the list of services. */
#include "config/fill.h"

#include "config/check.h"

static LogPlace place_from(Str text)
{
    static const struct {
        Str word;
        LogPlace place;
    } words[] = {{S_INIT("off"), LOG_PLACE_OFF},
                 {S_INIT("stdout"), LOG_PLACE_STDOUT},
                 {S_INIT("stderr"), LOG_PLACE_STDERR}};
    for (size_t i = 0; i < SCHEMA_COUNT(words); i++) {
        if (str_equal(text, words[i].word)) {
            return words[i].place;
        }
    }
    return LOG_PLACE_FILE;
}

static LogSettings fill_log(Section log)
{
    Section access = section_child(log, S("access"));
    Section error = section_child(log, S("error"));
    LogSettings s = {
        .access = place_from(option_text(section_value(access))),
        .access_format = (AccessFormat)option_choice(section_property(access, S("format"))),
        .error = place_from(option_text(section_value(error))),
        .error_level = (ErrorLevel)option_choice(section_property(error, S("level"))),
    };
    s.access_path = s.access == LOG_PLACE_FILE ? option_text(section_value(access)) : STR_NONE;
    s.error_path = s.error == LOG_PLACE_FILE ? option_text(section_value(error)) : STR_NONE;
    return s;
}

static SystemSettings fill_system(Section system)
{
    return (SystemSettings){
        .threads = (uint32_t)section_number(system, S("threads-per-service")),
        .daemonize = section_bool(system, S("daemonize")),
        .pid_file = section_text(system, S("pid-file")),
        .upgrade_socket = section_text(system, S("upgrade-socket")),
        .control_socket = section_text(system, S("control-socket")),
        .sandbox = section_bool(system, S("sandbox")),
        .watch = section_bool(system, S("watch")),
        .drain_timeout_ms = section_number(system, S("drain-timeout-ms")),
        .connections_max = section_number(system, S("max-connections")),
        .idle_upstreams_max = section_number(system, S("max-idle-upstream-connections")),
        .buffer_memory_bytes = section_number(system, S("buffer-memory-bytes")),
        .log = fill_log(section_child(system, S("log"))),
    };
}

uint64_t config_memory_bytes(const SystemSettings *system)
{
    return system->buffer_memory_bytes ? system->buffer_memory_bytes : memory_of_machine() / 4;
}

/* The service as the base has it, or as its node says. */
static Err take_service(Filler *f, const KdlNode *node, uint32_t index, const ServiceSettings **ret)
{
    *ret = fill_find_again(f, node);
    if (*ret) {
        return fill_again(f, node, index, *ret);
    }
    Section section = {.schema = &schema_service, .node = node};
    ServiceSettings *fresh = arena_new(f->arena, ServiceSettings);
    *ret = fresh;
    return fresh ? fill_service(f, section, index, fresh) : ERR_MEMORY;
}

Err fill_settings(Arena *a, Str text, const KdlDocument *document, Checker *checker,
                  const ConfigOptions *options, const Assembly *assembly, const Settings **ret)
{
    Filler f = {.arena = a,
                .checker = checker,
                .files = options->files,
                .cache = options->cache,
                .renew = options->renew,
                .base = options->base,
                .latest = options->latest ? options->latest : options->base,
                .valid_until = options->base ? options->base->valid_until : INT64_MAX,
                .toml = options->format == CONFIG_TOML,
                .text = text,
                .assembly = assembly};
    KdlNode document_node = {.children = document->nodes};
    Section root = {.schema = &schema_root, .node = &document_node};
    Section services = section_child(root, S("services"));
    size_t count = 0;
    size_t listeners = 0;
    for (const KdlNode *n = services.node->children; n; n = n->next) {
        count++;
        listeners += fill_count(node_find(n->children, S("listeners")));
    }
    Settings *settings = arena_new(a, Settings);
    const ServiceSettings **list =
        (const ServiceSettings **)arena_alloc_array(a, count, sizeof *list);
    if (!settings || !list) {
        return ERR_MEMORY;
    }
    settings->system = fill_system(section_child(root, S("system")));
    fill_account(&f, section_child(root, S("system")), &settings->system.account);
    f.memory_bytes_max = config_memory_bytes(&settings->system);
    settings->service_count = count;
    settings->services = list;
    fill_usual(&f.usual);
    TRY(fill_files_open(&f, document->nodes));
    fill_platform_open(&f);
    TRY(fill_listeners_open(&f, listeners));
    uint32_t i = 0;
    for (const KdlNode *n = services.node->children; n; n = n->next, i++) {
        TRY(take_service(&f, n, i, &list[i]));
    }
    TRY(fill_listeners_close(&f, settings));
    TRY(fill_roots(&f, settings));
    TRY(fill_files(&f, settings));
    fill_platform(&f, settings);
    settings->document = document;
    settings->assembly = assembly;
    settings->valid_until = f.valid_until;
    settings->silent = checker->diagnostics->count == 0;
    settings->base = options->base;
    settings->system_source = fill_source(&f, section_child(root, S("system")).node);
    *ret = settings;
    return ERR_OK;
}
