/* The syslog source: messages as they come from syslog senders, over TCP, UDP or a local socket. */
#include "config/report.h"
#include "source/connections.h"
#include "source/datagrams.h"
#include "source/intake.h"
#include "stage/stage.h"

struct syslog_source_settings {
    int transport;
    char *listen, *path;
    unsigned mode;
    uint64_t receive_buffer;
    struct connections_options connections;
};

enum { OVER_TCP, OVER_UDP, OVER_UNIX_STREAM, OVER_UNIX_DATAGRAM };

static const char *const transports[] = {"tcp", "udp", "unix_stream", "unix_datagram", NULL};
static const char *const framings[] = {"newline", "octet_counting", "auto", NULL};

#define AT(field) offsetof(struct syslog_source_settings, field)
static const struct option options[] = {
    {.key = "transport", .type = OPTION_CHOICE, .offset = AT(transport), .required = true,
     .choices = transports,
     .words = "What senders use. /dev/log is unix_datagram."},
    {.key = "listen", .type = OPTION_ADDRESS, .offset = AT(listen),
     .words = "tcp and udp: where to listen, in figures: \"127.0.0.1:514\", \"0.0.0.0:514\" for all of IPv4, \"[::]:514\" for everything."},
    {.key = "path", .type = OPTION_STRING, .offset = AT(path), .min = 1,
     .words = "unix_stream and unix_datagram: the socket file. It is made when weir starts and removed when it stops; one that is left over "
              "from a program that is gone is replaced."},
    {.key = "mode", .type = OPTION_MODE, .offset = AT(mode), .fallback = "\"0666\"",
     .words = "Permissions of the socket file: who may write to it may send."},
    {.key = "framing", .type = OPTION_CHOICE, .offset = AT(connections.frames.framing),
     .fallback = "\"auto\"", .choices = framings,
     .words = "tcp and unix_stream: newline: a line feed ends a message; octet_counting: its length and a space stand before it (RFC 6587); auto: "
              "each message says it, counted is what begins with a number and a space, as rsyslog does it."},
    FRAMES_OPTIONS(struct syslog_source_settings, connections.frames),
    CONNECTIONS_OPTIONS(struct syslog_source_settings, connections),
    CONNECTIONS_TCP_OPTIONS(struct syslog_source_settings, connections),
    DATAGRAMS_BUFFER_OPTION(struct syslog_source_settings, receive_buffer),
    {0},
};

/* What says nothing about a transport. */
static const char *const unused[][12] = {
    [OVER_TCP] = {"path", "mode", "receive_buffer"},
    [OVER_UDP] = {"path", "mode", "framing", "on_long_line", "strip_cr", "max_connections", "idle_timeout",
                  "max_bytes_per_second", "keepalive", "tls"},
    [OVER_UNIX_STREAM] = {"listen", "keepalive", "tls", "receive_buffer"},
    [OVER_UNIX_DATAGRAM] = {"listen", "framing", "on_long_line", "strip_cr", "max_connections", "idle_timeout",
                            "max_bytes_per_second", "keepalive", "tls", "receive_buffer"},
};

static bool is_local(const struct syslog_source_settings *set)
{
    return set->transport == OVER_UNIX_STREAM || set->transport == OVER_UNIX_DATAGRAM;
}

static struct listen_at where(const struct syslog_source_settings *set)
{
    static const enum listen_kind kinds[] = {LISTEN_TCP, LISTEN_UDP, LISTEN_UNIX_STREAM, LISTEN_UNIX_DATAGRAM};
    return (struct listen_at){
        .kind = kinds[set->transport],
        .where = is_local(set) ? set->path : set->listen,
        .mode = set->mode,
    };
}

static void check(const void *settings, struct config_report *report)
{
    const struct syslog_source_settings *set = settings;
    const char *key = is_local(set) ? "path" : "listen", *at = where(set).where;
    tls_check(TLS_SERVER, &set->connections.tls, report);
    listen_check_unused(unused[set->transport], transports[set->transport], report);
    if (at == NULL)
        report_key(report, "", "transport %s needs \"%s\"", transports[set->transport], key);
    else if (is_local(set))
        listen_check_path(at, key, report);
    else
        listen_check_address(at, key, report);
}

static void claim(const void *settings, char *out, size_t size)
{
    const struct syslog_source_settings *set = settings;
    struct listen_at at = where(set);
    listen_claim(&at, out, size);
}

static struct stream *open_stage(struct stage_env *env, const void *settings, struct err *e)
{
    const struct syslog_source_settings *set = settings;
    struct listen_at at = where(set);
    struct datagrams_options o = {.max_bytes = set->connections.frames.max_line_bytes,
                                  .receive_buffer = set->receive_buffer,
                                  .tidy = true};
    if (at.kind == LISTEN_TCP || at.kind == LISTEN_UNIX_STREAM)
        return connections_open(env, &at, &set->connections, true, e);
    return datagrams_open(env, &at, &o, e);
}

const struct stage stage_syslog_source = {
    .kind = STAGE_SOURCE,
    .type = "syslog",
    .summary = "Receives syslog messages over TCP, UDP or a local socket.",
    .description =
        "Each message is a record as it was sent, from its priority in angle brackets on, without the framing around it: what is sent on "
        "unchanged is the same message, byte for byte. For its parts put `syslog_parse` behind it. A line feed at the end of a message does not "
        "belong to it, and empty messages are none, as with rsyslog.\n\n"
        "What is said of the sources tcp, udp and unix holds here too: over TCP and a local socket senders have to wait when the pipeline is "
        "full, over UDP what the kernel has no room for is lost, counted and logged.",
    .example = "{ \"type\": \"syslog\", \"transport\": \"udp\", \"listen\": \"0.0.0.0:514\" }",
    .in = PAYLOAD_NONE,
    .out = PAYLOAD_RECORDS,
    .options = options,
    .settings_size = sizeof(struct syslog_source_settings),
    .check = check,
    .claim = claim,
    .endless = true,
    .open = open_stage,
    .stop = intake_drain,
};
