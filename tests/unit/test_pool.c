/* What is bounded and counted: pool, arena, tickets, batches and blobs. */
#include "rig.h"

#include <stdalign.h>

#include "record/arena.h"

/* ---- pool -------------------------------------------------------------------------------------- */

struct waiter {
    struct pool_waiter w;
    struct pool *pool;
    struct slab *got;
    unsigned woken;
    bool greedy; /* takes what there is, and waits again */
};

static void wake(struct pool_waiter *w)
{
    struct waiter *me = LIST_ENTRY(w, struct waiter, w);
    me->woken++;
    if (!me->greedy)
        return;
    me->got = pool_slab(me->pool, 0);
    if (me->got == NULL)
        pool_wait(me->pool, w);
}

static void waiter_init(struct waiter *me, struct pool *pool)
{
    *me = (struct waiter){.pool = pool, .w = {.wake = wake}};
    list_init(&me->w.node);
}

START_TEST(the_limit_is_hard)
{
    struct rig r;
    struct slab *s[8];
    rig_open(&r, 4 * 4096, 4096);
    for (size_t i = 0; i < 4; i++) {
        s[i] = pool_slab(r.pool, i);
        ck_assert_ptr_nonnull(s[i]);
        ck_assert_uint_eq(s[i]->size, 4096);
        ck_assert_uint_eq(s[i]->used, 0);
    }
    ck_assert_uint_eq(pool_used(r.pool), pool_limit(r.pool));
    ck_assert_ptr_null(pool_slab(r.pool, 0));
    slab_ref(s[2]);
    slab_unref(s[2]);
    ck_assert_ptr_null(pool_slab(r.pool, 0));
    slab_unref(s[2]);
    ck_assert_ptr_null(pool_slab(r.pool, 4097)); /* more than what came free */
    s[2] = pool_slab(r.pool, 4096);
    ck_assert_ptr_nonnull(s[2]);
    pool_charge(r.pool, 1); /* a later stage: always given */
    slab_unref(s[0]);
    ck_assert_ptr_null(pool_slab(r.pool, 0)); /* 4095 are free */
    pool_discharge(r.pool, 1);
    s[0] = pool_slab(r.pool, 0);
    ck_assert_ptr_nonnull(s[0]);
    pool_set_limit(r.pool, 5 * 4096);
    s[4] = pool_slab(r.pool, 0);
    ck_assert_ptr_nonnull(s[4]);
    pool_set_limit(r.pool, 4096); /* below what is out */
    slab_unref(s[4]);
    ck_assert_ptr_null(pool_slab(r.pool, 0));
    for (int i = 0; i < 4; i++)
        slab_unref(s[i]);
    rig_close(&r);
}
END_TEST

START_TEST(one_larger_than_all_passes_when_nothing_else_is_out)
{
    struct rig r;
    rig_open(&r, 4 * 4096, 4096);
    struct slab *s = pool_slab(r.pool, 100000);
    ck_assert_ptr_nonnull(s);
    ck_assert_uint_eq(s->size, 100000);
    ck_assert_ptr_null(pool_slab(r.pool, 0));
    slab_unref(s);
    s = pool_slab(r.pool, 0);
    ck_assert_ptr_null(pool_slab(r.pool, 100000));
    slab_unref(s);
    rig_close(&r);
}
END_TEST

START_TEST(waiters_are_woken_once_from_the_tick)
{
    struct rig r;
    struct waiter a, b, gone;
    rig_open(&r, 2 * 4096, 4096);
    waiter_init(&a, r.pool);
    waiter_init(&b, r.pool);
    waiter_init(&gone, r.pool);
    a.greedy = b.greedy = true;
    struct slab *one = pool_slab(r.pool, 0), *two = pool_slab(r.pool, 0);
    pool_wait(r.pool, &a.w);
    pool_wait(r.pool, &a.w); /* may be waiting already */
    pool_wait(r.pool, &gone.w);
    pool_wait(r.pool, &b.w);
    pool_leave(&gone.w);
    pool_leave(&gone.w);
    loop_tick(r.loop);
    ck_assert_uint_eq(a.woken, 0);
    slab_unref(one);
    ck_assert_uint_eq(a.woken, 0);
    loop_tick(r.loop);
    ck_assert_uint_eq(a.woken, 1);
    ck_assert_uint_eq(b.woken, 1);
    ck_assert_ptr_nonnull(a.got);
    ck_assert_ptr_null(b.got);
    slab_unref(two);
    loop_tick(r.loop);
    ck_assert_uint_eq(a.woken, 1);
    ck_assert_uint_eq(b.woken, 2);
    ck_assert_ptr_nonnull(b.got);
    ck_assert_uint_eq(gone.woken, 0);
    slab_unref(a.got);
    slab_unref(b.got);
    rig_close(&r);
}
END_TEST

