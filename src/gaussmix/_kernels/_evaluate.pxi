# Scores of rows: log-density, responsibilities and labels.

from libc.stdlib cimport free, malloc

import numpy

from gaussmix._kernels._threads cimport parallel_for

# Bits below a row's best where a component is out of the question as its label.
cdef scalar LABEL_FLOOR = -1.0


cdef class ScoringJob:
    """A mixture prepared for `evaluate`; arguments are those of `accumulate`.

    Nothing in it changes once it is made, so threads may share it.
    """
    cdef Job job
    cdef object arrays                      # what the job points to

    def __cinit__(
        self, int estep, centre, means, factors, Py_ssize_t factor_stride, constants
    ):
        packed = prepare(
            &self.job, estep, NO_SUMS, PLAIN, centre, means, factors, factor_stride, constants,
            STRIP,
        )
        self.arrays = (centre, means, factors, constants, packed)


cdef struct Scoring:
    # One call of `evaluate`; outputs are of the type of the rows, NULL where not asked for.
    Job job
    Py_ssize_t chunk_rows
    Py_ssize_t first_chunk
    double *scratch
    Py_ssize_t scratch_stride
    void *log_density
    void *responsibilities
    Py_ssize_t *labels
    int *spoilt                             # (threads,) whether rows were not finite


def evaluate(
    const real[:, ::1] X,                   # IN (n, d)
    ScoringJob prepared,                    # IN
    Py_ssize_t tile_rows,
    Py_ssize_t chunk_rows,
    Py_ssize_t round_chunks,
    real[::1] log_density,                  # OUT (n,) in nats, or None
    real[:, ::1] responsibilities,          # OUT (n, K) or None
    Py_ssize_t[::1] labels,                 # OUT (n,) or None
    int n_threads,
):
    """Log-density, responsibilities and labels of rows, whichever are asked for.

    Returns whether all rows are finite, less the centre; if not, what was written means nothing.
    """
    cdef Scoring call
    cdef Py_ssize_t begin, n_chunks
    cdef double[::1] scratch
    cdef int[::1] spoilt
    call.job = prepared.job
    call.job.tile_rows = tile_rows
    attach(&call.job, &X[0, 0], X.shape[0], real is float, None)
    call.log_density = call.responsibilities = call.labels = NULL
    if log_density is not None:
        call.log_density = &log_density[0]
    if responsibilities is not None:
        call.responsibilities = &responsibilities[0, 0]
    if labels is not None:
        call.labels = &labels[0]
        if log_density is None and responsibilities is None:
            call.job.floor = LABEL_FLOOR
    spoilt = numpy.zeros(n_threads, dtype=numpy.intc)
    call.spoilt = &spoilt[0]
    call.chunk_rows = chunk_rows
    call.scratch_stride = thread_stride(&call.job)
    scratch = numpy.empty(call.scratch_stride * n_threads)
    call.scratch = &scratch[0]
    n_chunks = (call.job.n + chunk_rows - 1) // chunk_rows
    for begin from 0 <= begin < n_chunks by round_chunks:
        call.first_chunk = begin
        parallel_for(evaluate_item, &call, min(round_chunks, n_chunks - begin), n_threads)
    return not numpy.any(spoilt)


cdef void evaluate_item(const void *argument, Py_ssize_t item, int thread) noexcept nogil:
    """Score chunk `item` of the round."""
    cdef const Scoring *call = <const Scoring *> argument
    cdef Py_ssize_t first = (call.first_chunk + item) * call.chunk_rows
    cdef Py_ssize_t last = min(first + call.chunk_rows, call.job.n)
    cdef double *scratch = call.scratch + thread * call.scratch_stride
    if call.job.single_rows:
        evaluate_chunk[float](
            &call.job, first, last, scratch, <float *> call.log_density,
            <float *> call.responsibilities, call.labels, call.spoilt + thread,
        )
    else:
        evaluate_chunk[double](
            &call.job, first, last, scratch, <double *> call.log_density,
            <double *> call.responsibilities, call.labels, call.spoilt + thread,
        )


def evaluate_few(
    const real[:, ::1] X,                   # IN (n, d)
    ScoringJob prepared,                    # IN
    Py_ssize_t tile_rows,
    real[::1] log_density,                  # OUT (n,) in nats, or None
    real[:, ::1] responsibilities,          # OUT (n, K) or None
    Py_ssize_t[::1] labels,                 # OUT (n,) or None
):
    """Check and score rows without a parallel region, where each microsecond counts.

    Returns the position of the first NaN or infinity in row-major order, when nothing is
    written, or -1.
    """
    cdef Job job = prepared.job
    cdef int spoilt = 0
    cdef Py_ssize_t bad
    cdef double *scratch
    attach(&job, &X[0, 0], X.shape[0], real is float, None)
    job.tile_rows = tile_rows
    if labels is not None and log_density is None and responsibilities is None:
        job.floor = LABEL_FLOOR
    scratch = <double *> malloc(thread_stride(&job) * sizeof(double))
    if scratch == NULL:
        raise MemoryError
    with nogil:
        bad = first_nonfinite_value(&X[0, 0], job.n * job.d)
        if bad < 0:
            evaluate_chunk(
                &job, 0, job.n, scratch,
                &log_density[0] if log_density is not None else NULL,
                &responsibilities[0, 0] if responsibilities is not None else NULL,
                &labels[0] if labels is not None else NULL,
                &spoilt,
            )
        free(scratch)
    return bad
