"""Products and factorisations of matrices, the same to the last bit whatever comes along.

What NumPy's operators and LAPACK return depends, in the last bit, on the processor's BLAS, on its
number of threads, and on how many rows a product has. Here a row of a product depends on that row
and on the other matrix alone, and a factor on its matrix alone; so results do not change with the
number of threads of any library, nor with how rows are cut. Between instruction sets they agree to
rounding.

Functions take and return float64. Matrices may be stacked, in leading dimensions that broadcast.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np

from .._common.typing import Doubles, Indices
from .._runtime import instruction_sets
from .._runtime.threads import thread_count

# Multiplications below which waking another thread costs more than it brings.
_SERIAL_WORK = 500_000


def product(a: Doubles, b: Doubles) -> Doubles:
    """The matrix product ``a @ b``.

    Parameters
    ----------
    a : ndarray of shape (..., n, k)
    b : ndarray of shape (..., k, m)

    Returns
    -------
    ndarray of shape (..., n, m)
        Each number is summed from the first of the k terms to the last.
    """
    (n, k), m = a.shape[-2:], b.shape[-1]
    lead, left, right = _pairs(a.shape[:-2], b.shape[:-2])
    result = np.empty((*lead, n, m))
    if k == 0:
        result[...] = 0.0
    elif result.size:
        instruction_sets.algebra().multiply(
            _stacked(a), _stacked(b), left, right, None, result.reshape(-1, n, m),
            _threads(result.size * k),
        )  # fmt: skip
    return result


def product_about(rows: Doubles, points: Doubles, b: Doubles) -> Doubles:
    """``(rows - points[k]) @ b[k]`` for each k, without the differences of all rows in memory.

    Parameters
    ----------
    rows : ndarray of shape (n, d)
    points : ndarray of shape (K, d)
    b : ndarray of shape (K, d, m), or (d, m) for all k

    Returns
    -------
    ndarray of shape (K, n, m)
    """
    (K, d), (n, m) = points.shape, (len(rows), b.shape[-1])
    result = np.empty((K, n, m))
    if not d:
        result[...] = 0.0
    elif result.size:
        first = np.zeros(K, dtype=np.intp)
        instruction_sets.algebra().multiply(
            _stacked(rows), _stacked(b), first, first if b.ndim == 2 else None,
            np.ascontiguousarray(points), result, _threads(result.size * d),
        )  # fmt: skip
    return result


def weighted_sum(weights: Doubles, rows: Doubles) -> Doubles:
    """The sum of rows (K, ...) times their weights (K,), shape (...)."""
    flat = rows.reshape(len(rows), -1)
    total: Doubles = product(weights[None, :], flat)[0].reshape(rows.shape[1:])
    return total


def symmetric_product(a: Doubles) -> Doubles:
    """``a @ a'`` for each matrix (..., n, k), which is symmetric to the last bit."""
    return product(a, transposed(a))


def mixed(responsibilities: Doubles, values: Doubles) -> Doubles:
    """Values (n, K, m) of each row's components, mixed in its responsibilities (n, K): (n, m)."""
    return product(responsibilities[:, None, :], values)[:, 0]


def ordered_sum(terms: Doubles) -> Doubles:
    """The sum over the first axis, from the first to the last.

    NumPy's own takes them in another order where the other axes hold a single number, which then
    is not what it would be among others.
    """
    total: Doubles = terms[0].copy()
    for term in terms[1:]:
        total += term
    return total


def transposed(a: Doubles) -> Doubles:
    """Each matrix with its axes exchanged, a view."""
    return a.swapaxes(-1, -2)


def cholesky(matrices: Doubles) -> Doubles:
    """Upper triangular ``R`` with ``A = R' R`` of symmetric matrices.

    Parameters
    ----------
    matrices : ndarray of shape (..., d, d)

    Returns
    -------
    ndarray of shape (..., d, d)
        Zeros for a matrix that is not positive definite.
    """
    return _changed(matrices, instruction_sets.algebra().factorise)


def inverse_triangles(factors: Doubles) -> Doubles:
    """Inverses of upper triangular matrices (..., d, d); zeros stay zeros."""
    return _changed(factors, instruction_sets.algebra().invert)


def inverse_factors(matrices: Doubles) -> Doubles:
    """Upper triangular ``U`` with ``inv(A) = U U'`` of symmetric matrices (..., d, d).

    Zeros for a matrix that is not positive definite.
    """
    algebra = instruction_sets.algebra()
    return _changed(matrices, algebra.factorise, algebra.invert)


