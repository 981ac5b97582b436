"""Round the arrow: from rows to parameters and again.

    fitting           a fit: EM from one or several starts, over rows wherever they are
    stepwise          running statistics of data that keeps coming, and steps from them
    initialization    where EM starts: k-means, k-means++, random, given parameters
    orientations      several runs, where all depends on the axes that they start from
    squarem           extrapolates the iterates of EM
    collapse          what becomes of a component that collapses
    progress          what a fit reports while it runs
    loop              iterate, converge, restart

Each imports only from those below it.
"""
