"""From statistics to parameters.

    maximize     the M-step
    families     the sets of covariances that a mixture can be asked for

Each imports only from those below it.
"""
