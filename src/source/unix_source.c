/* The unix source: records over a local socket. */
#include "source/connections.h"
#include "source/datagrams.h"
#include "source/intake.h"
#include "stage/stage.h"

struct unix_source_settings {
    char *path;
    int socket;
    unsigned mode;
    struct connections_options connections;
};

enum { SOCKET_STREAM, SOCKET_DATAGRAM };

static const char *const framings[] = {"newline", "octet_counting", NULL};
static const char *const sockets[] = {"stream", "datagram", NULL};
static const char *const of_streams[] = {
    "framing", "on_long_line", "strip_cr", "max_connections", "idle_timeout", "max_bytes_per_second", NULL,
};

#define AT(field) offsetof(struct unix_source_settings, field)
static const struct option options[] = {
    {.key = "path", .type = OPTION_STRING, .offset = AT(path), .required = true, .min = 1,
     .words = "The socket file. It is made when weir starts and removed when it stops; one that is left over from a program that is gone is "
              "replaced."},
    {.key = "socket", .type = OPTION_CHOICE, .offset = AT(socket), .fallback = "\"stream\"",
     .choices = sockets,
     .words = "stream: senders connect, records are framed; datagram: each datagram is a record."},
    {.key = "mode", .type = OPTION_MODE, .offset = AT(mode), .fallback = "\"0660\"",
     .words = "Permissions of the socket file: who may write to it may send."},
    {.key = "framing", .type = OPTION_CHOICE, .offset = AT(connections.frames.framing),
     .fallback = "\"newline\"", .choices = framings,
     .words = "newline: a line feed ends a record; octet_counting: its length and a space stand before it (RFC 6587). Streams only."},
    FRAMES_OPTIONS(struct unix_source_settings, connections.frames),
    CONNECTIONS_OPTIONS(struct unix_source_settings, connections),
    {0},
};

static struct listen_at where(const struct unix_source_settings *set)
{
    return (struct listen_at){
        .kind = set->socket == SOCKET_STREAM ? LISTEN_UNIX_STREAM : LISTEN_UNIX_DATAGRAM,
        .where = set->path,
        .mode = set->mode,
    };
}

static void check(const void *settings, struct config_report *report)
{
    const struct unix_source_settings *set = settings;
    listen_check_path(set->path, "path", report);
    if (set->socket == SOCKET_DATAGRAM)
        listen_check_unused(of_streams, "datagrams", report);
}

static void claim(const void *settings, char *out, size_t size)
{
    const struct unix_source_settings *set = settings;
    struct listen_at at = where(set);
    listen_claim(&at, out, size);
}

static struct stream *open_stage(struct stage_env *env, const void *settings, struct err *e)
{
    const struct unix_source_settings *set = settings;
    struct listen_at at = where(set);
    struct datagrams_options o = {.max_bytes = set->connections.frames.max_line_bytes};
    if (set->socket == SOCKET_STREAM)
        return connections_open(env, &at, &set->connections, false, e);
    return datagrams_open(env, &at, &o, e);
}

const struct stage stage_unix_source = {
    .kind = STAGE_SOURCE,
    .type = "unix",
    .summary = "Receives records over a local socket.",
    .description =
        "With `\"socket\": \"stream\"` as tcp: senders connect, each line is a record, and when the pipeline is full they have to wait. With "
        "`\"socket\": \"datagram\"` each datagram is a record (a line feed at its end does not belong to it), and senders wait too, unless they "
        "chose not to: syslog(3) does not.\n\n"
        "There is no checkpoint: what was received and not delivered when weir is killed is gone. At an orderly stop weir takes what was "
        "received, and delivers it, before it ends.",
    .example = "{ \"type\": \"unix\", \"path\": \"/run/weir/app.sock\", \"mode\": \"0666\" }",
    .in = PAYLOAD_NONE,
    .out = PAYLOAD_RECORDS,
    .options = options,
    .settings_size = sizeof(struct unix_source_settings),
    .check = check,
    .claim = claim,
    .endless = true,
    .open = open_stage,
    .stop = intake_drain,
};
