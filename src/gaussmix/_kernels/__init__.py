"""Compiled code: `_cpu` looks at the processor, `_threads` has the threads, `_utility` what Cython
writes for all modules; of each other kind there is one for each instruction set, `_em_<name>` and
so on:

    _em         the passes over complete rows; `_em_<name>_single` in single precision
    _missing    the passes over rows with missing values
    _rows       what is asked of rows before: are they finite, where do they lie, what is missing
    _draw       draws: rows of a mixture, and noise
    _algebra    products and factors of matrices

None is imported directly: functions of `_runtime.instruction_sets` return those that fit here.
"""
