"""The bar of `map`: how many are done, how fast, and what became of them.

It writes to standard error alone, and must never keep a result.
"""

from collections import Counter
from collections.abc import Sized
from threading import Lock

from tqdm.auto import tqdm

from .models import JobResult


class Progress:
    """A bar, or nothing where none is wanted."""

    def __init__(self, programs: object, is_shown: bool) -> None:
        """How many there are is known of a list, not of a generator."""
        self._bar = tqdm(total=len(programs) if isinstance(programs, Sized) else None, unit="job") if is_shown else None
        self._counts: Counter[str] = Counter()
        self._lock = Lock()

    def add(self, result: JobResult) -> None:
        """Counts one that is done."""
        if self._bar is not None:
            with self._lock:
                self._counts[result.status] += 1
                self._bar.set_postfix(self._counts, refresh=False)
                self._bar.update()

    def close(self) -> None:
        """Leaves the bar as it stands."""
        if self._bar is not None:
            self._bar.close()
