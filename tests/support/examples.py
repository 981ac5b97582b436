"""How Hypothesis draws examples."""

from __future__ import annotations

from hypothesis import settings

# Every run tries the same examples. Slow tests draw new ones each time, and what those find
# becomes an `@example`.
settings.register_profile("same", derandomize=True, database=None, deadline=None)
settings.load_profile("same")
NEW_EXAMPLES = settings(derandomize=False, print_blob=True)
