"""Compiled code: `_cpu` looks at the processor, `_em_<instruction set>` holds the kernels.

All `_em_*` modules are built from the one `_em.pyx`. Nothing here is imported directly:
`gaussmix._runtime.kernels()` returns the module that fits this machine.
"""
