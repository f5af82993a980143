#include "config/documents.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <glob.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/mem.h"
#include "config/report.h"

/* Take ${doc} into the list. -1: no memory, it was freed. */
static int add(struct documents *docs, struct document *doc, const struct stat *st)
{
    if (doc == NULL)
        return -1;
    if (docs->count == docs->cap) {
        size_t cap = docs->cap == 0 ? 8 : docs->cap * 2;
        void *items = mem_realloc(docs->items, cap * sizeof *docs->items);
        if (items == NULL) {
            document_free(&doc);
            return -1;
        }
        docs->items = items;
        docs->cap = cap;
    }
    docs->items[docs->count++] = (struct documents_item){doc, st->st_dev, st->st_ino};
    return 0;
}

/* All bytes of ${path}, at most one past DOCUMENT_MAX. -1 with errno; no memory shows in
 * out->failed. */
static int slurp(const char *path, struct stat *st, struct buf *out)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return -1;
    ssize_t n = fstat(fd, st);
    while (n >= 0 && out->len <= DOCUMENT_MAX && buf_reserve(out, 65536)) {
        n = read(fd, out->data + out->len, 65536);
        if (n == 0)
            break;
        if (n > 0)
            out->len += (size_t)n;
        else if (errno == EINTR)
            n = 0;
    }
    int saved = errno;
    close(fd);
    errno = saved;
    return n < 0 ? -1 : 0;
}

/* The file ${path} cannot be used because of ${why}: told where it was named, or as the file's own
 * problem. */
static int refuse(struct documents *docs, const char *path, const struct node *from,
                  const char *why, struct config_report *report)
{
    static const struct stat none;
    if (from != NULL) {
        report_node(report, from, "cannot read \"%s\": %s", path, why);
        return 0;
    }
    if (add(docs, document_new(path, "", 0, (unsigned)docs->count), &none) < 0)
        return -1;
    report_document(report, docs->items[docs->count - 1].doc, 0, "cannot read it: %s", why);
    return 0;
}

static bool loaded(const struct documents *docs, const struct stat *st)
{
    for (size_t i = 0; i < docs->count; i++) {
        if (docs->items[i].dev == st->st_dev && docs->items[i].ino == st->st_ino)
            return true;
    }
    return false;
}

/* Load ${path}, which ${from} named (NULL: the command line). */
static int load(struct documents *docs, const char *path, const struct node *from,
                struct config_report *report)
{
    struct buf text = {0};
    struct stat st;
    int rc = 0;
    if (slurp(path, &st, &text) < 0) {
        rc = refuse(docs, path, from, strerror(errno), report);
    } else if (text.failed) {
        rc = -1;
    } else if (text.len > DOCUMENT_MAX) {
        rc = refuse(docs, path, from, "larger than 16 MiB", report);
    } else if (!loaded(docs, &st)) {
        unsigned order = (unsigned)docs->count;
        const char *bytes = text.len == 0 ? "" : text.data;
        rc = add(docs, document_new(path, bytes, text.len, order), &st);
        if (rc == 0)
            rc = document_read(docs->items[order].doc, report);
    }
    buf_clear(&text);
    return rc;
}

static int is_json(const struct dirent *entry)
{
    size_t len = strlen(entry->d_name);
    return entry->d_name[0] != '.' && len > 5 && strcmp(entry->d_name + len - 5, ".json") == 0;
}

/* Byte order, whatever the locale. */
static int by_name(const struct dirent **a, const struct dirent **b)
{
    return strcmp((*a)->d_name, (*b)->d_name);
}

static int load_directory(struct documents *docs, const char *path, struct config_report *report)
{
    struct dirent **names = NULL;
    int count = scandir(path, &names, is_json, by_name), rc = 0;
    if (count <= 0)
        rc = refuse(docs, path, NULL, count < 0 ? strerror(errno) : "no *.json in this directory",
                    report);
    for (int i = 0; i < count; i++) {
        struct buf file = {0};
        bool slash = path[0] != '\0' && path[strlen(path) - 1] == '/';
        buf_fmt(&file, "%s%s%s", path, slash ? "" : "/", names[i]->d_name);
        const char *name = buf_cstr(&file);
        if (rc == 0)
            rc = name == NULL ? -1 : load(docs, name, NULL, report);
        buf_clear(&file);
        free(names[i]);
    }
    free(names);
    return rc;
}

/* Append the folder of the file ${name}, with its slash, so that glob takes it literally. */
static void add_folder(const char *name, struct buf *out)
{
    const char *slash = strrchr(name, '/');
    for (const char *p = name; slash != NULL && p <= slash; p++) {
        if (strchr("*?[\\", *p) != NULL)
            buf_char(out, '\\');
        buf_char(out, *p);
    }
}

static int glob_failed(const char *path, int errnum)
{
    (void)path;
    return errnum != ENOENT && errnum != ENOTDIR;
}

/* Load what the pattern ${node} names. */
static int include(struct documents *docs, const struct node *node, struct config_report *report)
{
    struct buf pattern = {0};
    glob_t found = {0};
    int rc = 0;
    if (node->text[0] != '/')
        add_folder(node->doc->name, &pattern);
    buf_str(&pattern, node->text);
    const char *text = buf_cstr(&pattern);
    int got = text == NULL ? GLOB_NOSPACE : glob(text, 0, glob_failed, &found);
    if (got == GLOB_NOSPACE)
        rc = -1;
    else if (got == GLOB_ABORTED)
        report_node(report, node, "cannot read \"%s\": %s", node->text, strerror(errno));
    else if (got == GLOB_NOMATCH && strpbrk(node->text, "*?[") == NULL)
        report_node(report, node, "there is no file \"%s\"", node->text);
    for (size_t i = 0; got == 0 && rc == 0 && i < found.gl_pathc; i++)
        rc = load(docs, found.gl_pathv[i], node, report);
    globfree(&found);
    buf_clear(&pattern);
    return rc;
}

/* Follow the includes of every document, also of those that this loads. Wrong types are told by the
 * option table. */
static int follow(struct documents *docs, struct config_report *report)
{
    for (size_t i = 0; i < docs->count; i++) {
        const struct node *root = docs->items[i].doc->root;
        const struct node *list = root == NULL ? NULL : node_member(root, "include");
        if (list == NULL)
            continue;
        for (const struct node *n = list->type == NODE_ARRAY ? list->first : list; n != NULL;
             n = n->next) {
            if (n->type == NODE_STRING && include(docs, n, report) < 0)
                return -1;
            if (n == list)
                break;
        }
    }
    return 0;
}

int documents_load(struct documents *docs, const char *path, struct config_report *report)
{
    struct stat st;
    bool directory = stat(path, &st) == 0 && S_ISDIR(st.st_mode);
    int rc = directory ? load_directory(docs, path, report) : load(docs, path, NULL, report);
    return rc < 0 ? -1 : follow(docs, report);
}

int documents_parse(struct documents *docs, const char *name, const char *text, size_t len,
                    struct config_report *report)
{
    static const struct stat none;
    if (add(docs, document_new(name, text, len, 0), &none) < 0 ||
        document_read(docs->items[0].doc, report) < 0)
        return -1;
    return follow(docs, report);
}

void documents_clear(struct documents *docs)
{
    for (size_t i = 0; i < docs->count; i++)
        document_free(&docs->items[i].doc);
    mem_free(docs->items);
    *docs = (struct documents){0};
}
