"""What a check saw and the bound that it must hold, for tests and for the accelerator command."""

from typing import NamedTuple

import numpy as np


class Figure(NamedTuple):
    """One number of one check."""

    what: str
    seen: float
    bound: float | None  # None: measured, without a bound

    @property
    def ok(self):
        if self.bound is None:
            return bool(np.isfinite(self.seen))
        return bool(self.seen <= self.bound)  # NaN is not


def hold(figures):
    """Every figure within its bound, or all of those that are not."""
    assert figures
    missed = [figure for figure in figures if not figure.ok]
    assert not missed, missed


def in_units_of(actual, expected, rtol, atol):
    """The largest error in units of what `assert_allclose` permits; inf if it is not finite."""
    expected = np.float64(expected)
    error = np.abs(np.float64(actual) - expected) / (atol + rtol * np.abs(expected))
    return float(np.max(np.where(np.isfinite(error), error, np.inf), initial=0))
