#include "base/work.h"

#include <ev.h>
#include <pthread.h>
#include <signal.h>

#include "base/err.h"
#include "base/loop.h"
#include "base/mem.h"

struct work {
    struct loop *loop;
    ev_async arrived;
    pthread_t thread;
    bool running; /* the thread was started */
    unsigned out; /* jobs not called back yet; keeps the loop alive */

    pthread_mutex_t lock; /* what follows */
    pthread_cond_t wake, idle;
    struct list waiting, finished;
    unsigned undone; /* jobs handed over and not in `finished` yet */
    bool quit;
};

static void *serve(void *arg)
{
    struct work *w = arg;
    pthread_mutex_lock(&w->lock);
    for (;;) {
        while (list_empty(&w->waiting) && !w->quit)
            pthread_cond_wait(&w->wake, &w->lock);
        if (w->quit)
            break;
        struct job *j = LIST_ENTRY(list_shift(&w->waiting), struct job, node);
        pthread_mutex_unlock(&w->lock);
        j->run(j);
        pthread_mutex_lock(&w->lock);
        list_push(&w->finished, &j->node);
        w->undone--;
        pthread_cond_signal(&w->idle);
        ev_async_send(loop_ev(w->loop), &w->arrived);
    }
    pthread_mutex_unlock(&w->lock);
    return NULL;
}

static void call_back(struct work *w, struct list *jobs)
{
    struct list ready, *node;
    list_init(&ready);
    pthread_mutex_lock(&w->lock);
    list_splice(&ready, jobs);
    pthread_mutex_unlock(&w->lock);
    while ((node = list_shift(&ready)) != NULL) {
        struct job *j = LIST_ENTRY(node, struct job, node);
        if (--w->out == 0)
            ev_unref(loop_ev(w->loop));
        j->done(j);
    }
}

static void on_arrived(struct ev_loop *ev, ev_async *a, int events)
{
    (void)ev;
    (void)events;
    struct work *w = a->data;
    call_back(w, &w->finished);
}

struct work *work_new(struct loop *loop, struct err *e)
{
    struct work *w = mem_zalloc(1, sizeof *w);
    if (w == NULL) {
        err_nomem(e);
        return NULL;
    }
    w->loop = loop;
    list_init(&w->waiting);
    list_init(&w->finished);
    pthread_mutex_init(&w->lock, NULL);
    pthread_cond_init(&w->wake, NULL);
    pthread_cond_init(&w->idle, NULL);
    ev_async_init(&w->arrived, on_arrived);
    w->arrived.data = w;
    ev_async_start(loop_ev(loop), &w->arrived);
    ev_unref(loop_ev(loop)); /* only jobs under way keep the loop alive */
    return w;
}

void work_wait(struct work *w)
{
    pthread_mutex_lock(&w->lock);
    while (w->undone > 0)
        pthread_cond_wait(&w->idle, &w->lock);
    pthread_mutex_unlock(&w->lock);
    call_back(w, &w->finished);
}

void work_free(struct work **w)
{
    struct work *dead = *w;
    *w = NULL;
    if (dead == NULL)
        return;
    if (dead->running) {
        pthread_mutex_lock(&dead->lock);
        dead->quit = true;
        pthread_cond_signal(&dead->wake);
        pthread_mutex_unlock(&dead->lock);
        pthread_join(dead->thread, NULL);
    }
    call_back(dead, &dead->finished);
    call_back(dead, &dead->waiting);
    ev_ref(loop_ev(dead->loop));
    ev_async_stop(loop_ev(dead->loop), &dead->arrived);
    pthread_cond_destroy(&dead->wake);
    pthread_cond_destroy(&dead->idle);
    pthread_mutex_destroy(&dead->lock);
    mem_free(dead);
}

/* The thread takes no signals: they are the loop's. */
static bool start_thread(struct work *w)
{
    sigset_t all, old;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &old);
    bool ok = pthread_create(&w->thread, NULL, serve, w) == 0;
    pthread_sigmask(SIG_SETMASK, &old, NULL);
    return ok;
}

void work_start(struct work *w, struct job *j)
{
    if (w->out++ == 0)
        ev_ref(loop_ev(w->loop));
    list_init(&j->node);
    if (!w->running)
        w->running = start_thread(w);
    pthread_mutex_lock(&w->lock);
    if (!w->running) { /* no thread to be had: then here, rather late than never */
        pthread_mutex_unlock(&w->lock);
        j->run(j);
        pthread_mutex_lock(&w->lock);
        list_push(&w->finished, &j->node);
        ev_async_send(loop_ev(w->loop), &w->arrived);
    } else {
        list_push(&w->waiting, &j->node);
        w->undone++;
        pthread_cond_signal(&w->wake);
    }
    pthread_mutex_unlock(&w->lock);
}
