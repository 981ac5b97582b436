/* OpenMP's threads: which loops a team of theirs computes, and what it takes that nothing is lost.
 *
 * GNU's runtime keeps a team for every thread that opens one, waits for ever for threads that a
 * forked process has no more, ends the process where the system refuses a thread, and at the end of
 * a loop waits for all its threads, also for those that other programs have kept from the CPUs all
 * the while. So a loop is OpenMP's where none of this matters: in a process that was not forked, in
 * the first thread that opened a team, when no other loop is at work, where the system has just
 * shown that it has the threads, and when the loop is long beside a wait. The pool has the others.
 */
#ifndef GAUSSMIX_TEAM_H
#define GAUSSMIX_TEAM_H

#include <limits.h>
#include <stdlib.h>

#include "threads.h"

/* A loop is long if it keeps a team busy for so long. Beside another program a team may have to
 * wait for a thread that the system lets run again some milliseconds later. */
#define LONG_SECONDS 10e-3

/* So long the threads of a team may look for work before they sleep: GNU's 300,000 pauses of up to
 * 60 ns, with LLVM's runtime KMP_BLOCKTIME's 200 ms. So long short loops are the team's as well:
 * workers of the pool would get no CPU beside threads that look for work. */
#ifdef __clang__
#define TEAM_SPIN_SECONDS 250e-3
#else
#define TEAM_SPIN_SECONDS 20e-3
#endif

/* A team that was waited for so much longer than an item takes has threads that other programs keep
 * from the CPUs. It gets no loop for a while then: the pool does not wait for such threads. */
#define LATE_SECONDS 1e-3
#define CROWDED_SECONDS 2.0

/* Five times what the kernels need. */
#define LEAST_STACK_BYTES (1 << 18)

/* Who computes loops, as GAUSSMIX_THREADING says. */
enum { EITHER, ONLY_POOL, ONLY_TEAM };

/* What stands against a team. */
enum {
    NONE, NOT_BUILT, NOT_WANTED, FORKED, SMALL_STACK, NESTED, NOT_FIRST, NO_ROOM, CROWDED
};

static struct {
    int mode;
    volatile long forked;   /* whether this process is a copy of one that may have had teams */
    volatile long owned;    /* whether some thread has opened a team; with the pool's lock */
    size_t stack_bytes;     /* of OpenMP's threads, where OMP_STACKSIZE says so; else 0 */
    int spins_for_ever;     /* whether somebody has told OpenMP's idle threads how long to look */
} team;

static thread_local struct {
    int owner;            /* whether this is the thread that opens teams */
    int size;             /* of its last team: so many threads there are */
    int refused;          /* the smallest team for which there was no room; 0 if there always was */
    double awake_until;   /* so long its team may look for work */
    double crowded_until; /* so long its team gets no loop */
    fenv_t arithmetic;    /* in a team of another thread: what it was before */
    int takes_no_signals;
} mine;

/* A loop of a team's. */
struct gaussmix_region {
    gaussmix_work work;
    const void *job;
    ptrdiff_t n_items;
    volatile long long next;  /* first item that nobody has taken */
    int size;                 /* threads of the team */
    int places;               /* of them may compute */
    int timed;                /* whether the caller has computed an item */
    double left;              /* when the caller found no item any more */
    fenv_t arithmetic;        /* the caller's: how it rounds, and whether denormals are zero */
};

/* --- Whether there can be a team ---------------------------------------------------------------- */

/* Threads that OpenMP may have in all. */
static int thread_limit(void)
{
#if defined(_OPENMP) && _OPENMP >= 200805
    return omp_get_thread_limit();
#else
    return INT_MAX;
#endif
}

/* So long the threads of a team look for work at most. */
static double spin_seconds(void)
{
    return team.spins_for_ever ? 1e9 : TEAM_SPIN_SECONDS;
}

static int is_awake(void) { return seconds() < mine.awake_until; }

/* Whether the items left would keep the threads busy for long. The first of them is computed to find
 * out, if this thread has computed none of the kind before. */
static int is_long(struct gaussmix_region *region, int n_threads)
{
    struct gaussmix_kind *kind = kind_of(region->work);
    double expected;
    if (kind->work != region->work)
        compute_timed(region->work, region->job, (ptrdiff_t)region->next++, 0);
    expected = kind->seconds * (double)(region->n_items - region->next) / n_threads;
    /* Loops about as long as the limit do not go now to the one and now to the other. */
    if (expected < (is_awake() ? LONG_SECONDS / 8 : LONG_SECONDS))
        return 0;
    mine.awake_until = seconds() + expected + spin_seconds();
    return 1;
}

