"""`python -m tests.accelerator.launch POINT N ...`: `examples/train.py`, killed at a named point.

POINT is `never`, `within` (the N-th checkpoint is written, but not yet described and renamed) or
`after` (it is complete). No figure is drawn, so that Matplotlib need not be there.
"""

import os
import runpy
import signal
import sys
from pathlib import Path

EXAMPLES = Path(__file__).parents[2] / "examples"


def killing(function, number, *, before):
    """The function, and SIGKILL to this process before or after its call of that number."""
    calls = 0

    def wrapped(*args, **kwargs):
        nonlocal calls
        calls += 1
        if before and calls == number:
            os.kill(os.getpid(), signal.SIGKILL)
        result = function(*args, **kwargs)
        if not before and calls == number:
            os.kill(os.getpid(), signal.SIGKILL)
        return result

    return wrapped


def main():
    point, number, *options = sys.argv[1:]
    sys.path.insert(0, str(EXAMPLES))
    import train_checkpoint
    import train_report

    train_report.draw_figure = lambda *args, **kwargs: None
    if point == "within":
        written = train_checkpoint.describe
        train_checkpoint.describe = killing(written, int(number), before=True)
    elif point == "after":
        save = train_checkpoint.Checkpoints.save
        train_checkpoint.Checkpoints.save = killing(save, int(number), before=False)
    elif point != "never":
        sys.exit(f"launch.py: the point is never, within or after, not {point}.")
    sys.argv = [str(EXAMPLES / "train.py"), *options]
    runpy.run_path(sys.argv[0], run_name="__main__")


if __name__ == "__main__":
    main()
