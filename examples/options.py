"""What the options of several programs are refused for."""

from typing import Any


def at_least(settings: Any, **lowest: float) -> None:
    """Raises ValueError for the first option that is below its lowest value, or NaN.

    An option that is None was not given.
    """
    for name, least in lowest.items():
        value = getattr(settings, name)
        if value is not None and not value >= least:
            option = name.replace("_", "-")
            raise ValueError(f"--{option} must be at least {least}, got {value}.")