START_TEST(somebody_who_waits_when_nothing_is_out_is_woken)
{
    struct rig r;
    struct waiter a;
    rig_open(&r, 2 * 4096, 4096);
    waiter_init(&a, r.pool);
    mem_fail_at(1);
    ck_assert_ptr_null(pool_slab(r.pool, 0)); /* there is room, but no memory */
    mem_fail_at(0);
    a.greedy = true;
    pool_wait(r.pool, &a.w);
    RIG_UNTIL(&r, a.got != NULL, 5);
    slab_unref(a.got);
    rig_close(&r);
}
END_TEST

struct keeper {
    struct pool_filler filler;
    struct slab *slab;
    unsigned asked;
};

static void yield(struct pool_filler *f)
{
    struct keeper *k = LIST_ENTRY(f, struct keeper, filler);
    k->asked++;
    if (k->slab != NULL)
        slab_unref(k->slab);
    k->slab = NULL;
}

START_TEST(who_keeps_a_slab_for_later_yields_it_to_who_waits)
{
    struct rig r;
    struct waiter a;
    struct keeper k = {.filler.yield = yield};
    rig_open(&r, 2 * 4096, 4096);
    waiter_init(&a, r.pool);
    a.greedy = true;
    pool_fill(r.pool, &k.filler);
    k.slab = pool_slab(r.pool, 0);
    struct slab *other = pool_slab(r.pool, 0);
    loop_tick(r.loop);
    ck_assert_uint_eq(k.asked, 0);
    ck_assert_ptr_null(pool_slab(r.pool, 0));
    pool_wait(r.pool, &a.w);
    ck_assert_uint_eq(k.asked, 0); /* not inside the call */
    loop_tick(r.loop);
    ck_assert_uint_eq(k.asked, 1);
    ck_assert_ptr_nonnull(a.got);
    /* Nobody has anything to yield: waiting does not spin. */
    struct slab *first = a.got;
    a.got = NULL;
    pool_wait(r.pool, &a.w);
    loop_tick(r.loop);
    ck_assert_uint_eq(k.asked, 2);
    ck_assert(!loop_turn(r.loop));
    ck_assert_uint_eq(k.asked, 2);
    ck_assert_ptr_null(a.got);
    slab_unref(other);
    loop_tick(r.loop);
    ck_assert_ptr_nonnull(a.got);
    slab_unref(a.got);
    slab_unref(first);
    pool_unfill(&k.filler);
    rig_close(&r);
}
END_TEST

START_TEST(a_slab_grows_in_place_of_itself)
{
    struct rig r;
    rig_open(&r, 4 * 4096, 4096);
    struct slab *s = pool_slab(r.pool, 0), *other = pool_slab(r.pool, 0);
    memcpy(s->data, "content", 7);
    ck_assert_ptr_null(slab_grow(s, 4 * 4096)); /* three are free, its own counted */
    ck_assert_uint_eq(pool_used(r.pool), 2 * 4096);
    mem_fail_at(1);
    ck_assert_ptr_null(slab_grow(s, 3 * 4096));
    mem_fail_at(0);
    ck_assert_uint_eq(s->size, 4096);
    s = slab_grow(s, 3 * 4096);
    ck_assert_ptr_nonnull(s);
    ck_assert_mem_eq(s->data, "content", 7);
    memset(s->data, 'x', s->size);
    ck_assert_uint_eq(pool_used(r.pool), 4 * 4096);
    slab_unref(other);
    s = slab_grow(s, 100000); /* past the limit: nothing else is charged */
    ck_assert_ptr_nonnull(s);
    ck_assert_uint_eq(pool_used(r.pool), 100000);
    slab_unref(s);
    rig_close(&r);
}
END_TEST

