"""One fault of each kind that the scripts of this directory look for, and the same without it.

A detector that does not see these would not see the kernels' either, so each script first asks
that its own be reported. Built by the scripts alone; vectors, the operations on them and the
parallel loop are the kernels' own.
"""

from libc.stdlib cimport free, malloc

from gaussmix._kernels._threads cimport parallel_for, work_t

cdef extern from "simd.h" nogil:
    ctypedef double vec
    enum: VL
    vec vload(const double *p)
    vec vset1(double a)
    void vstore(double *p, vec a)
    void vadd_to(double *total, vec a)
    bint vany_gt(vec a, vec b)


# --- Memory and arithmetic ------------------------------------------------------------------

def add_within(double[::1] a):
    """Add to the last vector of an array."""
    vadd_to(&a[a.shape[0] - VL], vset1(1.0))


def read_beyond_the_end(double[::1] a):
    """Read a vector of which one value lies behind the array."""
    vstore(&a[0], vload(&a[a.shape[0] - VL] + 1))


def write_beyond_the_end(double[::1] a):
    """Write a vector of which one value lies behind the array."""
    vstore(&a[a.shape[0] - VL] + 1, vset1(1.0))


def use_after_free():
    """Read memory that was given back."""
    cdef double *memory = <double *> malloc(sizeof(double))
    memory[0] = 1.0
    free(memory)
    return memory[0]


def any_positive(Py_ssize_t n_written):
    """Decide by all values of a vector of which only some have been written."""
    cdef Py_ssize_t i
    cdef double *memory = <double *> malloc(VL * sizeof(double))
    for i in range(n_written):
        memory[i] = 0.0
    positive = bool(vany_gt(vload(memory), vset1(0.0)))
    free(memory)
    return positive


def square(Py_ssize_t a):
    """The product of two sizes, which overflows from 2^32 on."""
    return a * a


# --- Threads --------------------------------------------------------------------------------

def race(double[::1] sums, int n_threads):
    """Every item adds to the same sums."""
    add_all(add_to_first, sums, n_threads)


def no_race(double[::1] sums, int n_threads):
    """Every item adds to sums of its own."""
    add_all(add_to_own, sums, n_threads)


cdef struct Sums:
    double *sums
    Py_ssize_t n
    Py_ssize_t shift


cdef int add_all(work_t add, double[::1] sums, int n_threads) except -1:
    """Loop again and again, each time shifted, so as to add to what other threads have added to.

    That is right because a loop ends when all its threads have. A detector that reports it does
    not understand by what they wait for each other.
    """
    cdef Sums call
    call.sums = &sums[0]
    call.n = sums.shape[0] // VL
    for shift in range(200):
        call.shift = shift
        parallel_for(add, &call, call.n, n_threads)


cdef void add_to_first(const void *argument, Py_ssize_t item, int thread) noexcept nogil:
    vadd_to((<const Sums *> argument).sums, vset1(1.0))


cdef void add_to_own(const void *argument, Py_ssize_t item, int thread) noexcept nogil:
    cdef const Sums *call = <const Sums *> argument
    vadd_to(call.sums + VL * ((item + call.shift) % call.n), vset1(1.0))
