#include "net/tls_marks.h"

static struct tls_mark *mark_at(struct tls_marks *m, unsigned i)
{
    return &m->ring[(m->first + i) % TLS_MARKS];
}

void tls_marks_add(struct tls_marks *m, uint64_t plain, uint64_t cipher)
{
    if (m->count == TLS_MARKS) {
        for (unsigned i = 0; i < TLS_MARKS / 2; i++)
            *mark_at(m, i) = *mark_at(m, 2 * i + 1);
        m->count = TLS_MARKS / 2;
    }
    *mark_at(m, m->count++) = (struct tls_mark){plain, cipher};
}

uint64_t tls_marks_reach(struct tls_marks *m, uint64_t cipher)
{
    while (m->count > 0 && mark_at(m, 0)->cipher <= cipher) {
        m->delivered = mark_at(m, 0)->plain;
        m->first = (m->first + 1) % TLS_MARKS;
        m->count--;
    }
    return m->delivered;
}
