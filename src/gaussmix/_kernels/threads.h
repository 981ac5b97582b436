/* The library's own threads: one pool, whose workers help any thread that runs a loop.
 *
 * The caller takes items of its loop itself, from the first on, and so does every worker that comes
 * in time. At the end only those are waited for that still compute an item. All threads at work are
 * counted, those of OpenMP's teams among them, and a loop gets what its caller wants less those of
 * others. Which loops are left to OpenMP: see team.h.
 */
#ifndef GAUSSMIX_THREADS_H
#define GAUSSMIX_THREADS_H

#include <fenv.h>
#include <stddef.h>

#ifdef _OPENMP
#include <omp.h>
#endif

/* --- What the system has: locks, conditions, threads, atomic numbers, a clock ------------------ */

#if defined(_WIN32)

#include <windows.h>

typedef SRWLOCK gaussmix_lock;
typedef CONDITION_VARIABLE gaussmix_condition;
#define LOCK_INIT SRWLOCK_INIT
#define CONDITION_INIT CONDITION_VARIABLE_INIT
#define lock_take(lock) AcquireSRWLockExclusive(lock)
#define lock_release(lock) ReleaseSRWLockExclusive(lock)
#define condition_wait(condition, lock) SleepConditionVariableSRW(condition, lock, INFINITE, 0)
#define condition_wake_one(condition) WakeConditionVariable(condition)
#define condition_wake_all(condition) WakeAllConditionVariable(condition)

static double seconds(void)
{
    LARGE_INTEGER now, frequency;
    QueryPerformanceCounter(&now);
    QueryPerformanceFrequency(&frequency);
    return (double)now.QuadPart / (double)frequency.QuadPart;
}

#else

#include <pthread.h>
#include <signal.h>
#include <time.h>
#ifdef __linux__
#include <sched.h>
#include <sys/prctl.h>
#endif

typedef pthread_mutex_t gaussmix_lock;
typedef pthread_cond_t gaussmix_condition;
#define LOCK_INIT PTHREAD_MUTEX_INITIALIZER
#define CONDITION_INIT PTHREAD_COND_INITIALIZER
#define lock_take(lock) pthread_mutex_lock(lock)
#define lock_release(lock) pthread_mutex_unlock(lock)
#define condition_wait(condition, lock) pthread_cond_wait(condition, lock)
#define condition_wake_one(condition) pthread_cond_signal(condition)
#define condition_wake_all(condition) pthread_cond_broadcast(condition)

static double seconds(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + 1e-9 * (double)now.tv_nsec;
}

#endif

#if defined(_MSC_VER) && !defined(__clang__)
#define atomic_next(number) _InterlockedExchangeAdd64((volatile __int64 *)(number), 1)
#define atomic_read(number) (*(number)) /* volatile; what counts is read again under the lock */
#define atomic_add(number, value) ((void)_InterlockedExchangeAdd((volatile long *)(number), value))
#else
#define atomic_next(number) __atomic_fetch_add(number, 1, __ATOMIC_ACQ_REL)
#define atomic_read(number) __atomic_load_n(number, __ATOMIC_ACQUIRE)
#define atomic_add(number, value) ((void)__atomic_fetch_add(number, value, __ATOMIC_ACQ_REL))
#endif

#if defined(__x86_64__) || defined(_M_X64)
#include <immintrin.h>
#define relax() _mm_pause()
#else
#define relax() ((void)0)
#endif

#if defined(_MSC_VER) && !defined(__clang__)
#define thread_local __declspec(thread)
#else
#define thread_local _Thread_local
#endif

/* --- Work -------------------------------------------------------------------------------------- */

typedef void (*gaussmix_work)(const void *job, ptrdiff_t item, int thread);

/* How long an item of a kind of work takes, for kinds that a thread has computed lately: the less of
 * the last two times, as another program may have had the CPU meanwhile. */
struct gaussmix_kind {
    gaussmix_work work;
    double seconds;
    double last;
};

#define N_KINDS 64
static thread_local struct gaussmix_kind kinds[N_KINDS];

static struct gaussmix_kind *kind_of(gaussmix_work work)
{
    return &kinds[((size_t)work >> 4 ^ (size_t)work >> 10) % N_KINDS];
}

/* Compute an item of the calling thread's own loop, and keep how long it took. */
static void compute_timed(gaussmix_work work, const void *job, ptrdiff_t item, int thread)
{
    struct gaussmix_kind *kind = kind_of(work);
    double start = seconds(), taken;
    work(job, item, thread);
    taken = seconds() - start;
    kind->seconds = kind->work == work && kind->last < taken ? kind->last : taken;
    kind->last = taken;
    kind->work = work;
}

/* --- Places ------------------------------------------------------------------------------------ */

