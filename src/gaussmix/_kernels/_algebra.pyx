"""Products and factorisations of dense matrices whose every number is summed in one fixed order.

Compiled once for each instruction set; `gaussmix._parameters.linear_algebra` calls what is here,
with arrays of the right type, shape and layout.  A BLAS cuts its sums as suits the processor, its
number of threads and the size of all that comes along, so the last bits of a product change with
these.  Here a row of a product depends on that row and on the other matrix, and a factor on its
matrix, alone.
"""

from libc.float cimport DBL_EPSILON, DBL_MIN
from libc.math cimport atan2, copysign, cos, exp, fabs, hypot, isfinite, log, sin, sqrt
from libc.string cimport memcpy, memset

import numpy

from gaussmix._kernels._threads cimport parallel_for

cdef extern from "simd.h" nogil:
    ctypedef double vec
    enum:
        VL
        OUTER_ROWS
    vec vload(const double *p)
    void vstore(double *p, vec a)
    void vstore_some(double *p, vec a, int n)
    vec vset1(double a)
    double vsum(vec a)

cdef enum:
    NV = 3              # vectors in a tile of a product
    WIDTH = NV * VL
    SLACK = WIDTH       # numbers that may be read beyond the end of a matrix, and do not count
    PRODUCT_ROWS = 64   # rows of a product that one thread takes at a time
    BLOCK = 32          # rows of a factor that are made before the rest of the matrix is updated
    PANEL = 4 * WIDTH   # columns of an inverse that one thread takes at a time

include "_product.pxi"
include "_factor.pxi"
include "_triangular.pxi"
include "_orthogonal.pxi"
include "_common_axes.pxi"
