"""This machine: which instruction set the kernels use, and how many threads.

    config              what `show_config` prints
    threads             how many threads a computation may use
    instruction_sets    which instruction set, and the compiled modules of it
    cgroups             the CPUs that this process may use
    openmp              whether OpenMP's threads compute, or the library's own
    system_text         what the system tells in text: its files, and the numbers in them

Each imports only from those below it.
"""