def orthonormal_rows(rows: Doubles) -> tuple[Doubles, Doubles]:
    """Orthonormal rows Q and lower triangular L with ``rows = L Q``.

    Parameters
    ----------
    rows : ndarray of shape (..., m, d)
        m at most d.

    Returns
    -------
    Q : ndarray of shape (..., m, d)
    L : ndarray of shape (..., m, m)
        With a positive diagonal. Where the rows depend on each other Q is not finite.
    """
    m = rows.shape[-2]
    orthonormal = np.array(rows, dtype=np.float64, order="C")
    lower = np.zeros((*rows.shape[:-1], m))
    if orthonormal.size:
        instruction_sets.algebra().orthonormalise(
            _stacked(orthonormal), _stacked(lower), _threads(2 * orthonormal.size * m)
        )
    return orthonormal, lower


def eigenvectors(matrix: Doubles) -> tuple[Doubles, Doubles]:
    """Eigenvalues, ascending, and eigenvectors of a symmetric matrix.

    Parameters
    ----------
    matrix : ndarray of shape (d, d)

    Returns
    -------
    values : ndarray of shape (d,)
    vectors : ndarray of shape (d, d)
        In the columns. NaN, as are the values, where a number of the matrix is not finite.
    """
    d = len(matrix)
    vectors = np.array(matrix, dtype=np.float64, order="C")
    values = np.empty(d)
    size = float(np.abs(vectors).max(initial=0.0))
    if not math.isfinite(size):
        return np.full(d, np.nan), np.full((d, d), np.nan)
    # Near one, so that no square of a number leaves the range of doubles.
    exponent = -math.frexp(size)[1] if size else 0
    vectors = np.ldexp(vectors, exponent)
    if d and not instruction_sets.algebra().eigenvectors(vectors, values):
        return np.full(d, np.nan), np.full((d, d), np.nan)
    order = np.argsort(values, kind="stable")
    return np.ldexp(values[order], -exponent), vectors[order].T


def aligned(
    roots: Doubles,
    axes: Doubles,
    weights: Doubles,
    by_volume: bool,
    most_sweeps: int,
    least_turn: float,
) -> tuple[Doubles, Doubles]:
    """Axes along which several matrices ``A_k = R_k' R_k`` have as unequal variances as they can.

    Parameters
    ----------
    roots : ndarray of shape (K, d, d)
        R_k.
    axes : ndarray of shape (d, d)
        Orthonormal axes to start from, in the columns.
    weights : ndarray of shape (K,)
        Above zero.
    by_volume : bool
        Minimise ``sum_k w_k (prod_j v_kj)^(1/d)`` of the variances v_kj of matrix k along axis j,
        instead of ``sum_k w_k sum_j log v_kj``.
    most_sweeps : int
        How often every two axes turn in their plane.
    least_turn : float
        A sweep whose turns are smaller, in radians, is the last.

    Returns
    -------
    axes : ndarray of shape (d, d)
        In the columns, where the criterion is no greater than at the start.
    variances : ndarray of shape (K, d)
        Of the matrices along them.
    """
    turned = np.ascontiguousarray(axes.T, dtype=np.float64).copy()
    rows = product(turned, transposed(roots))
    if rows.size and np.isfinite(rows).all():
        instruction_sets.algebra().align_axes(
            rows, turned, np.ascontiguousarray(weights), by_volume, most_sweeps, least_turn
        )
    return turned.T, np.einsum("kjr,kjr->kj", rows, rows)


# --- How matrices are handed to the kernels ------------------------------------------------------


def _changed(matrices: Doubles, *steps: Callable[[Doubles, int], None]) -> Doubles:
    """A copy of square matrices (..., d, d) after kernels that work in place."""
    changed = np.array(matrices, dtype=np.float64, order="C")
    if changed.size:
        stack, threads = _stacked(changed), _threads(changed.size * changed.shape[-1])
        for step in steps:
            step(stack, threads)
    return changed


def _stacked(matrices: Doubles) -> Doubles:
    """Matrices (..., n, k) one after another, C-contiguous; those that are so already stay."""
    matrices = np.ascontiguousarray(matrices, dtype=np.float64)
    return matrices if matrices.ndim == 3 else matrices.reshape(-1, *matrices.shape[-2:])


def _pairs(
    left: tuple[int, ...], right: tuple[int, ...]
) -> tuple[tuple[int, ...], Indices | None, Indices | None]:
    """The leading shape of a product, and which of the matrices each product is of; None where
    that is those of its own number.
    """
    if left == right:
        return left, None, None
    lead = np.broadcast_shapes(left, right)

    def numbers_of(shape: tuple[int, ...]) -> Indices:
        numbers = np.arange(math.prod(shape), dtype=np.intp).reshape(shape)
        return np.ascontiguousarray(np.broadcast_to(numbers, lead)).ravel()

    return lead, numbers_of(left), numbers_of(right)


def _threads(work: int) -> int:
    return thread_count() if work > _SERIAL_WORK else 1
