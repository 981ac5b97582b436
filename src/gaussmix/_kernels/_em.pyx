"""The kernels over complete rows: scores, and the sums of an M-step in the same pass; k-means.

Compiled for each instruction set in double and in single precision; `_runtime.instruction_sets`
picks one.
The entry points stand beside their loops in the files that are included.  Arguments are checked by
nobody here: whoever calls has arrays of the right type, shape and layout.  Threads come from
`_threads.parallel_for`, which gets each kind of work as a function of an index.

Rows are cut into chunks of `chunk_rows`, and chunk c belongs to partial sum c modulo the number
of partial sums.  A partial sum is computed by one thread, in the order of its chunks, and the
partial sums are added in the order of their index.  None of this depends on the number of
threads, so neither does any bit of the result.
"""

include "_simd.pxi"
include "_real.pxi"
include "_job.pxi"
include "_tile.pxi"
include "_packing.pxi"
include "_scores.pxi"
include "_responsibilities.pxi"
include "_sums.pxi"
include "_complete.pxi"
include "_kmeans.pxi"
include "_accumulate.pxi"
include "_finite.pxi"
include "_evaluate.pxi"


def compiler():
    """The compiler, with its version, that built this module."""
    return GAUSSMIX_COMPILER.decode()


def vector_bytes():
    """Bytes in one vector of this instruction set."""
    return <Py_ssize_t> VECTOR_BYTES
