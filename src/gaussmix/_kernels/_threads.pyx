"""The parallel loop: the one place of the library where threads compute.

Compiled once, for the baseline: the work comes as a function of an instruction set's module.
"""

from cython.parallel cimport prange, threadid

cdef extern from "Python.h":
    int PyErr_CheckSignals() except -1

cdef extern from "threads.h" nogil:
    ctypedef void (*gaussmix_region)(void *task, int n_threads) noexcept nogil
    void gaussmix_run(gaussmix_region region, void *task, int wanted)
    int gaussmix_threads_start(unsigned long main_thread)
    int gaussmix_refused()
    int gaussmix_at_work()
    int gaussmix_only_helper()
    int gaussmix_openmp_max_threads()

cdef struct Loop:
    work_t work
    const void *job
    Py_ssize_t n_items

cdef object on_refusal = None


def start(unsigned long main_thread, refused):
    """Prepare this process; to be called once, at import.

    Parameters
    ----------
    main_thread : int
        Identifier of the thread that may start parallel regions itself, as nobody else has used
        its OpenMP threads; 0 for none.
    refused : callable
        Called without arguments after a loop that got fewer threads because the system refused
        them.
    """
    global on_refusal
    if gaussmix_threads_start(main_thread) != 0:
        raise MemoryError("pthread_atfork")
    on_refusal = refused


def openmp_enabled():
    """Whether this module was built with OpenMP."""
    return gaussmix_openmp_max_threads() > 0


def openmp_max_threads():
    """Threads OpenMP would use by itself, after its own limits; 0 when built without."""
    return gaussmix_openmp_max_threads()


def threads_at_work():
    """Threads of this process that compute in parallel loops now, each caller among them."""
    return gaussmix_at_work()


def uses_helper():
    """Whether all parallel loops are started by the helper thread, as in a forked process."""
    return bool(gaussmix_only_helper())


cdef int parallel_for(
    work_t work, const void *job, Py_ssize_t n_items, int n_threads
) except -1:
    """Call ``work(job, i, thread)`` for each i below n_items, on at most so many threads.

    `thread` counts from zero. Fewer threads compute where others are busy already or the system
    refuses them. Afterwards Ctrl-C is looked for.
    """
    cdef Loop loop
    loop.work = work
    loop.job = job
    loop.n_items = n_items
    with nogil:
        gaussmix_run(region, &loop, n_threads)
    if gaussmix_refused():
        on_refusal()
    return PyErr_CheckSignals()


cdef void region(void *task, int n_threads) noexcept nogil:
    cdef const Loop *loop = <const Loop *> task
    cdef Py_ssize_t i
    if n_threads == 1:
        # Not a region of one thread: OpenMP would allocate memory, and end the process without.
        for i in range(loop.n_items):
            loop.work(loop.job, i, 0)
        return
    for i in prange(
        loop.n_items, num_threads=n_threads, schedule="dynamic", chunksize=1
    ):
        loop.work(loop.job, i, threadid())
