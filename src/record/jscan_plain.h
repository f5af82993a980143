/*
 * jscan_plain: the inner loop of the scanner: over the bytes of a string that need no second look.
 *
 * Plain is printable ASCII without the quote and the backslash. SSE2 belongs to x86-64 and needs no run-time choice; elsewhere eight
 * bytes are looked at in one word. Never reads at or past ${end}.
 */
#ifndef WEIR_RECORD_JSCAN_PLAIN_H
#define WEIR_RECORD_JSCAN_PLAIN_H

#include <stdint.h>
#include <string.h>
#ifdef __SSE2__
#include <emmintrin.h>
#endif

#ifdef __SSE2__

static inline const unsigned char *jscan_plain_wide(const unsigned char *p,
                                                    const unsigned char *end)
{
    const __m128i quote = _mm_set1_epi8('"'), slash = _mm_set1_epi8('\\'),
                  space = _mm_set1_epi8(0x20);
    for (; end - p >= 16; p += 16) {
        __m128i v = _mm_loadu_si128((const __m128i *)(const void *)p);
        /* As signed bytes, both controls and everything beyond ASCII are below the space. */
        __m128i special =
            _mm_or_si128(_mm_or_si128(_mm_cmpeq_epi8(v, quote), _mm_cmpeq_epi8(v, slash)),
                         _mm_cmplt_epi8(v, space));
        unsigned mask = (unsigned)_mm_movemask_epi8(special);
        if (mask != 0)
            return p + __builtin_ctz(mask);
    }
    return p;
}

#else

static inline const unsigned char *jscan_plain_wide(const unsigned char *p,
                                                    const unsigned char *end)
{
    const uint64_t ones = 0x0101010101010101u, highs = 0x8080808080808080u;
    for (; end - p >= 8; p += 8) {
        uint64_t v;
        memcpy(&v, p, 8);
        uint64_t quote = v ^ ones * '"', slash = v ^ ones * '\\';
        /* A zero byte borrows into its high bit; a false alarm in a higher byte only costs the byte loop. */
        uint64_t special =
            ((quote - ones) & ~quote) | ((slash - ones) & ~slash) | (v - ones * 0x20) | v;
        if (special & highs)
            return p;
    }
    return p;
}

#endif

static inline const unsigned char *jscan_plain(const unsigned char *p, const unsigned char *end)
{
    p = jscan_plain_wide(p, end);
    while (p < end && *p >= 0x20 && *p < 0x80 && *p != '"' && *p != '\\')
        p++;
    return p;
}

#endif
