"""Runs each case against its peers and its floors in one interleaved race."""

import os
import random
import time
from collections.abc import Callable
from typing import Any

import jax
import numpy as np
import pytest

ROUNDS = int(os.environ.get("ROUNDS", "9"))
# For the grid of trainings, which is divided over them; all other cases are on the first.
jax.config.update("jax_num_cpu_devices", os.cpu_count())


@pytest.fixture
def race(benchmark):
    """`race(ours, others, ...)`: before each timed round of ours, every other runs once, timed.

    What is compared is the median over the rounds of the ratio of two times of one round.
    """

    def run(
        ours: Callable[[], Any],
        others: dict[str, Callable[[], Any]],
        *,
        errors: dict[str, float] | None = None,
        compiled: Any = None,
        counted: dict[str, Any] | None = None,
        rounds: int = ROUNDS,
    ) -> None:
        times: dict[str, list[float]] = {name: [] for name in others}
        order = random.Random(0)

        def run_others() -> None:
            for name in order.sample(sorted(others), len(others)):
                start = time.perf_counter()
                jax.block_until_ready(others[name]())
                times[name].append(time.perf_counter() - start)

        jax.block_until_ready(ours())
        benchmark.pedantic(
            lambda: jax.block_until_ready(ours()),
            setup=run_others,
            rounds=rounds,
            warmup_rounds=1,
        )
        mine = np.array(benchmark.stats.stats.data)
        benchmark.extra_info["ratios"] = {
            name: float(np.median(np.array(spent[-rounds:]) / mine))
            for name, spent in times.items()
        }
        benchmark.extra_info["errors"] = errors or {}
        if compiled is not None:
            cost = compiled.cost_analysis()
            keys = "bytes accessed", "flops", "transcendentals"
            benchmark.extra_info["cost"] = {key: cost.get(key, 0.0) for key in keys}
        benchmark.extra_info["counts"] = {
            who: program.cost_analysis() for who, program in (counted or {}).items()
        }

    return run


@pytest.fixture(scope="session")
def torch():
    """PyTorch, or None where it is not installed."""
    try:
        import torch
    except ModuleNotFoundError:
        return None
    torch.set_num_threads(os.cpu_count())
    return torch
