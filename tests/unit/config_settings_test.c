/* config_settings_test.c - what a valid configuration becomes: values, defaults, overrides. */
#include "config_support.h"

static const ServiceSettings *only_service(const Loaded *l)
{
    EXPECT_STR(str_from_c(err_sentence(l->err)), S("no error"));
    return l->settings ? l->settings->services[0] : NULL;
}

TEST("config: the smallest file loads, and every default is filled in")
{
    Loaded l;
    load(&l, S(MINIMAL));
    const ServiceSettings *s = only_service(&l);
    if (s) {
        const ConnectorSettings *c = &s->action.cluster.connectors[0];
        const OverloadSettings *o = &s->overload;
        EXPECT_U64(l.settings->service_count, 1);
        EXPECT_STR(s->name, S("A"));
        EXPECT(s->action.kind == ACTION_PROXY);
        EXPECT_U64(l.settings->listener_count, 1);
        EXPECT_STR(l.settings->listeners[0].address.text, S("127.0.0.1:80"));
        EXPECT_U64(l.settings->listeners[0].address.port, 80);
        EXPECT_U64(l.settings->listeners[0].mode, 0);
        EXPECT_U64(s->action.cluster.connector_count, 1);
        EXPECT(str_equal(s->action.cluster.selection, S("RoundRobin")));
        EXPECT_STR(c->address.text, S("127.0.0.1:81"));
        EXPECT_U64(c->weight, 1);
        EXPECT_U64(c->connection_timeout_ms, 5000);
        EXPECT_U64(c->total_connection_timeout_ms, 0);
        EXPECT_U64(c->read_timeout_ms, 60000);
        EXPECT_U64(c->write_timeout_ms, 60000);
        EXPECT_U64(c->idle_timeout_ms, 60000);
        EXPECT_U64(c->connections_max, 0);
        EXPECT_U64(s->host.len, 0);
        EXPECT_U64(s->upgrade_count, 1);
        EXPECT_STR(s->upgrades[0], S("websocket"));
        EXPECT_U64(s->tries_max, 3);
        EXPECT_U64(s->retry_buffer_bytes, 65536);
        EXPECT_U64(s->tunnel_idle_timeout_ms, 600000);
        EXPECT_STR(s->request_id.header, S("x-request-id"));
        EXPECT(s->request_id.accept);
        EXPECT(s->forwarded.x_forwarded_for && s->forwarded.x_forwarded_proto);
        EXPECT(s->forwarded.x_forwarded_host);
        EXPECT(!s->forwarded.x_real_ip && !s->forwarded.forwarded);
        EXPECT_U64(s->trusted_count, 0);
        EXPECT_U64(o->concurrent_requests_max, 0);
        EXPECT_U64(o->fields_max, 100);
        EXPECT_U64(o->head_bytes_max, 65536);
        EXPECT_U64(o->target_bytes_max, 16384);
        EXPECT(!o->fields_set && !o->head_set && !o->target_set);
        EXPECT_U64(o->head_timeout_ms, 10000);
        EXPECT_U64(o->keep_alive_timeout_ms, 75000);
        EXPECT_U64(o->read_timeout_ms, 60000);
        EXPECT_U64(o->write_timeout_ms, 60000);
        EXPECT_U64(o->drain_timeout_ms, 5000);
        EXPECT_U64(o->min_send_rate_bytes, 100);
        EXPECT_U64(o->min_receive_rate_bytes, 100);
        EXPECT_U64(o->status, 503);
        EXPECT_U64(o->body.len, 0);
    }
    EXPECT_U64(l.d->count, 0);
    loaded_close(&l);
}

TEST("config: the system's defaults are filled in")
{
    Loaded l;
    load(&l, S(MINIMAL));
    if (only_service(&l)) {
        const SystemSettings *s = &l.settings->system;
        EXPECT_U64(s->threads, 0);
        EXPECT(!s->daemonize);
        EXPECT_U64(s->pid_file.len + s->upgrade_socket.len + s->control_socket.len, 0);
        EXPECT_U64(s->drain_timeout_ms, 300000);
        EXPECT_U64(s->connections_max, 0);
        EXPECT_U64(s->idle_upstreams_max, 65536);
        EXPECT_U64(s->buffer_memory_bytes, 0);
        EXPECT(s->log.access == LOG_PLACE_OFF && s->log.access_format == ACCESS_JSON);
        EXPECT(s->log.error == LOG_PLACE_STDERR && s->log.error_level == ERROR_LEVEL_INFO);
        EXPECT_U64(s->log.access_path.len + s->log.error_path.len, 0);
    }
    loaded_close(&l);
}

