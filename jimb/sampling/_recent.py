"""The latest results of a function, for random access that is mostly in order."""

import threading
from collections.abc import Callable, Hashable
from typing import Generic, TypeVar

import numpy as np

T = TypeVar("T", bound=np.ndarray | int)

_ENTRY = 64  # what an entry takes besides its numbers, counted in numbers


class Recent(Generic[T]):
    """Calls `make`, and keeps its latest results: about `capacity` numbers, but two at least.

    Threads may share it: each result is made once. A pickled copy starts empty.
    """

    def __init__(self, make: Callable[..., T], capacity: int) -> None:
        self._make, self._capacity = make, capacity
        self._results: dict[tuple[Hashable, ...], T] = {}
        self._held = 0
        self._lock = threading.Lock()

    def __call__(self, *key: Hashable) -> T:
        """`make(*key)`."""
        found = self._results.get(key)
        if found is None:
            with self._lock:
                found = self._results.get(key)
                if found is None:
                    found = self._results[key] = self._make(*key)
                    self._held += np.size(found) + _ENTRY
                    self._drop_oldest()
        return found

    def _drop_oldest(self) -> None:
        while self._held > self._capacity and len(self._results) > 2:
            self._held -= np.size(self._results.pop(next(iter(self._results)))) + _ENTRY

    def __reduce__(self) -> tuple[object, ...]:
        return Recent, (self._make, self._capacity)