START_TEST(spare_slabs_are_used_again)
{
    struct rig r;
    struct slab *s[10], *again[10];
    rig_open(&r, 10 * 4096, 4096);
    size_t before = mem_live();
    for (int i = 0; i < 10; i++)
        s[i] = pool_slab(r.pool, 0);
    for (int i = 0; i < 10; i++)
        slab_unref(s[i]);
    ck_assert_uint_eq(pool_used(r.pool), 0);
    ck_assert_uint_eq(mem_live(), before + 4);
    for (int i = 0; i < 4; i++) {
        again[i] = pool_slab(r.pool, 0);
        ck_assert_uint_eq(again[i]->used, 0);
        ck_assert_uint_eq(again[i]->refs, 1);
    }
    ck_assert_uint_eq(mem_live(), before + 4);
    for (int i = 0; i < 4; i++)
        slab_unref(again[i]);
    rig_close(&r);
}
END_TEST

START_TEST(a_pool_outlives_its_owner_while_slabs_are_out)
{
    struct rig r;
    rig_open(&r, 1 << 20, 4096);
    size_t before = mem_live();
    struct pool *pool = pool_new(r.loop, 10 * 4096, 4096);
    struct slab *a = pool_slab(pool, 0), *b = pool_slab(pool, 0);
    struct arena arena;
    arena_init(&arena, pool);
    ck_assert_ptr_nonnull(arena_alloc(&arena, 10));
    slab_unref(pool_slab(pool, 0)); /* a spare */
    pool_free(&pool);
    ck_assert_ptr_null(pool);
    slab_unref(a);
    slab_unref(b);
    ck_assert_uint_gt(mem_live(), before);
    arena_clear(&arena);
    ck_assert_uint_eq(mem_live(), before);
    rig_close(&r);
}
END_TEST

/* ---- arena ------------------------------------------------------------------------------------- */

START_TEST(arena_gives_aligned_pieces_that_do_not_overlap)
{
    struct rig r;
    struct arena a;
    char *piece[400];
    size_t len[400];
    uint64_t seed = 5;
    rig_open(&r, 1 << 20, 4096);
    arena_init(&a, r.pool);
    for (int round = 0; round < 3; round++) {
        for (int i = 0; i < 400; i++) {
            len[i] = rig_random(&seed) % (i % 50 == 0 ? 100000 : 300);
            bool text = rig_random(&seed) % 2;
            piece[i] = text ? arena_text(&a, len[i]) : arena_alloc(&a, len[i]);
            ck_assert_ptr_nonnull(piece[i]);
            if (!text)
                ck_assert_uint_eq((uintptr_t)piece[i] % alignof(max_align_t), 0);
            memset(piece[i], i, len[i]);
        }
        for (int i = 0; i < 400; i++)
            for (size_t k = 0; k < len[i]; k++)
                if (piece[i][k] != (char)i)
                    ck_abort_msg("piece %d byte %zu", i, k);
        ck_assert_uint_eq(pool_used(r.pool), a.total);
        arena_clear(&a);
        ck_assert_uint_eq(pool_used(r.pool), 0);
    }
    rig_close(&r);
}
END_TEST

START_TEST(an_open_arena_grows_and_keeps_the_old_place)
{
    struct arena a;
    size_t room, more;
    arena_init(&a, NULL);
    char *text = arena_text(&a, 3); /* not aligned any more */
    memcpy(text, "abc", 3);
    char *at = arena_open(&a, 100, &room);
    ck_assert_uint_ge(room, 100);
    memset(at, 'x', room);
    char *larger = arena_open(&a, room + 1, &more);
    ck_assert_ptr_ne(larger, at);
    ck_assert_uint_gt(more, room);
    memcpy(larger, at, room); /* the old place is still valid */
    arena_take(&a, room);
    char *after = arena_alloc(&a, 1);
    ck_assert(after >= larger + room || after < larger);
    ck_assert_mem_eq(text, "abc", 3);
    ck_assert_ptr_null(arena_alloc(&a, SIZE_MAX / 2 + 1));
    ck_assert_ptr_null(arena_text(&a, SIZE_MAX));
    mem_fail_at(1);
    ck_assert_ptr_null(arena_alloc(&a, 1 << 20));
    mem_fail_at(0);
    ck_assert_ptr_nonnull(arena_alloc(&a, 1 << 20)); /* usable still */
    arena_clear(&a);
    ck_assert_uint_eq(mem_live(), 0);
}
END_TEST

