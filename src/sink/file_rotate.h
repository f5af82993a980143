/*
 * file_rotate: NAME becomes NAME.1, NAME.1 becomes NAME.2 and so on up to NAME.keep; one step a call.
 *
 * Where a rotation stands is to be seen from the names alone, so one that was cut off at any step (a crash, a failed rename) is gone on with by beginning anew:
 * names are moved up only as far as the first one that is free, which is where the other one stopped, and the oldest file is removed only when there is
 * none. A rename never replaces a file.
 */
#ifndef WEIR_SINK_FILE_ROTATE_H
#define WEIR_SINK_FILE_ROTATE_H

enum rotate_state {
    ROTATE_LOOK,  /* for the first number that is free */
    ROTATE_DROP,  /* the oldest: all are taken */
    ROTATE_SHIFT, /* the one before the free number moves there */
    ROTATE_MOVE,  /* the file itself becomes .1 */
    ROTATE_OVER,
};

/* What it does to the world: replaced by tests. All give -1 with errno. */
struct rotate_calls {
    int (*exists)(int dir, const char *name);                /* 1, 0 or -1 */
    int (*rename)(int dir, const char *from, const char *to); /* EEXIST when ${to} is there */
    int (*remove)(int dir, const char *name);
};

struct rotation {
    const struct rotate_calls *calls; /* NULL: the system's */
    int dir;                          /* descriptor of the directory */
    const char *name;                 /* in it */
    unsigned keep;                    /* at least 1 */
    enum rotate_state state;
    unsigned free;                    /* the number that is */
};

/* One step on. -1 with errno: it failed, and may be tried again or left for later. */
int file_rotate_step(struct rotation *r);

#endif
