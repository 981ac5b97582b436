"""The parallel loop, for the kernels of every instruction set."""

ctypedef void (*work_t)(const void *job, Py_ssize_t item, int thread) noexcept nogil

cdef int parallel_for(
    work_t work, const void *job, Py_ssize_t n_items, int n_threads
) except -1