/* CPUs of the places that OMP_PROC_BIND ties threads to; 0 where it ties none. */
static int gaussmix_bound_cpus(void)
{
    int n = 0;
#if defined(_OPENMP) && _OPENMP >= 201511
    if (omp_get_proc_bind() != omp_proc_bind_false)
        for (int place = 0; place < omp_get_num_places(); place++)
            n += omp_get_place_num_procs(place);
#endif
    return n;
}

/* Let the calling thread run at every place: a thread that is tied to one starts others that are,
 * and they would all compute on the same CPU. */
static void take_all_places(void)
{
#if defined(__linux__) && defined(_OPENMP) && _OPENMP >= 201511
    cpu_set_t cpus;
    int ids[CPU_SETSIZE];
    if (gaussmix_bound_cpus() == 0)
        return;
    CPU_ZERO(&cpus);
    for (int place = 0; place < omp_get_num_places(); place++) {
        int n = omp_get_place_num_procs(place);
        if (n > CPU_SETSIZE)
            return;
        omp_get_place_proc_ids(place, ids);
        for (int i = 0; i < n; i++)
            if (ids[i] < CPU_SETSIZE)
                CPU_SET(ids[i], &cpus);
    }
    sched_setaffinity(0, sizeof cpus, &cpus);
#endif
}

/* --- The pool ---------------------------------------------------------------------------------- */

/* To be woken takes a sleeping thread some 5 microseconds, in a virtual machine 50. For so long a
 * thread rather looks again and again: between the passes of a fit it rarely has to sleep. */
#define SPIN_SECONDS 300e-6

/* Twenty times what the kernels need; the system's default, often 8 MB, may be refused sooner. */
#define STACK_BYTES (1 << 20)

struct gaussmix_loop {
    gaussmix_work work;
    const void *job;
    ptrdiff_t n_items;
    volatile long long next;  /* first item that nobody has taken */
    int places;               /* threads it may have, the caller among them */
    int joined;               /* threads that have come so far; they are numbered in that order */
    volatile long inside;     /* workers that may still take or compute an item */
    fenv_t arithmetic;        /* the caller's: how it rounds, and whether denormals are zero */
    struct gaussmix_loop *following;
};

static struct {
    gaussmix_lock lock;            /* of all below */
    gaussmix_condition posted;     /* a loop with places was opened */
    gaussmix_condition left;       /* no worker is left in some loop */
    struct gaussmix_loop *open;    /* loops that workers may join */
    volatile long n_posted;        /* loops ever opened */
    int n_workers, n_sleeping;
    int promised;                  /* places for workers in open loops */
    int at_work;                   /* threads that compute, as far as they have been promised */
    int refused;                   /* whether the system has ever refused a thread */
    int n_teams;                   /* OpenMP's teams that compute */
    long n_teams_ever;
    double teams_spin_until;       /* when the threads of the last team sleep at the latest */
} pool = {.lock = LOCK_INIT, .posted = CONDITION_INIT, .left = CONDITION_INIT};

static void take_items(struct gaussmix_loop *loop, int thread)
{
    ptrdiff_t item = (ptrdiff_t)atomic_next(&loop->next);
    if (thread == 0 && item < loop->n_items) {
        compute_timed(loop->work, loop->job, item, thread);
        item = (ptrdiff_t)atomic_next(&loop->next);
    }
    for (; item < loop->n_items; item = (ptrdiff_t)atomic_next(&loop->next))
        loop->work(loop->job, item, thread);
}

/* Look for a while whether *number is no longer `value`. */
static void spin_while(volatile long *number, long value)
{
    double end = seconds() + SPIN_SECONDS;
    do {
        for (int i = 0; i < 32; i++) {
            if (atomic_read(number) != value)
                return;
            relax();
        }
    } while (seconds() < end);
}

/* The first loop that has a place and items left. The lock is held. */
static struct gaussmix_loop *loop_to_join(void)
{
    struct gaussmix_loop *loop = pool.open;
    while (loop != NULL
           && (loop->joined >= loop->places || atomic_read(&loop->next) >= loop->n_items))
        loop = loop->following;
    return loop;
}

/* Wait for the next loop. Where OpenMP's idle threads look for work, these do not as well: who
 * computes would get less of the CPUs. The lock is held. */
static void wait_for_loop(void)
{
    long seen = pool.n_posted;
    if (pool.n_teams == 0 && seconds() >= pool.teams_spin_until) {
        lock_release(&pool.lock);
        spin_while(&pool.n_posted, seen);
        lock_take(&pool.lock);
    }
    pool.n_sleeping++;
    while (pool.n_posted == seen)
        condition_wait(&pool.posted, &pool.lock);
    pool.n_sleeping--;
}

