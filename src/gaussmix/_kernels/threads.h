/* Which thread starts a parallel region, and with how many threads.
 *
 * GNU OpenMP keeps a pool of workers for every thread that starts a region, waits for ever for
 * workers that a fork has left behind, and ends the process when the system refuses a thread.
 * Therefore:
 *
 * - Regions are started by the main thread, or for all other threads by one helper. There are two
 *   pools at most, however many threads ask; who finds the helper at work computes alone.
 * - A forked process leaves its main thread's pool alone, which exists in the parent only: its
 *   regions are all started by a helper of its own. The cost is a hand-over for each region.
 * - All threads at work are counted, and a region gets what its caller wants less those.
 * - Threads that a pool would have to start are started first as a trial. Where the system refuses
 *   some, the region does with fewer.
 *
 * Without POSIX threads (Windows, where no process forks) callers start their regions themselves.
 */
#ifndef GAUSSMIX_THREADS_H
#define GAUSSMIX_THREADS_H

#include <stddef.h>

#ifdef _OPENMP
#include <omp.h>
static int gaussmix_openmp_max_threads(void) { return omp_get_max_threads(); }
#else
static int gaussmix_openmp_max_threads(void) { return 0; }
#endif

typedef void (*gaussmix_region)(void *task, int n_threads);

#if !defined(_WIN32)

#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#ifdef __linux__
#include <sys/prctl.h>
#endif

static struct {
    pthread_mutex_t lock;
    unsigned long main_thread; /* as Python numbers threads; 0 when its pool may be stale */
    int at_work;               /* threads that compute now */
    int refused;               /* whether the system has ever refused a thread */
    int main_team, helper_team; /* threads of the last region, which the pools have kept */
    struct {
        pthread_cond_t posted, finished;
        int exists, busy, done;
        gaussmix_region region;
        void *task;
        int n_threads;
    } helper;
} gaussmix_threads = {
    .lock = PTHREAD_MUTEX_INITIALIZER,
    .helper = {.posted = PTHREAD_COND_INITIALIZER, .finished = PTHREAD_COND_INITIALIZER},
};

/* The workers that the helper starts inherit both: a name to be found by in a list of threads, and
 * that signals, Ctrl-C among them, go to threads that can be woken by them. */
static void gaussmix_introduce_helper(void)
{
    sigset_t signals;
#ifdef __linux__
    prctl(PR_SET_NAME, "gaussmix", 0, 0, 0);
#endif
    sigfillset(&signals);
    sigdelset(&signals, SIGSEGV);
    sigdelset(&signals, SIGBUS);
    sigdelset(&signals, SIGFPE);
    sigdelset(&signals, SIGILL);
    pthread_sigmask(SIG_SETMASK, &signals, NULL);
}

static void *gaussmix_helper_loop(void *unused)
{
    (void)unused;
    gaussmix_introduce_helper();
    pthread_mutex_lock(&gaussmix_threads.lock);
    for (;;) {
        while (gaussmix_threads.helper.region == NULL)
            pthread_cond_wait(&gaussmix_threads.helper.posted, &gaussmix_threads.lock);
        pthread_mutex_unlock(&gaussmix_threads.lock);
        gaussmix_threads.helper.region(
            gaussmix_threads.helper.task, gaussmix_threads.helper.n_threads);
        pthread_mutex_lock(&gaussmix_threads.lock);
        gaussmix_threads.helper.region = NULL;
        gaussmix_threads.helper.done = 1;
        pthread_cond_signal(&gaussmix_threads.helper.finished);
    }
    return NULL;
}

/* Whether the helper is there and free. The lock is held. */
static int gaussmix_helper_ready(void)
{
    pthread_t thread;
    if (gaussmix_threads.helper.busy)
        return 0;
    if (!gaussmix_threads.helper.exists) {
        if (pthread_create(&thread, NULL, gaussmix_helper_loop, NULL) != 0) {
            gaussmix_threads.refused = 1;
            return 0;
        }
        pthread_detach(thread);
        gaussmix_threads.helper.exists = 1;
    }
    return 1;
}

/* Have the helper run a region, and wait for its end. The lock is held, and let go meanwhile. */
static void gaussmix_helper_run(gaussmix_region region, void *task, int n_threads)
{
    gaussmix_threads.helper.busy = 1;
    gaussmix_threads.helper.done = 0;
    gaussmix_threads.helper.region = region;
    gaussmix_threads.helper.task = task;
    gaussmix_threads.helper.n_threads = n_threads;
    pthread_cond_signal(&gaussmix_threads.helper.posted);
    while (!gaussmix_threads.helper.done)
        pthread_cond_wait(&gaussmix_threads.helper.finished, &gaussmix_threads.lock);
    gaussmix_threads.helper.busy = 0;
}

