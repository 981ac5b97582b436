"""Compiled code: `_cpu` looks at the processor, `_em_<instruction set>` holds the kernels over
rows, `_algebra_<instruction set>` products and factors of matrices.

All `_em_*` modules are built from the one `_em.pyx`, all `_algebra_*` from `_algebra.pyx`. None is
imported directly: `kernels()` and `algebra()` of `gaussmix._runtime` return those that fit this
machine.
"""