/* What stands against a team of the calling thread's. */
static int gaussmix_obstacle(void)
{
#ifdef _OPENMP
    if (team.mode == ONLY_POOL)
        return NOT_WANTED;
    if (atomic_read(&team.forked))
        return FORKED;
    if (team.stack_bytes != 0 && team.stack_bytes < LEAST_STACK_BYTES)
        return SMALL_STACK;
    if (team.mode == ONLY_TEAM)
        return NONE;
    if (omp_in_parallel())
        return NESTED;
    if (atomic_read(&team.owned) && !mine.owner)
        return NOT_FIRST;
    if (seconds() < mine.crowded_until)
        return CROWDED;
    return mine.refused == 2 ? NO_ROOM : NONE;
#else
    return NOT_BUILT;
#endif
}

#if defined(_WIN32)

/* Windows does not refuse threads while it has memory. */
static int has_room_for(int n_threads)
{
    (void)n_threads;
    return 1;
}

#else

#include <sys/stat.h>
#include <unistd.h>

/* Threads of this process; 0 where /proc does not say. */
static long threads_there(void)
{
    struct stat tasks;
    return stat("/proc/self/task", &tasks) == 0 ? (long)tasks.st_nlink - 2 : 0;
}

static void *pass_gate(void *gate)
{
    lock_take((gaussmix_lock *)gate);
    lock_release((gaussmix_lock *)gate);
    return NULL;
}

/* Start threads that wait at the gate; returns how many the system allowed. */
static int start_at_gate(gaussmix_lock *gate, pthread_t *threads, int wanted)
{
    pthread_attr_t attributes;
    sigset_t before;
    int n = 0;
    if (pthread_attr_init(&attributes) != 0)
        return 0;
    if (team.stack_bytes != 0)
        pthread_attr_setstacksize(&attributes, team.stack_bytes);
    block_signals(&before);
    while (n < wanted && pthread_create(&threads[n], &attributes, pass_gate, gate) == 0)
        n++;
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    pthread_attr_destroy(&attributes);
    return n;
}

/* Whether the system has so many more threads for us: found out by starting them, since limits on
 * processes, on a cgroup's pids and on memory all count. Those started are gone on return. */
static int has_room_for(int n_threads)
{
    gaussmix_lock gate = LOCK_INIT;
    pthread_t *threads = malloc((size_t)n_threads * sizeof *threads);
    long before = threads_there();
    int n;
    if (threads == NULL)
        return 0;
    lock_take(&gate);
    n = start_at_gate(&gate, threads, n_threads);
    lock_release(&gate);
    for (int i = 0; i < n; i++)
        pthread_join(threads[i], NULL);
    free(threads);
    /* A thread that was joined counts for a moment yet. Nor is it known who else started some. */
    for (int i = 0; i < 1000 && threads_there() > before; i++)
        usleep(50);
    return n == n_threads;
}

#endif

/* Whether the calling thread may open teams: the first that wants to may. */
static int own_teams(void)
{
    lock_take(&pool.lock);
    if (team.mode == ONLY_TEAM || !team.owned)
        mine.owner = team.owned = 1;
    lock_release(&pool.lock);
    return mine.owner;
}

/* NONE if a team of region->size threads should compute the items left, of which the first may have
 * been computed; else why the pool should.
 *
 * The runtime ends threads when a team is smaller than the last, and starts them anew when it is
 * larger. So a team has its size from long loops, which want all threads that they may have; short
 * ones take the team as it is. */
static int gaussmix_choose(struct gaussmix_region *region, int n_threads)
{
    int obstacle = gaussmix_obstacle(), sets_size, there = mine.size > 0 ? mine.size : 1;
    if (obstacle != NONE)
        return obstacle;
    if (n_threads > thread_limit())
        n_threads = thread_limit();
    if (team.mode == EITHER && (n_threads < 2 || gaussmix_at_work() > 0))
        return NOT_WANTED;
    sets_size = is_long(region, n_threads) || (team.mode == ONLY_TEAM && n_threads > there);
    if (team.mode == EITHER && !sets_size && !is_awake())
        return NOT_WANTED;
    region->size = sets_size ? n_threads : there;
    if (team.mode == EITHER && region->size < 2) /* long loops have found no room */
        return NOT_WANTED;
    if (region->size > there) {
        if (mine.refused != 0 && region->size >= mine.refused && team.mode == EITHER)
            return NO_ROOM;
        if (!has_room_for(region->size - there)) {
            mine.refused = region->size;
            return NO_ROOM;
        }
    }
    region->places = n_threads < region->size ? n_threads : region->size;
    return own_teams() ? NONE : NOT_FIRST;
}