START_TEST(nothing_is_not_out_of_memory)
{
    struct arena a;
    arena_init(&a, NULL);
    ck_assert_ptr_nonnull(arena_text(&a, 0));
    arena_clear(&a);
    ck_assert_ptr_nonnull(arena_alloc(&a, 0));
    arena_clear(&a);
    ck_assert_uint_eq(mem_live(), 0);
}
END_TEST

/* ---- tickets ----------------------------------------------------------------------------------- */

START_TEST(a_ticket_settles_once_when_its_last_holder_ends)
{
    /* Every combination of three holders. */
    for (unsigned verdicts = 0; verdicts < 8; verdicts++) {
        struct receipt t;
        struct ticket_set a = {0}, b = {0}, c = {0};
        receipt_init(&t);
        ck_assert_int_eq(ticket_set_add(&a, &t.ticket), 0);
        ck_assert_int_eq(ticket_set_fork(&b, &a), 0);
        ck_assert_int_eq(ticket_set_fork(&c, &b), 0);
        ticket_set_end(&b, verdicts & 1);
        ticket_set_end(&b, false); /* empty now: nothing */
        ticket_set_end(&a, verdicts & 2);
        ck_assert_uint_eq(t.settled, 0);
        ticket_set_end(&c, verdicts & 4);
        ck_assert_uint_eq(t.settled, 1);
        ck_assert_int_eq(t.delivered, verdicts == 7);
    }
    ck_assert_uint_eq(mem_live(), 0);
}
END_TEST

#define TICKETS 60

START_TEST(sets_keep_every_hold_through_forks_and_moves)
{
    uint64_t seed = (uint64_t)_i;
    for (int round = 0; round < 200; round++) {
        struct receipt t[TICKETS];
        struct ticket_set set[6] = {{0}};
        unsigned holds[TICKETS] = {0};
        bool failed[TICKETS] = {0};
        for (int i = 0; i < TICKETS; i++)
            receipt_init(&t[i]);
        for (int step = 0; step < 60; step++) {
            struct ticket_set *a = &set[rig_random(&seed) % 6], *b = &set[rig_random(&seed) % 6];
            unsigned k = (unsigned)(rig_random(&seed) % TICKETS);
            switch (rig_random(&seed) % 4) {
            case 0:
            case 1:
                if (t[k].settled == 0) {
                    ck_assert_int_eq(ticket_set_add(a, &t[k].ticket), 0);
                    holds[k]++;
                }
                break;
            case 2:
                if (a != b)
                    ck_assert_int_eq(ticket_set_move(a, b), 0);
                break;
            case 3:
                if (a->count == 0 && a->many == NULL) {
                    for (size_t i = 0; i < b->count; i++) {
                        struct ticket *one = b->many != NULL ? b->many[i] : b->one;
                        holds[LIST_ENTRY(one, struct receipt, ticket) - t]++;
                    }
                    ck_assert_int_eq(ticket_set_fork(a, b), 0);
                    ck_assert_uint_eq(a->count, b->count);
                }
                break;
            }
            for (unsigned i = 0; i < TICKETS; i++)
                if (t[i].ticket.holders != holds[i])
                    ck_abort_msg("ticket %u: %u holders, not %u", i, t[i].ticket.holders, holds[i]);
        }
        for (int i = 0; i < 6; i++) {
            bool ok = rig_random(&seed) % 2;
            for (size_t n = 0; n < set[i].count && !ok; n++) {
                struct ticket *one = set[i].many != NULL ? set[i].many[n] : set[i].one;
                failed[LIST_ENTRY(one, struct receipt, ticket) - t] = true;
            }
            ticket_set_end(&set[i], ok);
        }
        for (int i = 0; i < TICKETS; i++) {
            ck_assert_uint_eq(t[i].settled, holds[i] > 0);
            ck_assert(holds[i] == 0 || t[i].delivered == !failed[i]);
        }
        ck_assert_uint_eq(mem_live(), 0);
    }
}
END_TEST

