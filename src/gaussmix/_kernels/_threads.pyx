"""The parallel loop: the one place of the library where threads compute, see threads.h.

Compiled once, for the baseline: the work comes as a function of an instruction set's module.
"""

cdef extern from "Python.h":
    int PyErr_CheckSignals() except -1

cdef extern from "threads.h" nogil:
    void gaussmix_run(work_t work, const void *job, Py_ssize_t n_items, int wanted)
    int gaussmix_survive_forks()
    int gaussmix_refused()
    int gaussmix_at_work()
    int gaussmix_openmp_max_threads()

cdef object on_refusal = None

if gaussmix_survive_forks() != 0:
    raise MemoryError


def report_refusals_to(function):
    """Have `function` called, without arguments, after loops once the system refused a thread."""
    global on_refusal
    on_refusal = function


def openmp_max_threads():
    """Threads that OpenMP would use, after its own limits; 0 when built without OpenMP.

    The threads here are not OpenMP's, but who limits those means all.
    """
    return gaussmix_openmp_max_threads()


def threads_at_work():
    """Threads of this process that compute in loops now, callers among them."""
    return gaussmix_at_work()


cdef int parallel_for(
    work_t work, const void *job, Py_ssize_t n_items, int n_threads
) except -1:
    """Call ``work(job, i, thread)`` for each i below n_items, on at most so many threads.

    `thread` counts from zero. As callers size what a thread writes to by `n_threads`, a number
    below one is refused before anything is computed. Fewer threads compute where others are at
    work already or the system refuses them. Afterwards Ctrl-C is looked for.
    """
    if n_threads < 1 and n_items > 0:
        raise ValueError(f"n_threads must be at least 1; got {n_threads}.")
    with nogil:
        gaussmix_run(work, job, n_items, n_threads)
    if gaussmix_refused() and on_refusal is not None:
        on_refusal()
    return PyErr_CheckSignals()
