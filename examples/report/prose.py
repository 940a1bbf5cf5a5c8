"""Sentences of a page: lines of at most 100 characters, and what a command took."""

import os
import resource
import sys
import textwrap
import time
from typing import NamedTuple


def filled(text: str, indent: str = "") -> str:
    """In lines of at most 100 characters; all but the first are indented."""
    return textwrap.fill(text, 100, subsequent_indent=indent, break_on_hyphens=False)


class Took(NamedTuple):
    """The whole command; other work on the machine lengthens the minutes much more."""

    minutes: float
    processor: float  # minutes of all cores together
    gigabytes: float  # of memory, at most

    @classmethod
    def since(cls, start: float) -> "Took":
        """From a `time.perf_counter()` at the start of the program until now."""
        unit = 1e9 if sys.platform == "darwin" else 1e6  # bytes there, kilobytes elsewhere
        memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / unit
        return cls((time.perf_counter() - start) / 60, time.process_time() / 60, memory)

    def sentence(self) -> str:
        """For the end of a page."""
        return filled(
            f"The whole command took {self.minutes:.1f} minutes on {os.cpu_count()} cores, "
            f"{self.processor:.1f} minutes of processor time, and {self.gigabytes:.1f} GB of "
            "memory at most."
        )