static void *gaussmix_wait_at_gate(void *gate)
{
    pthread_mutex_lock(gate);
    pthread_mutex_unlock(gate);
    return NULL;
}

/* How many of so many more threads the system grants, tried with threads like OpenMP's. */
static int gaussmix_granted(int wanted)
{
    pthread_mutex_t gate = PTHREAD_MUTEX_INITIALIZER;
    pthread_t *threads = malloc((size_t)wanted * sizeof *threads);
    int granted = 0;
    if (threads == NULL)
        return 0;
    pthread_mutex_lock(&gate);
    while (granted < wanted
           && pthread_create(&threads[granted], NULL, gaussmix_wait_at_gate, &gate) == 0)
        granted++;
    pthread_mutex_unlock(&gate);
    for (int i = 0; i < granted; i++)
        pthread_join(threads[i], NULL);
    free(threads);
    return granted;
}

/* Threads, at most n, that a pool of `*team` can have; it has so many afterwards. */
static int gaussmix_grow(int *team, int n)
{
    if (n > *team) {
        int present = *team > 1 ? *team : 1;
        int granted = gaussmix_granted(n - present);
        if (granted < n - present) {
            gaussmix_threads.refused = 1;
            n = present + granted;
        }
    }
    if (n > 1) /* a pool sends away whom a smaller region does not need, and keeps all for one */
        *team = n;
    return n;
}

static void gaussmix_run(gaussmix_region region, void *task, int wanted)
{
    int n, by_helper = 0;
    pthread_mutex_lock(&gaussmix_threads.lock);
    n = wanted - gaussmix_threads.at_work;
    if (n > 1) {
        by_helper = (unsigned long)pthread_self() != gaussmix_threads.main_thread;
        if (by_helper && !gaussmix_helper_ready())
            n = 1;
        else
            n = gaussmix_grow(
                by_helper ? &gaussmix_threads.helper_team : &gaussmix_threads.main_team, n);
    }
    if (n < 1)
        n = 1;
    gaussmix_threads.at_work += n;
    if (n > 1 && by_helper) {
        gaussmix_helper_run(region, task, n);
    } else {
        pthread_mutex_unlock(&gaussmix_threads.lock);
        region(task, n);
        pthread_mutex_lock(&gaussmix_threads.lock);
    }
    gaussmix_threads.at_work -= n;
    pthread_mutex_unlock(&gaussmix_threads.lock);
}

static int gaussmix_refused(void) { return gaussmix_threads.refused; }

static int gaussmix_at_work(void)
{
    int n;
    pthread_mutex_lock(&gaussmix_threads.lock);
    n = gaussmix_threads.at_work;
    pthread_mutex_unlock(&gaussmix_threads.lock);
    return n;
}

/* Around a fork the lock is held, so that the child gets it in order; no other thread comes with
 * the child, and so neither do the helper and the threads at work. */
static void gaussmix_before_fork(void) { pthread_mutex_lock(&gaussmix_threads.lock); }

static void gaussmix_after_fork_in_parent(void) { pthread_mutex_unlock(&gaussmix_threads.lock); }

static void gaussmix_after_fork_in_child(void)
{
    gaussmix_threads.main_thread = 0;
    gaussmix_threads.at_work = 0;
    gaussmix_threads.main_team = gaussmix_threads.helper_team = 0;
    gaussmix_threads.helper.exists = gaussmix_threads.helper.busy = 0;
    gaussmix_threads.helper.region = NULL;
    pthread_cond_init(&gaussmix_threads.helper.posted, NULL);
    pthread_cond_init(&gaussmix_threads.helper.finished, NULL);
    pthread_mutex_unlock(&gaussmix_threads.lock);
}

/* To be called once. `main_thread`: 0 where even the main thread's pool may be stale, because this
 * process was forked already. Returns 0, or an error number. */
static int gaussmix_threads_start(unsigned long main_thread)
{
    gaussmix_threads.main_thread = main_thread;
    return pthread_atfork(
        gaussmix_before_fork, gaussmix_after_fork_in_parent, gaussmix_after_fork_in_child);
}

static int gaussmix_only_helper(void) { return gaussmix_threads.main_thread == 0; }

#else

static void gaussmix_run(gaussmix_region region, void *task, int wanted) { region(task, wanted); }
static int gaussmix_refused(void) { return 0; }
static int gaussmix_at_work(void) { return 0; }
static int gaussmix_threads_start(unsigned long main_thread) { (void)main_thread; return 0; }
static int gaussmix_only_helper(void) { return 0; }

#endif
#endif