/* Whether a loop that no team can have is an error, rather than the pool's. */
static int gaussmix_insists_on_team(void) { return team.mode == ONLY_TEAM; }

/* --- The loop of a team: what _threads.pyx calls before, in and after it ------------------------- */

static void gaussmix_open_team(struct gaussmix_region *region)
{
    fegetenv(&region->arithmetic);
    lock_take(&pool.lock);
    pool.at_work += region->places;
    pool.n_teams++;
    pool.n_teams_ever++;
    atomic_add(&pool.n_posted, 1); /* workers that look for a loop go to sleep */
    lock_release(&pool.lock);
}

static void gaussmix_close_team(struct gaussmix_region *region)
{
    double now = seconds();
    mine.size = region->size;
    if (region->timed && now - region->left > kind_of(region->work)->seconds + LATE_SECONDS)
        mine.crowded_until = now + CROWDED_SECONDS;
    lock_take(&pool.lock);
    pool.at_work -= region->places;
    pool.n_teams--;
    pool.teams_spin_until = now + spin_seconds();
    lock_release(&pool.lock);
}

/* A thread of the team comes: it computes as the caller does, or bits would depend on who computes
 * an item, and takes no signals. */
static void gaussmix_enter_team(struct gaussmix_region *region, int thread)
{
    if (thread == 0) {
#ifdef _OPENMP
        region->size = omp_get_num_threads(); /* fewer than asked for, where OMP_DYNAMIC is set */
#endif
        return;
    }
    fegetenv(&mine.arithmetic);
    fesetenv(&region->arithmetic);
#if !defined(_WIN32)
    if (!mine.takes_no_signals) {
        block_signals(NULL);
        mine.takes_no_signals = 1;
    }
#endif
}

/* Compute items until none is left, as the thread of this number. */
static void gaussmix_take_items(struct gaussmix_region *region, int number, int thread)
{
    ptrdiff_t item;
    while ((item = (ptrdiff_t)atomic_next(&region->next)) < region->n_items) {
        if (thread == 0 && !region->timed) {
            region->timed = 1;
            compute_timed(region->work, region->job, item, number);
        } else {
            region->work(region->job, item, number);
        }
    }
    if (thread == 0)
        region->left = seconds();
}

static void gaussmix_leave_team(int thread)
{
    if (thread != 0) /* others may use the runtime too */
        fesetenv(&mine.arithmetic);
}

/* --- Limits ------------------------------------------------------------------------------------- */

/* Threads that OpenMP would use, after all limits on it; 0 without OpenMP. */
static int gaussmix_openmp_limit(void)
{
#ifdef _OPENMP
    int most = omp_get_max_threads();
    return most < thread_limit() ? most : thread_limit();
#else
    return 0;
#endif
}

/* Loops that teams have computed in this process. */
static long gaussmix_teams_ever(void)
{
    long n;
    lock_take(&pool.lock);
    n = pool.n_teams_ever;
    lock_release(&pool.lock);
    return n;
}

/* --- Once in a process --------------------------------------------------------------------------- */

static void gaussmix_configure(int mode, int forked, size_t stack_bytes, int spins_for_ever)
{
    team.mode = mode;
    team.forked = forked;
    team.stack_bytes = stack_bytes;
    team.spins_for_ever = spins_for_ever;
}

/* The forking thread holds the lock, so that the child gets it in order. No other thread comes with
 * the child: neither workers nor those that ran a loop, nor those of teams, also of others'. */

#if defined(_WIN32)

static int gaussmix_survive_forks(void) { return 0; }

#else

static void before_fork(void) { lock_take(&pool.lock); }

static void after_fork_in_parent(void) { lock_release(&pool.lock); }

static void after_fork_in_child(void)
{
    pool.open = NULL;
    pool.n_workers = pool.n_sleeping = pool.promised = pool.at_work = pool.n_teams = 0;
    pool.teams_spin_until = 0.0;
    pthread_cond_init(&pool.posted, NULL);
    pthread_cond_init(&pool.left, NULL);
    lock_release(&pool.lock);
    team.forked = 1;
}

/* To be called once; an error number where there is no memory. */
static int gaussmix_survive_forks(void)
{
    return pthread_atfork(before_fork, after_fork_in_parent, after_fork_in_child);
}

#endif
#endif
