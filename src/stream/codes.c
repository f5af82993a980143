/* codes: the standard errors of streams. */
#include "stream/internal.h"

static const char *words(int code)
{
    switch ((enum stream_code)code) {
    case ERR_STREAM_DESTROYED: return "stream was destroyed before this was done";
    case ERR_STREAM_PREMATURE_CLOSE: return "stream closed before its end";
    case ERR_STREAM_PUSH_AFTER_END: return "chunk pushed after the end";
    case ERR_STREAM_WRITE_AFTER_END: return "chunk written after the end";
    case ERR_STREAM_FINISHED: return "stream is finished already";
    case ERR_STREAM_DONE_TWICE: return "a hook was completed twice";
    case ERR_STREAM_PIPED: return "stream has a pipe already, or not the side that a pipe needs";
    }
    return "stream error";
}

const struct err *stream_err(const struct stream *s, struct err *e, int code)
{
    err_set(e, code, "%s: %s", s->name, words(code));
    return e;
}
