# Used by compiled modules alone.
