"""Products and factorisations: right, and the same bits whatever comes along."""

import numpy as np
import pytest

from gaussmix._parameters import linear_algebra
from gaussmix._runtime import instruction_sets

SIZES = [(1, 1, 1), (7, 3, 2), (9, 17, 8), (8, 1, 25), (65, 10, 33), (130, 300, 7)]


def exact_product(a, b):
    """With twice the digits of doubles where NumPy has such numbers."""
    return (a.astype(np.longdouble) @ b.astype(np.longdouble)).astype(np.float64)


@pytest.mark.parametrize(("n", "k", "m"), SIZES)
def test_products(instruction_set, n, k, m):
    rng = np.random.default_rng([n, k, m])
    a, b = rng.standard_normal((n, k)), rng.standard_normal((k, m))
    bound = k * np.finfo(np.float64).eps * (np.abs(a) @ np.abs(b))
    assert (np.abs(linear_algebra.product(a, b) - exact_product(a, b)) <= bound).all()


@pytest.mark.parametrize(("n", "k", "m"), SIZES)
def test_a_row_of_a_product_does_not_depend_on_the_others(instruction_set, n, k, m):
    rng = np.random.default_rng([1, n, k, m])
    a, b = rng.standard_normal((n, k)), rng.standard_normal((k, m))
    whole = linear_algebra.product(a, b)
    for size in (1, 2, 7, 8, 9, 64):
        parts = [linear_algebra.product(a[i : i + size], b) for i in range(0, n, size)]
        np.testing.assert_array_equal(np.concatenate(parts), whole)
    # Nor does a column on the other columns, or anything on how the matrices lie in memory.
    columns = [linear_algebra.product(a, b[:, j : j + 1]) for j in range(m)]
    np.testing.assert_array_equal(np.concatenate(columns, axis=1), whole)
    np.testing.assert_array_equal(
        linear_algebra.product(np.asfortranarray(a), b[::-1][::-1]), whole
    )


def test_products_have_the_same_bits_on_any_number_of_threads(instruction_set):
    rng = np.random.default_rng(2)
    a, b = rng.standard_normal((3, 200, 40)), rng.standard_normal((3, 40, 30))
    results = []
    for n_threads in (1, 2, 3, 8):
        results.append(np.empty((3, 200, 30)))
        instruction_sets.algebra().multiply(a, b, None, None, None, results[-1], n_threads)
    for other in results[1:]:
        np.testing.assert_array_equal(other, results[0])