START_TEST(sets_without_memory)
{
    for (size_t have = 0; have < 12; have++) {
        for (size_t more = 1; more < 12; more++) {
            struct receipt t[24];
            struct ticket_set a = {0}, b = {0}, c = {0};
            for (size_t i = 0; i < have + more; i++) {
                receipt_init(&t[i]);
                ticket_set_add(i < have ? &a : &b, &t[i].ticket);
            }
            mem_fail_at(1);
            int moved = ticket_set_move(&a, &b);
            int forked = moved != 0 ? 0 : ticket_set_fork(&c, &a);
            mem_fail_at(0);
            if (moved != 0) {
                ck_assert_uint_eq(a.count, have);
                ck_assert_uint_eq(b.count, more);
            }
            if (forked != 0)
                ck_assert_uint_eq(c.count, 0);
            ticket_set_end(&a, true);
            ticket_set_end(&b, true);
            ticket_set_end(&c, true);
            for (size_t i = 0; i < have + more; i++)
                ck_assert(t[i].settled == 1 && t[i].delivered);
            ck_assert_uint_eq(mem_live(), 0);
        }
    }
}
END_TEST

/* ---- batches and blobs ------------------------------------------------------------------------- */

START_TEST(a_batch_forks_and_settles_by_handle)
{
    struct rig r;
    struct receipt t;
    rig_open(&r, 1 << 20, 4096);
    receipt_init(&t);
    struct chunk *a = rig_lines(&r, "one\ntwo\nthree\n", &t.ticket);
    struct chunk *b = chunk_fork(a);
    ck_assert_ptr_nonnull(b);
    ck_assert_ptr_eq(chunk_batch(a)->body, chunk_batch(b)->body);
    ck_assert_ptr_ne(chunk_batch(a)->records, chunk_batch(b)->records);
    chunk_batch(a)->count = 1; /* a stage drops: the other handle does not see it */
    ck_assert_uint_eq(chunk_records(b), 3);
    ck_assert_uint_eq(batch_count_text(chunk_batch(b)), 14);
    ck_assert_uint_eq(batch_count_text(chunk_batch(a)), 4);
    chunk_delivered(&a);
    ck_assert_ptr_null(a);
    ck_assert_uint_eq(t.settled, 0);
    ck_assert_mem_eq(chunk_batch(b)->records[2].text, "three\n", 6);
    chunk_free(&b); /* no verdict: failed */
    ck_assert(t.settled == 1 && !t.delivered);
    ck_assert_uint_eq(pool_used(r.pool), 0);
    rig_close(&r);
}
END_TEST

START_TEST(a_single_shares_and_holds_no_ticket)
{
    struct rig r;
    struct receipt t;
    rig_open(&r, 1 << 20, 4096);
    receipt_init(&t);
    struct chunk *a = rig_lines(&r, "one\ntwo\nthree\n", &t.ticket);
    chunk_batch(a)->body->base_offset = 1000;
    struct batch *one = batch_single(chunk_batch(a), 1);
    ck_assert_uint_eq(one->count, 1);
    ck_assert_uint_eq(one->tickets.count, 0);
    ck_assert_uint_eq(one->bytes, 4);
    ck_assert_uint_eq(batch_offset(one, &one->records[0]), 1004);
    chunk_delivered(&a);
    ck_assert(t.settled == 1 && t.delivered);
    ck_assert_mem_eq(one->records[0].text, "two", 3); /* the slab is still there */
    struct chunk *c = &one->chunk;
    chunk_free(&c);
    rig_close(&r);
}
END_TEST

