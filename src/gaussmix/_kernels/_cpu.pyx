"""What this processor and operating system can run. Compiled for the baseline."""

cdef extern from "cpu.h" nogil:
    int gaussmix_x86_level()


def supported_instruction_sets():
    """Names of the instruction sets that may run here, from the narrowest to the widest."""
    cdef int level = gaussmix_x86_level()
    if level >= 4:
        return ("baseline", "x86v3", "x86v4")
    if level >= 3:
        return ("baseline", "x86v3")
    return ("baseline",)
