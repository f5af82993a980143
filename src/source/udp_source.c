/* The udp source: each datagram is a record. */
#include "source/datagrams.h"
#include "source/intake.h"
#include "stage/stage.h"

struct udp_source_settings {
    char *listen;
    uint64_t max_datagram_bytes, receive_buffer;
};

#define AT(field) offsetof(struct udp_source_settings, field)
static const struct option options[] = {
    {.key = "listen", .type = OPTION_ADDRESS, .offset = AT(listen), .required = true,
     .words = "Where to listen, in figures: \"127.0.0.1:5140\", \"0.0.0.0:5140\" for all of IPv4, \"[::]:5140\" for everything."},
    {.key = "max_datagram_bytes", .type = OPTION_SIZE, .offset = AT(max_datagram_bytes),
     .fallback = "\"64KiB\"", .min = 64, .max = 1 << 16,
     .words = "Longest datagram. A longer one is cut, counted and logged."},
    DATAGRAMS_BUFFER_OPTION(struct udp_source_settings, receive_buffer),
    {0},
};

static struct listen_at where(const void *settings)
{
    const struct udp_source_settings *set = settings;
    return (struct listen_at){.kind = LISTEN_UDP, .where = set->listen};
}

static void check(const void *settings, struct config_report *report)
{
    listen_check_address(where(settings).where, "listen", report);
}

static void claim(const void *settings, char *out, size_t size)
{
    struct listen_at at = where(settings);
    listen_claim(&at, out, size);
}

static struct stream *open_stage(struct stage_env *env, const void *settings, struct err *e)
{
    const struct udp_source_settings *set = settings;
    struct listen_at at = where(settings);
    struct datagrams_options o = {.max_bytes = set->max_datagram_bytes, .receive_buffer = set->receive_buffer};
    return datagrams_open(env, &at, &o, e);
}

const struct stage stage_udp_source = {
    .kind = STAGE_SOURCE,
    .type = "udp",
    .summary = "Receives records as UDP datagrams.",
    .description =
        "Each datagram is a record; a line feed at its end does not belong to it. A line feed inside of it does: a sink that ends records "
        "with line feeds sends it as it is.\n\n"
        "Nobody can be told to wait. When the pipeline is full the source reads nothing more, the receive buffer of the kernel fills up, and "
        "what comes then is lost: that is counted as dropped for \"receive buffer overflow\", and logged, exactly as many as the "
        "kernel says. A larger receive_buffer bridges bursts. What is lost on the way to this machine nobody can count.",
    .example = "{ \"type\": \"udp\", \"listen\": \"0.0.0.0:5140\", \"receive_buffer\": \"4MiB\" }",
    .in = PAYLOAD_NONE,
    .out = PAYLOAD_RECORDS,
    .options = options,
    .settings_size = sizeof(struct udp_source_settings),
    .check = check,
    .claim = claim,
    .endless = true,
    .open = open_stage,
    .stop = intake_drain,
};