static const char full_text[] =
    "system {\n"
    "    threads-per-service 3\n"
    "    daemonize true\n"
    "    pid-file \"/run/r.pid\"; upgrade-socket \"/run/u\"; control-socket \"/run/c\"\n"
    "    drain-timeout-ms 7; max-connections 8; max-idle-upstream-connections 9\n"
    "    buffer-memory-bytes 10; sandbox false\n"
    "    log { access \"/var/a.log\" format=\"combined\"; error \"/var/e.log\" level=\"debug\" }\n"
    "}\n"
    "services {\n"
    "    \"the proxy\" {\n"
    "        listeners { \"[::]:80\"; \"/run/x.sock\" mode=\"0660\"; \"[::ffff:1.2.3.4]:5\" }\n"
    "        connectors {\n"
    "            load-balance { selection \"Random\"; discovery \"Static\"\n"
    "                health-check \"None\" }\n"
    "            \"10.0.0.1:1\" weight=65535 connection-timeout-ms=1 read-timeout-ms=3 \\\n"
    "                total-connection-timeout-ms=2 write-timeout-ms=4 idle-timeout-ms=5 \\\n"
    "                max-connections=6 proto=\"h1-only\"\n"
    "            \"/run/o.sock\"\n"
    "            \"10.0.0.1:1\" weight=2\n"
    "        }\n"
    "        host \"o.example:81\"\n"
    "        upgrade-protocols \"WebSocket\" \"Chat\"\n"
    "        retries 0; retry-buffer-bytes 0; tunnel-idle-timeout-ms 11\n"
    "        request-id { header \"X-ID\"; accept false }\n"
    "        forwarded-headers { x-forwarded-for false; x-forwarded-proto false\n"
    "            x-forwarded-host false; x-real-ip true; forwarded true }\n"
    "        client-ip { trusted-proxies \"10.0.0.0/8, ::1\"; header \"X-Forwarded-For\" }\n"
    "        overload { max-concurrent-requests 1; max-headers 256; max-header-bytes 131072\n"
    "            max-target-bytes 65536; head-timeout-ms 2; keep-alive-timeout-ms 3\n"
    "            read-timeout-ms 4; write-timeout-ms 5; drain-timeout-ms 6\n"
    "            min-send-rate-bytes 7; min-receive-rate-bytes 8; status 429; body \"later\" }\n"
    "    }\n"
    "    answer { listeners { \"127.0.0.1:1\" }\n"
    "        respond status=404 body=\"no\\n\" content-type=\"text/html\" }\n"
    "}\n";

static void expect_full_system(const SystemSettings *s)
{
    EXPECT_U64(s->threads, 3);
    EXPECT(s->daemonize);
    EXPECT_STR(s->pid_file, S("/run/r.pid"));
    EXPECT_STR(s->upgrade_socket, S("/run/u"));
    EXPECT_STR(s->control_socket, S("/run/c"));
    EXPECT_U64(s->drain_timeout_ms, 7);
    EXPECT_U64(s->connections_max, 8);
    EXPECT_U64(s->idle_upstreams_max, 9);
    EXPECT_U64(s->buffer_memory_bytes, 10);
    EXPECT(s->log.access == LOG_PLACE_FILE && s->log.access_format == ACCESS_COMBINED);
    EXPECT_STR(s->log.access_path, S("/var/a.log"));
    EXPECT(s->log.error == LOG_PLACE_FILE && s->log.error_level == ERROR_LEVEL_DEBUG);
    EXPECT_STR(s->log.error_path, S("/var/e.log"));
}

static void expect_full_cluster(const ClusterSettings *cluster)
{
    const ConnectorSettings *c = &cluster->connectors[0];
    EXPECT(str_equal(cluster->selection, S("Random")));
    EXPECT_U64(cluster->connector_count, 2); /* the third is the first again */
    EXPECT_U64(c->weight, 65535);
    EXPECT_U64(c->connection_timeout_ms, 1);
    EXPECT_U64(c->total_connection_timeout_ms, 2);
    EXPECT_U64(c->read_timeout_ms, 3);
    EXPECT_U64(c->write_timeout_ms, 4);
    EXPECT_U64(c->idle_timeout_ms, 5);
    EXPECT_U64(c->connections_max, 6);
    EXPECT_STR(cluster->connectors[1].address.unix_path, S("/run/o.sock"));
    EXPECT_STR(cluster->connectors[1].address.text, S("/run/o.sock"));
}

