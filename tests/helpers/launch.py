"""`python -m tests.helpers.launch POINT N ...`: `examples/train.py`, killed at a named point.

POINT is `never`, or one of `kills.POINTS` in the N-th checkpoint. No figure is drawn, so that
Matplotlib need not be there.
"""

import runpy
import sys
from pathlib import Path

from tests.helpers import kills

EXAMPLES = Path(__file__).parents[2] / "examples"


def main():
    point, number, *options = sys.argv[1:]
    sys.path.insert(0, str(EXAMPLES))
    import train_report

    train_report.draw_figure = lambda *args, **kwargs: None
    if point != "never":
        kills.arrange(point, int(number), kills.kill_this_process)
    sys.argv = [str(EXAMPLES / "train.py"), *options]
    runpy.run_path(sys.argv[0], run_name="__main__")


if __name__ == "__main__":
    main()
