"""`python -m tests.helpers.launch POINT N ...`: `examples.train`, killed at a named point.

POINT is `never`, or one of `kills.POINTS` in the N-th checkpoint. No figure is drawn, so that
Matplotlib need not be there.
"""

import sys

from examples.train import __main__ as train
from examples.train import outcome
from tests.helpers import kills


def main():
    point, number, *options = sys.argv[1:]
    outcome.figure.draw = lambda *args, **kwargs: None
    if point != "never":
        kills.arrange(point, int(number), kills.kill_this_process)
    sys.argv = ["examples.train", *options]
    train.main()


if __name__ == "__main__":
    main()