static void expect_full_overload(const OverloadSettings *o)
{
    EXPECT_U64(o->concurrent_requests_max, 1);
    EXPECT_U64(o->fields_max, 256);
    EXPECT_U64(o->head_bytes_max, 131072);
    EXPECT_U64(o->target_bytes_max, 65536);
    EXPECT(o->fields_set && o->head_set && o->target_set);
    EXPECT_U64(o->head_timeout_ms, 2);
    EXPECT_U64(o->keep_alive_timeout_ms, 3);
    EXPECT_U64(o->read_timeout_ms, 4);
    EXPECT_U64(o->write_timeout_ms, 5);
    EXPECT_U64(o->drain_timeout_ms, 6);
    EXPECT_U64(o->min_send_rate_bytes, 7);
    EXPECT_U64(o->min_receive_rate_bytes, 8);
    EXPECT_U64(o->status, 429);
    EXPECT_STR(o->body, S("later"));
}

TEST("config: every option that is supported is read into its setting")
{
    Loaded l;
    load(&l, S(full_text));
    EXPECT_STR(str_take(shown(&l), 40), S("river.kdl:19:13: warning: this endpoint "));
    const ServiceSettings *s = only_service(&l);
    if (s) {
        expect_full_system(&l.settings->system);
        expect_full_cluster(&s->action.cluster);
        expect_full_overload(&s->overload);
        EXPECT_STR(s->name, S("the proxy"));
        EXPECT_U64(l.settings->listener_count, 4);
        EXPECT_STR(l.settings->listeners[0].address.text, S("[::]:80"));
        EXPECT_STR(l.settings->listeners[1].address.unix_path, S("/run/x.sock"));
        EXPECT_U64(l.settings->listeners[1].mode, 0660);
        EXPECT_STR(l.settings->listeners[2].address.text, S("1.2.3.4:5"));
        EXPECT_STR(s->host, S("o.example:81"));
        EXPECT_U64(s->upgrade_count, 2);
        EXPECT_STR(s->upgrades[0], S("websocket"));
        EXPECT_STR(s->upgrades[1], S("chat"));
        EXPECT_U64(s->tries_max, 1);
        EXPECT_U64(s->retry_buffer_bytes, 0);
        EXPECT_U64(s->tunnel_idle_timeout_ms, 11);
        EXPECT_STR(s->request_id.header, S("x-id"));
        EXPECT(!s->request_id.accept);
        EXPECT(!s->forwarded.x_forwarded_for && !s->forwarded.x_forwarded_proto);
        EXPECT(!s->forwarded.x_forwarded_host);
        EXPECT(s->forwarded.x_real_ip && s->forwarded.forwarded);
        EXPECT_U64(s->trusted_count, 2);
        EXPECT_U64(s->trusted[0].bits, 8);
        EXPECT_U64(s->trusted[1].bits, 128);
        const ServiceSettings *answer = l.settings->services[1];
        EXPECT(answer->action.kind == ACTION_RESPOND);
        EXPECT_U64(answer->action.respond.status, 404);
        EXPECT_STR(answer->action.respond.body, S("no\n"));
        EXPECT_STR(answer->action.respond.content_type, S("text/html"));
    }
    loaded_close(&l);
}

TEST("config: KDL 2 is read as well as KDL 1")
{
    Loaded l;
    load(&l, S("/- kdl-version 2\nsystem { daemonize #false }\n" MINIMAL));
    EXPECT(only_service(&l) != NULL);
    loaded_close(&l);
    load(&l, S("system { daemonize #false }\n" MINIMAL));
    EXPECT(only_service(&l) != NULL);
    loaded_close(&l);
}

TEST("config: the command line goes before the environment, which goes before the file")
{
    Loaded l;
    ConfigOverrides o = {0};
    ConfigOptions options = {.overrides = &o};
    override_from_command_line(&o, OVERRIDE_PID_FILE, S("/flag"));
    override_from_environment(&o, OVERRIDE_PID_FILE, S("/variable"));
    override_from_environment(&o, OVERRIDE_UPGRADE_SOCKET, S("/variable/u"));
    override_from_environment(&o, OVERRIDE_CONTROL_SOCKET, S("")); /* counts as unset */
    override_from_environment(&o, OVERRIDE_DAEMONIZE, S("true"));
    override_from_environment(&o, OVERRIDE_THREADS, S("2"));
    override_from_environment(&o, OVERRIDE_DRAIN_TIMEOUT, S("3"));
    override_from_environment(&o, OVERRIDE_BUFFER_MEMORY, S("4"));
    override_from_environment(&o, OVERRIDE_ACCESS_FORMAT, S("logfmt"));
    override_from_environment(&o, OVERRIDE_ERROR_LOG, S("/e"));
    override_from_environment(&o, OVERRIDE_LOG_LEVEL, S("warn"));
    load_with(&l, S(SYSTEM("pid-file \"/file\"; control-socket \"/file/c\"; threads-per-service 9; "
                           "log { access \"stdout\" }")), &options);
    EXPECT_STR(shown(&l), S(""));
    if (only_service(&l)) {
        const SystemSettings *s = &l.settings->system;
        EXPECT_STR(s->pid_file, S("/flag"));
        EXPECT_STR(s->upgrade_socket, S("/variable/u"));
        EXPECT_STR(s->control_socket, S("/file/c"));
        EXPECT(s->daemonize);
        EXPECT_U64(s->threads, 2);
        EXPECT_U64(s->drain_timeout_ms, 3);
        EXPECT_U64(s->buffer_memory_bytes, 4);
        EXPECT(s->log.access == LOG_PLACE_STDOUT && s->log.access_format == ACCESS_LOGFMT);
        EXPECT_STR(s->log.error_path, S("/e"));
        EXPECT(s->log.error_level == ERROR_LEVEL_WARN);
    }
    loaded_close(&l);
}

