"""What a pass over rows returns, from which an M-step goes on.

    running       statistics of rows that keep coming, of which earlier ones fade
    sufficient    SufficientStatistics: add, scale, shift, merge

The class is here too, where pickles of earlier versions look for it.
"""

from .sufficient import SufficientStatistics as SufficientStatistics