START_TEST(blobs_share_their_bytes)
{
    struct rig r;
    struct receipt t;
    rig_open(&r, 1 << 20, 4096);
    receipt_init(&t);
    struct blob *b = blob_new(r.pool, mem_strdup("bytes"), 5);
    b->records = 7;
    ticket_set_add(&b->tickets, &t.ticket);
    ck_assert_uint_eq(pool_used(r.pool), 5);
    struct chunk *a = &b->chunk, *c = chunk_fork(a), *d = chunk_fork(c);
    ck_assert_uint_eq(pool_used(r.pool), 5);
    ck_assert_ptr_null(chunk_batch(c));
    ck_assert_uint_eq(chunk_records(d), 7);
    chunk_delivered(&a);
    chunk_delivered(&d);
    ck_assert_mem_eq(chunk_blob(c)->data, "bytes", 5);
    ck_assert_uint_eq(t.settled, 0);
    chunk_delivered(&c);
    ck_assert(t.settled == 1 && t.delivered);
    rig_close(&r);
}
END_TEST

START_TEST(chunks_without_memory)
{
    struct rig r;
    rig_open(&r, 1 << 20, 4096);
    size_t before = mem_live();
    bool over = false;
    for (unsigned long n = 1; !over; n++) {
        struct receipt t[2];
        struct chunk *c[4] = {NULL};
        receipt_init(&t[0]);
        receipt_init(&t[1]);
        mem_fail_at(n);
        c[0] = rig_lines(&r, "one\ntwo\n", &t[0].ticket);
        if (c[0] != NULL) {
            c[1] = chunk_fork(c[0]);
            struct batch *single = batch_single(chunk_batch(c[0]), 0);
            c[2] = single != NULL ? &single->chunk : NULL;
        }
        char *data = mem_strdup("bytes");
        struct blob *blob = data != NULL ? blob_new(r.pool, data, 5) : NULL;
        if (blob == NULL)
            mem_free(data);
        else
            ticket_set_add(&blob->tickets, &t[1].ticket);
        c[3] = blob != NULL ? chunk_fork(&blob->chunk) : NULL;
        over = !mem_failed();
        mem_fail_at(0);
        if (blob != NULL) {
            struct chunk *head = &blob->chunk;
            chunk_free(&head);
        }
        for (int i = 0; i < 4; i++)
            chunk_free(&c[i]);
        ck_assert_uint_eq(t[0].ticket.holders, 0);
        ck_assert_uint_eq(t[1].ticket.holders, 0);
        ck_assert_uint_eq(pool_used(r.pool), 0);
        ck_assert_uint_le(mem_live(), before + 1); /* a spare slab */
    }
    rig_close(&r);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("pool");
    TCase *t = tcase_create("pool");
    tcase_add_test(t, the_limit_is_hard);
    tcase_add_test(t, one_larger_than_all_passes_when_nothing_else_is_out);
    tcase_add_test(t, waiters_are_woken_once_from_the_tick);
    tcase_add_test(t, somebody_who_waits_when_nothing_is_out_is_woken);
    tcase_add_test(t, who_keeps_a_slab_for_later_yields_it_to_who_waits);
    tcase_add_test(t, a_slab_grows_in_place_of_itself);
    tcase_add_test(t, spare_slabs_are_used_again);
    tcase_add_test(t, a_pool_outlives_its_owner_while_slabs_are_out);
    suite_add_tcase(s, t);
    t = tcase_create("arena");
    tcase_add_test(t, arena_gives_aligned_pieces_that_do_not_overlap);
    tcase_add_test(t, an_open_arena_grows_and_keeps_the_old_place);
    tcase_add_test(t, nothing_is_not_out_of_memory);
    suite_add_tcase(s, t);
    t = tcase_create("tickets");
    tcase_set_timeout(t, 30);
    tcase_add_test(t, a_ticket_settles_once_when_its_last_holder_ends);
    tcase_add_loop_test(t, sets_keep_every_hold_through_forks_and_moves, 1, 6);
    tcase_add_test(t, sets_without_memory);
    suite_add_tcase(s, t);
    t = tcase_create("chunks");
    tcase_add_test(t, a_batch_forks_and_settles_by_handle);
    tcase_add_test(t, a_single_shares_and_holds_no_ticket);
    tcase_add_test(t, blobs_share_their_bytes);
    tcase_add_test(t, chunks_without_memory);
    suite_add_tcase(s, t);
    return rig_main(s);
}
