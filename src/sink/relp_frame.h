/*
 * relp_frame: the frames of RELP (librelp, doc/relp.md): those of the peer are read, the heads of our own are written.
 *
 *     TXNR SP COMMAND SP DATALEN [SP DATA] LF
 *
 * Numbers have up to nine digits, a command up to 32 letters. Whatever a peer sends, a frame takes no more memory than struct relp_frame
 * has: an answer holds a code and a few words, or the offers of a session, and one with more than RELP_DATA_MAX bytes is not read.
 */
#ifndef WEIR_SINK_RELP_FRAME_H
#define WEIR_SINK_RELP_FRAME_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define RELP_TXNR_MAX    999999999u /* the next one is 1 again; 0 is that of hints, which nobody answers */
#define RELP_LENGTH_MAX  999999999u
#define RELP_COMMAND_MAX 32
#define RELP_DATA_MAX    ((size_t)4096)
#define RELP_HEAD_MAX    (9 + 1 + RELP_COMMAND_MAX + 1 + 9 + 1)
#define RELP_WORDS_MAX   80 /* of an answer */

struct relp_frame {
    uint32_t txnr, length;
    char command[RELP_COMMAND_MAX + 1];
    char data[RELP_DATA_MAX + 1]; /* a NUL behind it, which length does not count */
    const char *bad;              /* why it is none */
    /* of the reader */
    enum relp_part { RELP_IN_TXNR, RELP_IN_COMMAND, RELP_IN_LENGTH, RELP_IN_DATA, RELP_IN_END, RELP_IN_NONE } part;
    unsigned digits;
    size_t have; /* of the command, later of the data */
};

/* What is read next is the beginning of a frame. */
void relp_frame_reset(struct relp_frame *f);

enum relp_progress { RELP_MORE, RELP_WHOLE, RELP_BAD };

/* Read on in the ${len} bytes at ${data}; *${used} of them are done with. RELP_MORE: all are, and the frame is not whole yet. RELP_WHOLE: it is, until
 * the next call, which begins another. RELP_BAD: it is none, see f->bad; nothing that follows can be read. */
enum relp_progress relp_frame_read(struct relp_frame *f, const char *data, size_t len, size_t *used);

struct relp_answer {
    int code;                       /* 200: as asked */
    char words[RELP_WORDS_MAX + 1]; /* what the peer says about it, cut; may be empty */
    const char *rest;               /* behind the first line, inside the frame */
};

/* Take the data of ${f}, which is whole, apart. False: it is no answer. */
bool relp_frame_answer(const struct relp_frame *f, struct relp_answer *out);

/* May a session begin with these ${offers} of the peer? NULL: yes, else what is missing. */
const char *relp_frame_refusal(const char *offers);

/* Write the head of a frame with ${length} bytes of data into the RELP_HEAD_MAX bytes at ${out}; the data and LF belong behind it. Returns its length. */
size_t relp_frame_head(char *out, uint32_t txnr, const char *command, size_t length);

#endif