TEST("config: overrides make the sections they need")
{
    Loaded l;
    ConfigOverrides o = {0};
    ConfigOptions options = {.overrides = &o};
    override_from_environment(&o, OVERRIDE_ACCESS_FORMAT, S("combined"));
    load_with(&l, S(MINIMAL), &options);
    if (only_service(&l)) {
        EXPECT(l.settings->system.log.access == LOG_PLACE_OFF);
        EXPECT(l.settings->system.log.access_format == ACCESS_COMBINED);
    }
    loaded_close(&l);
}

TEST("config: wrong overrides are named by their flag or variable")
{
    Loaded l;
    ConfigOverrides o = {0};
    ConfigOptions options = {.overrides = &o};
    override_from_command_line(&o, OVERRIDE_PID_FILE, S("river.pid"));
    override_from_environment(&o, OVERRIDE_DAEMONIZE, S("yes"));
    override_from_environment(&o, OVERRIDE_THREADS, S("0"));
    override_from_environment(&o, OVERRIDE_LOG_LEVEL, S("warm"));
    load_with(&l, S(MINIMAL), &options);
    EXPECT(l.err == ERR_SYNTAX);
    EXPECT_STR(shown(&l),
               S("RIVER_THREADS_PER_SERVICE: error: `threads-per-service` must be between 1 and "
                 "1024, not 0\n"
                 "RIVER_DAEMONIZE: error: `daemonize` takes true or false, not `yes`\n"
                 "--pidfile: error: `pid-file` takes an absolute path\n"
                 "help: begin it with /\n"
                 "RIVER_LOG_LEVEL: error: `level` has no value `warm`\n"
                 "help: did you mean `warn`?\n"));
    loaded_close(&l);
}

TEST("config: an override can break a rule between options, and is blamed for it")
{
    Loaded l;
    ConfigOverrides o = {0};
    ConfigOptions options = {.overrides = &o};
    override_from_environment(&o, OVERRIDE_DAEMONIZE, S("true"));
    load_with(&l, S(MINIMAL), &options);
    EXPECT_STR(shown(&l), S("RIVER_DAEMONIZE: error: `daemonize` needs `pid-file`\n"
                            "help: add `pid-file \"/run/river/river.pid\"` to `system`\n"));
    loaded_close(&l);
}

TEST("config: what River ignored is an error, and a warning for who asks for compatibility")
{
    static const Str ignored[] = {
        S_INIT("oddity 1; " MINIMAL), S_INIT(SYSTEM("oddity 1")),
        S_INIT(SERVICE("overload { oddity }")), S_INIT(CONNECTOR("\"127.0.0.1:81\" oddity=1")),
        S_INIT(SYSTEM("max-connections 1 2")), S_INIT(SYSTEM("max-connections 1 { a }")),
    };
    for (size_t i = 0; i < sizeof ignored / sizeof ignored[0]; i++) {
        Loaded l;
        ConfigOptions options = {.compat = COMPAT_NONE};
        load_with(&l, ignored[i], &options);
        EXPECT(l.err == ERR_SYNTAX);
        EXPECT(l.d->error_count > 0);
        loaded_close(&l);
        EXPECT(config_compat_parse(S("0.5"), &options.compat) == ERR_OK);
        load_with(&l, ignored[i], &options);
        EXPECT(l.err == ERR_OK);
        EXPECT(l.d->error_count == 0 && l.d->count > 0);
        loaded_close(&l);
    }
    ConfigCompat compat = COMPAT_NONE;
    EXPECT(config_compat_parse(S("0.8"), &compat) == ERR_OK && compat == COMPAT_0_8);
    EXPECT(config_compat_parse(S("0.6"), &compat) == ERR_SYNTAX);
}

TEST("config: a mistyped section among addresses is an error whatever the compatibility")
{
    Loaded l;
    ConfigOptions options = {.compat = COMPAT_0_8};
    load_with(&l, S(CONNECTOR("load-balence { }; \"127.0.0.1:81\"")), &options);
    EXPECT(l.err == ERR_SYNTAX);
    loaded_close(&l);
}
