"""What is asked of rows before a mixture reads them: are they finite, where do they lie, which of
their values are missing; and whether arrays are still what they were.

Compiled for each instruction set, for rows of either precision; as in `_em.pyx` nobody
checks arguments.
"""

include "_real.pxi"
include "_finite.pxi"
include "_scan.pxi"
include "_patterns.pxi"
include "_snapshot.pxi"
