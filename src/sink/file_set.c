#include "sink/file_set.h"

#include <string.h>

#include "base/mem.h"
#include "sink/file_out.h"

int file_set_open(struct file_set *set, size_t most)
{
    size_t n = 1;
    while (n < most)
        n *= 2;
    list_init(&set->used);
    set->count = 0;
    set->most = most;
    set->mask = n - 1;
    set->buckets = mem_alloc(n * sizeof *set->buckets);
    if (set->buckets == NULL)
        return -1;
    for (size_t i = 0; i < n; i++)
        list_init(&set->buckets[i]);
    return 0;
}

static void drop(struct file_set *set, struct file_out *o)
{
    list_remove(&o->used);
    list_remove(&o->bucket);
    set->count--;
    file_out_free(&o);
}

void file_set_close(struct file_set *set)
{
    if (set->buckets == NULL)
        return;
    LIST_EACH(node, &set->used)
        drop(set, LIST_ENTRY(node, struct file_out, used));
    mem_free(set->buckets);
    set->buckets = NULL;
}

static struct file_out *find(struct file_set *set, const char *path, size_t len, uint64_t hash)
{
    LIST_EACH(node, &set->buckets[hash & set->mask]) {
        struct file_out *o = LIST_ENTRY(node, struct file_out, bucket);
        if (o->hash == hash && strncmp(o->path, path, len) == 0 && o->path[len] == '\0')
            return o;
    }
    return NULL;
}

struct file_out *file_set_get(struct file_set *set, const char *path, size_t len, uint64_t hash, size_t below,
                              const struct file_rules *rules)
{
    struct file_out *o = find(set, path, len, hash);
    if (o == NULL) {
        o = file_out_new(path, len, below, rules);
        if (o == NULL)
            return NULL;
        if (set->count == set->most)
            drop(set, LIST_ENTRY(set->used.next, struct file_out, used));
        o->hash = hash;
        list_push(&set->buckets[hash & set->mask], &o->bucket);
        set->count++;
    }
    list_remove(&o->used);
    list_push(&set->used, &o->used);
    return o;
}

void file_set_let_moved_go(struct file_set *set, const struct file_out *busy)
{
    LIST_EACH(node, &set->used) {
        struct file_out *o = LIST_ENTRY(node, struct file_out, used);
        if (o != busy && (o->fd < 0 || file_out_moved(o)))
            drop(set, o);
    }
}

double file_set_let_idle_go(struct file_set *set, const struct file_out *busy, double since)
{
    double oldest = 0;
    LIST_EACH(node, &set->used) {
        struct file_out *o = LIST_ENTRY(node, struct file_out, used);
        bool may = o != busy && (o->fd < 0 || (o->regular && o->text));
        if (may && o->touched <= since)
            drop(set, o);
        else if ((may || o == busy) && (oldest == 0 || o->touched < oldest))
            oldest = o->touched;
    }
    return oldest;
}