@pytest.mark.parametrize(("n", "k", "m"), SIZES)
@pytest.mark.parametrize("shared", [False, True])
def test_products_about_points(instruction_set, n, k, m, shared):
    rng = np.random.default_rng([7, n, k, m])
    rows, points = rng.standard_normal((n, k)), rng.standard_normal((3, k))
    b = rng.standard_normal((k, m) if shared else (3, k, m))
    result = linear_algebra.product_about(rows, points, b)
    np.testing.assert_array_equal(result, linear_algebra.product(rows - points[:, None], b))
    for i in {0, n // 2, n - 1}:
        alone = linear_algebra.product_about(rows[i : i + 1], points, b)
        np.testing.assert_array_equal(alone[:, 0], result[:, i])
    assert not linear_algebra.product_about(rows[:, :0], points[:, :0], b[..., :0, :]).any()


def test_products_of_many_small_matrices(instruction_set):
    """Vectors are loaded beyond the ends of all but the last of them."""
    rng = np.random.default_rng(8)
    for (n, k, m), count in [((1, 1, 1), 40), ((2, 3, 2), 9), ((1, 5, 3), 2), ((9, 2, 7), 30)]:
        a, b = rng.standard_normal((count, n, k)), rng.standard_normal((count, k, m))
        alone = [linear_algebra.product(x, y) for x, y in zip(a, b, strict=True)]
        np.testing.assert_array_equal(linear_algebra.product(a, b), alone)


def test_stacks_of_products_broadcast_as_numpy_does():
    rng = np.random.default_rng(3)
    a, b = rng.standard_normal((4, 1, 5, 3)), rng.standard_normal((2, 3, 6))
    np.testing.assert_allclose(linear_algebra.product(a, b), a @ b, rtol=1e-13, atol=1e-14)
    assert linear_algebra.product(np.empty((0, 3)), np.empty((3, 2))).shape == (0, 2)
    np.testing.assert_array_equal(linear_algebra.product(np.empty((2, 0)), np.empty((0, 3))), 0.0)


def test_products_of_a_matrix_with_itself_are_symmetric(instruction_set):
    a = np.random.default_rng(4).standard_normal((5, 37, 11))
    square = linear_algebra.symmetric_product(a)
    np.testing.assert_array_equal(square, square.swapaxes(1, 2))
    np.testing.assert_allclose(square, a @ a.swapaxes(1, 2), rtol=1e-12, atol=1e-13)


@pytest.mark.parametrize("m", [1, 2, 9, 30])
def test_rows_made_orthonormal(instruction_set, m):
    rng = np.random.default_rng([5, m])
    rows = rng.standard_normal((3, m, 30))
    # Rows that nearly depend on each other stay orthogonal to rounding.
    rows[1] = rows[1, :1] + 1e-9 * rows[1]
    orthonormal, lower = linear_algebra.orthonormal_rows(rows)
    np.testing.assert_array_equal(lower, np.tril(lower))
    assert (np.diagonal(lower, axis1=1, axis2=2) > 0).all()
    np.testing.assert_allclose(lower @ orthonormal, rows, rtol=1e-13, atol=1e-13)
    squares = orthonormal @ orthonormal.swapaxes(1, 2)
    np.testing.assert_allclose(squares, np.broadcast_to(np.eye(m), squares.shape), atol=1e-13)
    for n_threads in (2, 3):
        again, beside = rows.copy(), np.empty_like(lower)
        instruction_sets.algebra().orthonormalise(again, beside, n_threads)
        np.testing.assert_array_equal(again, orthonormal)


def symmetric_matrices():
    rng = np.random.default_rng(6)
    for d in (1, 2, 3, 9, 40, 101):
        a = rng.standard_normal((d, d))
        yield f"random {d}", a + a.T
        yield f"graded {d}", (a @ a.T) * np.outer(*[np.geomspace(1, 1e-6, d)] * 2)
    yield "zero", np.zeros((5, 5))
    yield "diagonal", np.diag([3.0, -1.0, 0.0, 1e-300, 2.0])
    yield "equal", np.eye(7)
    yield "rank one", np.ones((6, 6))
    yield "tiny", np.array([[0.0, 1e-200], [1e-200, 0.0]])
    yield "huge", np.array([[1e300, 1e299], [1e299, -1e300]])


@pytest.mark.parametrize("name", [name for name, _ in symmetric_matrices()])
def test_eigenvectors(instruction_set, name):
    matrix = dict(symmetric_matrices())[name]
    values, vectors = linear_algebra.eigenvectors(matrix)
    size = np.abs(matrix).max() or 1.0
    d = len(matrix)
    scaled = matrix / size
    np.testing.assert_allclose(values / size, np.linalg.eigvalsh(scaled), atol=1e-14 * d)
    np.testing.assert_allclose(vectors.T @ vectors, np.eye(d), atol=1e-14 * d)
    rebuilt = vectors * (values / size) @ vectors.T
    np.testing.assert_allclose(rebuilt, scaled, atol=1e-14 * d)


def test_matrices_that_are_not_finite_have_no_eigenvectors():
    for value in (np.nan, np.inf):
        values, vectors = linear_algebra.eigenvectors(np.array([[1.0, value], [value, 1.0]]))
        assert np.isnan(values).all()
        assert np.isnan(vectors).all()