static void work_for_ever(void)
{
    lock_take(&pool.lock);
    for (;;) {
        struct gaussmix_loop *loop = loop_to_join();
        if (loop == NULL) {
            wait_for_loop();
        } else {
            int thread = loop->joined++;
            atomic_add(&loop->inside, 1);
            lock_release(&pool.lock);
            fesetenv(&loop->arithmetic); /* or bits would depend on who computes an item */
            take_items(loop, thread);
            lock_take(&pool.lock);
            atomic_add(&loop->inside, -1);
            if (loop->inside == 0) /* the loop may be gone as soon as the lock is released */
                condition_wake_all(&pool.left);
        }
    }
}

#if defined(_WIN32)

static DWORD WINAPI worker(LPVOID unused)
{
    (void)unused;
    work_for_ever();
    return 0;
}

static int start_worker(void)
{
    HANDLE thread = CreateThread(
        NULL, STACK_BYTES, worker, NULL, STACK_SIZE_PARAM_IS_A_RESERVATION, NULL);
    if (thread != NULL)
        CloseHandle(thread);
    return thread != NULL;
}

#else

/* Have the calling thread take no signals: Ctrl-C must reach a thread that can be woken by it.
 * Faults stay. */
static void block_signals(sigset_t *before)
{
    sigset_t signals;
    sigfillset(&signals);
    sigdelset(&signals, SIGSEGV);
    sigdelset(&signals, SIGBUS);
    sigdelset(&signals, SIGFPE);
    sigdelset(&signals, SIGILL);
    pthread_sigmask(SIG_SETMASK, &signals, before);
}

static void *worker(void *unused)
{
    (void)unused;
#ifdef __linux__
    prctl(PR_SET_NAME, "gaussmix", 0, 0, 0); /* to be found by in a list of threads */
#endif
    take_all_places();
    work_for_ever();
    return NULL;
}

static int start_worker(void)
{
    pthread_t thread;
    pthread_attr_t attributes;
    sigset_t before;
    int failed;
    if (pthread_attr_init(&attributes) != 0)
        return 0;
    pthread_attr_setstacksize(&attributes, STACK_BYTES);
    pthread_attr_setdetachstate(&attributes, PTHREAD_CREATE_DETACHED);
    block_signals(&before);
    failed = pthread_create(&thread, &attributes, worker, NULL);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    pthread_attr_destroy(&attributes);
    return !failed;
}

#endif

/* How many of so many workers can be promised; new ones are started. The lock is held. */
static int hire(int wanted)
{
    while (pool.n_workers - pool.promised < wanted) {
        if (!start_worker()) {
            pool.refused = 1;
            return pool.n_workers - pool.promised;
        }
        pool.n_workers++;
    }
    return wanted;
}

static void open_loop(struct gaussmix_loop *loop)
{
    struct gaussmix_loop **end = &pool.open;
    while (*end != NULL)
        end = &(*end)->following;
    *end = loop;
    pool.promised += loop->places - 1;
    atomic_add(&pool.n_posted, 1);
    for (int i = 1; i < loop->places && i <= pool.n_sleeping; i++)
        condition_wake_one(&pool.posted);
}

static void close_loop(struct gaussmix_loop *loop)
{
    struct gaussmix_loop **place = &pool.open;
    while (*place != loop)
        place = &(*place)->following;
    *place = loop->following;
    if (loop->inside > 0) {
        lock_release(&pool.lock);
        for (long inside; (inside = atomic_read(&loop->inside)) > 0;) {
            spin_while(&loop->inside, inside);
            if (atomic_read(&loop->inside) == inside)
                break;
        }
        lock_take(&pool.lock);
        while (loop->inside > 0)
            condition_wait(&pool.left, &pool.lock);
    }
    pool.promised -= loop->places - 1;
}

/* Call work(job, item, thread) for every item from the first on; the numbers of threads are below
 * `wanted`. */
static void gaussmix_run(
    gaussmix_work work, const void *job, ptrdiff_t first, ptrdiff_t n_items, int wanted)
{
    struct gaussmix_loop loop = {
        .work = work, .job = job, .next = first, .n_items = n_items, .joined = 1};
    lock_take(&pool.lock);
    loop.places = wanted - pool.at_work;
    if (loop.places > n_items - first)
        loop.places = (int)(n_items - first);
    loop.places = loop.places > 1 ? 1 + hire(loop.places - 1) : 1;
    pool.at_work += loop.places;
    if (loop.places > 1) {
        fegetenv(&loop.arithmetic);
        open_loop(&loop);
    }
    lock_release(&pool.lock);
    take_items(&loop, 0);
    lock_take(&pool.lock);
    if (loop.places > 1)
        close_loop(&loop);
    pool.at_work -= loop.places;
    lock_release(&pool.lock);
}

static int gaussmix_at_work(void)
{
    int n;
    lock_take(&pool.lock);
    n = pool.at_work;
    lock_release(&pool.lock);
    return n;
}

static int gaussmix_refused(void)
{
    int refused;
    lock_take(&pool.lock);
    refused = pool.refused;
    lock_release(&pool.lock);
    return refused;
}

#endif
