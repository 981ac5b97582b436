"""The parallel loop: the one place of the library where threads compute.

Two ways lead through it, OpenMP's threads and a pool of our own, see team.h and threads.h. Which
one computes changes no result: the work is cut up before, and its parts are added up after it.
Compiled once, for the baseline: the work comes as a function of an instruction set's module.
"""

from cython.parallel cimport parallel, prange, threadid

cdef extern from "Python.h":
    int PyErr_CheckSignals() except -1

cdef extern from "team.h" nogil:
    ctypedef struct region_t "struct gaussmix_region":
        work_t work
        const void *job
        Py_ssize_t n_items
        long long next
        int size
        int places
        int timed

    int NONE, NOT_BUILT, NOT_WANTED, FORKED, SMALL_STACK, NESTED, NOT_FIRST, NO_ROOM, CROWDED
    int EITHER, ONLY_POOL, ONLY_TEAM

    void gaussmix_configure(int mode, int forked, size_t stack_bytes, int spins_for_ever)
    int gaussmix_survive_forks()
    int gaussmix_obstacle()
    int gaussmix_choose(region_t *region, int n_threads)
    int gaussmix_insists_on_team()
    void gaussmix_open_team(region_t *region)
    void gaussmix_enter_team(region_t *region, int thread)
    void gaussmix_take_items(region_t *region, int number, int thread)
    void gaussmix_leave_team(int thread)
    void gaussmix_close_team(region_t *region)
    void gaussmix_run(
        work_t work, const void *job, Py_ssize_t first, Py_ssize_t n_items, int wanted
    )
    int gaussmix_refused()
    int gaussmix_at_work()
    long gaussmix_teams_ever()
    int gaussmix_openmp_limit()
    int gaussmix_bound_cpus()

cdef object on_refusal = None
cdef object on_obstacle = None

# Names for what stands against OpenMP's threads, in the order of their numbers.
OBSTACLES = {
    NONE: "", NOT_BUILT: "not built", NOT_WANTED: "not wanted", FORKED: "forked",
    SMALL_STACK: "small stack", NESTED: "nested", NOT_FIRST: "not first", NO_ROOM: "no room",
    CROWDED: "crowded",
}

if gaussmix_survive_forks() != 0:
    raise MemoryError


def configure(mode, forked, stack_bytes, spins_for_ever):
    """Say who computes loops: "openmp", "pool", or "" for whichever serves better.

    `forked` says that this process is a copy of another, `stack_bytes` what OpenMP's threads have
    for a stack (0 for the system's default), `spins_for_ever` that these may look for work for
    longer than the runtime's default.
    """
    gaussmix_configure(
        {"": EITHER, "pool": ONLY_POOL, "openmp": ONLY_TEAM}[mode], forked, stack_bytes,
        spins_for_ever,
    )


def report_to(refusal, obstacle):
    """Have `refusal` called, without arguments, after loops once the system refused a thread, and
    `obstacle` with a name of `OBSTACLES` where OpenMP was asked for and cannot be; it raises.
    """
    global on_refusal, on_obstacle
    on_refusal, on_obstacle = refusal, obstacle


def obstacle():
    """What stands against OpenMP in this thread now, a name of `OBSTACLES`; "" for nothing."""
    return OBSTACLES[gaussmix_obstacle()]


def openmp_limit():
    """Threads that OpenMP would use, after its own limits; 0 when built without OpenMP.

    Who limits those means all threads.
    """
    return gaussmix_openmp_limit()


def bound_cpus():
    """CPUs of the places that OpenMP ties its threads to; 0 where it ties none."""
    return gaussmix_bound_cpus()


def threads_at_work():
    """Threads of this process that compute in loops now, callers among them."""
    return gaussmix_at_work()


def loops_of_teams():
    """Loops that OpenMP's threads have computed in this process."""
    return gaussmix_teams_ever()


cdef void run_by_team(region_t *region) noexcept nogil:
    """OpenMP's threads compute the items left.

    They share out numbers, each good for all items that nobody has taken. So threads beyond those
    that may compute do not, and one that comes late keeps no item waiting.
    """
    cdef int number
    gaussmix_open_team(region)
    with parallel(num_threads=region.size):
        gaussmix_enter_team(region, threadid())
        for number in prange(region.places, schedule="dynamic", chunksize=1):
            gaussmix_take_items(region, number, threadid())
        gaussmix_leave_team(threadid())
    gaussmix_close_team(region)


cdef int parallel_for(
    work_t work, const void *job, Py_ssize_t n_items, int n_threads
) except -1:
    """Call ``work(job, i, thread)`` for each i below n_items, on at most so many threads.

    `thread` counts from zero. As callers size what a thread writes to by `n_threads`, a number
    below one is refused before anything is computed. Fewer threads compute where others are at
    work already or the system refuses them. Afterwards Ctrl-C is looked for.
    """
    cdef region_t region
    cdef int obstacle = NOT_WANTED
    cdef bint shared = n_threads > 1 and n_items > 1, hindered = False
    if n_threads < 1 and n_items > 0:
        raise ValueError(f"n_threads must be at least 1; got {n_threads}.")
    with nogil:
        region.work, region.job, region.n_items = work, job, n_items
        region.next = region.timed = 0
        if shared:
            obstacle = gaussmix_choose(&region, n_threads)
            hindered = obstacle != NONE and gaussmix_insists_on_team()
        if obstacle == NONE:
            run_by_team(&region)
        elif not hindered:
            gaussmix_run(work, job, <Py_ssize_t> region.next, n_items, n_threads)
    if hindered:
        on_obstacle(OBSTACLES[obstacle])
    if gaussmix_refused() and on_refusal is not None:
        on_refusal()
    return PyErr_CheckSignals()
