/* The tcp source: records over TCP connections that peers make. */
#include "source/connections.h"
#include "source/intake.h"
#include "stage/stage.h"

struct tcp_source_settings {
    char *listen;
    struct connections_options connections;
};

static const char *const framings[] = {"newline", "octet_counting", NULL};

#define AT(field) offsetof(struct tcp_source_settings, field)
static const struct option options[] = {
    {.key = "listen", .type = OPTION_ADDRESS, .offset = AT(listen), .required = true,
     .words = "Where to listen, in figures: \"127.0.0.1:5140\", \"0.0.0.0:5140\" for all of IPv4, \"[::]:5140\" for everything."},
    {.key = "framing", .type = OPTION_CHOICE, .offset = AT(connections.frames.framing),
     .fallback = "\"newline\"", .choices = framings,
     .words = "newline: a line feed ends a record; octet_counting: its length and a space stand before it (RFC 6587)."},
    FRAMES_OPTIONS(struct tcp_source_settings, connections.frames),
    CONNECTIONS_OPTIONS(struct tcp_source_settings, connections),
    CONNECTIONS_TCP_OPTIONS(struct tcp_source_settings, connections),
    {0},
};

static struct listen_at where(const void *settings)
{
    const struct tcp_source_settings *set = settings;
    return (struct listen_at){.kind = LISTEN_TCP, .where = set->listen};
}

static void check(const void *settings, struct config_report *report)
{
    const struct tcp_source_settings *set = settings;
    listen_check_address(set->listen, "listen", report);
    tls_check(TLS_SERVER, &set->connections.tls, report);
}

static void claim(const void *settings, char *out, size_t size)
{
    struct listen_at at = where(settings);
    listen_claim(&at, out, size);
}

static struct stream *open_stage(struct stage_env *env, const void *settings, struct err *e)
{
    const struct tcp_source_settings *set = settings;
    struct listen_at at = where(settings);
    return connections_open(env, &at, &set->connections, false, e);
}

const struct stage stage_tcp_source = {
    .kind = STAGE_SOURCE,
    .type = "tcp",
    .summary = "Receives records over TCP connections.",
    .description =
        "Peers connect and send; each line, without its terminator, is a record, and so is a last one without terminator when the "
        "connection ends, or breaks. Connections take turns, one read each. When the pipeline is full they are not read, and their "
        "peers have to wait.\n\n"
        "With octet_counting, a connection that sends anything but a length where one must stand is closed, which is logged and counted as "
        "an error; a record that a connection ends inside of is not passed on and counted too.\n\n"
        "There is no checkpoint: TCP tells a peer what weir's kernel has received, not what was delivered. What was received and not "
        "delivered when weir is killed is gone. At an orderly stop weir takes what was received, and delivers it, before it ends.",
    .example = "{ \"type\": \"tcp\", \"listen\": \"127.0.0.1:5170\", \"idle_timeout\": \"10m\" }",
    .in = PAYLOAD_NONE,
    .out = PAYLOAD_RECORDS,
    .options = options,
    .settings_size = sizeof(struct tcp_source_settings),
    .check = check,
    .claim = claim,
    .endless = true,
    .open = open_stage,
    .stop = intake_drain,
};
