# What every pass over complete rows begins with: a job, and memory for each thread.

import numpy


cdef object prepare(
    Job *job,                               # OUT
    int estep,
    int mstep,
    int features,
    const double[::1] centre,
    const double[:, ::1] means,
    const double[::1] factors,
    Py_ssize_t factor_stride,
    const double[::1] constants,
    Py_ssize_t tile_rows,
):
    """Fill in the job and pack its factors; the caller keeps what is returned, their memory."""
    cdef double[::1] memory
    describe(job, estep, mstep, features, centre, means, tile_rows)
    job.factors = &factors[0] if factors.shape[0] > 0 else NULL
    job.factor_stride = factor_stride
    memory = numpy.empty(packed_size(job) + LINE)
    pack(job, <scalar *> aligned(&memory[0]), &constants[0])
    return memory


cdef Py_ssize_t thread_stride(const Job *job) noexcept:
    """Doubles of scratch for one thread, with a page between two threads' parts."""
    cdef Tile tile
    return round_up(lay_out_tile(job, NULL, &tile), 64) // <Py_ssize_t> sizeof(double) + 512
