"""A process killed at a named point of saving a checkpoint, and never after a time."""

import os
import signal

from examples.train import checkpoint


class Killed(BaseException):
    """In place of SIGKILL, for a test in one process: nothing may catch it and clean up."""


def raise_killed():
    raise Killed


def kill_this_process():
    os.kill(os.getpid(), signal.SIGKILL)


# Where a save can be: the function, whether it is before or after it, its calls in one save, and
# whether the new checkpoint counts by then.
POINTS = {
    "unwritten": ("ocp.save", "before", 1, False),
    "undescribed": ("describe", "before", 1, False),
    "unnamed": ("describe", "after", 1, False),
    "named": ("Checkpoints._remove_old", "before", 1, True),
    "removing": ("Checkpoints._clear", "before", 2, True),
    "complete": ("Checkpoints.save", "after", 1, True),
}


def counts(point):
    return POINTS[point][3]


def arrange(point, number, die, patch=setattr):
    """`die()` where the `number`-th save from now on comes to the point."""
    path, when, calls, _ = POINTS[point]
    owner = checkpoint
    *outer, name = path.split(".")
    for part in outer:
        owner = getattr(owner, part)
    patch(owner, name, dying(getattr(owner, name), number * calls, die, before=when == "before"))


def dying(function, number, die, *, before):
    """The function, and `die()` before or after its call of that number."""
    calls = 0

    def wrapped(*args, **kwargs):
        nonlocal calls
        calls += 1
        if before and calls == number:
            die()
        result = function(*args, **kwargs)
        if not before and calls == number:
            die()
        return result

    return wrapped
