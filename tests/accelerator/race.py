"""Times contestants in interleaved rounds, and compares them within each round."""

import random
import time

import jax
import numpy as np

from tests.helpers.figures import Figure


def race(contestants, *, rounds):
    """Milliseconds of the first, and the median ratio of each other's time to its."""
    times = {name: [] for name in contestants}
    for run in contestants.values():
        for _ in range(2):  # compiles, then warms up
            jax.block_until_ready(run())
    order = random.Random(0)
    for _ in range(rounds):
        for name in order.sample(sorted(contestants), len(contestants)):
            start = time.perf_counter()
            jax.block_until_ready(contestants[name]())
            times[name].append(time.perf_counter() - start)
    first, *others = contestants
    mine = np.array(times[first])
    figures = [Figure(f"{first}, ms", 1e3 * float(np.median(mine)), None)]
    for name in others:
        ratio = float(np.median(np.array(times[name]) / mine))
        figures.append(Figure(f"{name}, times as long", ratio, None))
    return figures
