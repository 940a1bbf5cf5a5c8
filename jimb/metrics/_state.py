"""What the measures read."""

from jimb import _clock


class State(_clock.Counted):
    """A `ConfusionState` or a `TallyState`, of whole examples or weighted."""

    __slots__ = ()
