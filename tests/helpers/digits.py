"""The losses by 60 digits, to test the float64 reference of `exact.py`."""

import mpmath
import numpy as np


def by_60_digits(z, y, gamma):
    """Value and gradient from the definition `-(1 - p)^γ log p`, as it stands."""
    with mpmath.workdps(60):
        exps = [mpmath.exp(mpmath.mpf(float(x))) for x in z]
        total = mpmath.fsum(exps)
        shares = [e / total for e in exps]
        p, g = shares[y], mpmath.mpf(float(gamma))
        value = -((1 - p) ** g) * mpmath.log(p)
        slope = -((1 - p) ** g) / p + g * (1 - p) ** (g - 1) * mpmath.log(p)
        gradient = [slope * p * ((j == y) - share) for j, share in enumerate(shares)]
        return float(value), np.array([float(x) for x in gradient])
