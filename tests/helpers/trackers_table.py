"""One table of the per-example trackers, each with a plain loop over one example's passes.

A new tracker is a new row.
"""

import math
import statistics
from collections.abc import Callable
from dataclasses import dataclass
from types import ModuleType
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jimb.difficulty import data_map, forgetting, last_loss

N, K, PASSES, BATCH = 40, 5, 7, 16
RNG = np.random.default_rng(0)
# Rounded, so that equal logits are frequent.
SWEEPS = [(np.round(2 * RNG.normal(0, 2, (N, K))) / 2).astype(np.float32) for _ in range(PASSES)]
LABELS = np.array([np.bincount(z, minlength=K).argmax() for z in np.argmax(SWEEPS, -1).T], np.int32)
LABELS[::4] = RNG.integers(0, K, 10)  # mostly what is predicted most often, so that all is learned
SEEN = [RNG.random(N) < 0.8 for _ in range(PASSES)]
for seen in SEEN:
    seen[:2] = False  # these never are
ALL = [np.ones(N, bool)] * PASSES


# What each tracker says of one example, from the logits of the passes that saw it.


def probabilities(z):
    exps = [math.exp(x - max(map(float, z))) for x in map(float, z)]
    return [e / math.fsum(exps) for e in exps]


def predicted(z):
    """The first of the largest."""
    return max(range(len(z)), key=lambda j: z[j])


def last_loss_oracle(passes, y):
    loss = -math.log(probabilities(passes[-1])[y]) if passes else math.log(K)
    return {"losses": loss, "score": loss}


def forgetting_oracle(passes, y):
    events, before = 0, False
    for z in passes:
        now = predicted(z) == y
        events += before and not now
        before = now
    learned = any(predicted(z) == y for z in passes)
    return {
        "correct": before,
        "learned": learned,
        "events": events,
        "updates": len(passes),
        "score": events if learned else max(len(passes), 1),
    }


def data_map_oracle(passes, y):
    p = [probabilities(z)[y] for z in passes]
    right = sum(predicted(z) == y for z in passes)
    std = statistics.pstdev(p) if p else math.nan
    return {
        "updates": len(p),
        "correct": right,
        "confidence": statistics.fmean(p) if p else math.nan,
        "variability": std,
        "correctness": right / len(p) if p else math.nan,
        "score": std if len(p) > 1 else 0.5,
    }


@dataclass(frozen=True)
class Tracker:
    module: ModuleType
    init: Callable[[int], Any]
    oracle: Callable[[Any, int], dict[str, float]]
    chance: float  # the score of an example that has not been seen

    @property
    def name(self):
        return self.module.__name__.rpartition(".")[2]


TRACKERS = [
    Tracker(last_loss, lambda n: last_loss.init(n, K), last_loss_oracle, math.log(K)),
    Tracker(forgetting, forgetting.init, forgetting_oracle, 1.0),
    Tracker(data_map, data_map.init, data_map_oracle, 0.5),
]
DATA_MAP = TRACKERS[-1]
trackers = pytest.mark.parametrize("tracker", TRACKERS, ids=lambda t: t.name)
UPDATE = {t.name: jax.jit(t.module.update) for t in TRACKERS}


def read(tracker, state):
    """Fields and read-outs by name."""
    read_outs = {"score", "confidence", "variability", "correctness"} & set(vars(tracker.module))
    return state._asdict() | {name: getattr(tracker.module, name)(state) for name in read_outs}


def by_hand(tracker, sweeps=SWEEPS, labels=LABELS, seen=ALL):
    rows = [
        tracker.oracle([z[i] for z, s in zip(sweeps, seen, strict=True) if s[i]], int(labels[i]))
        for i in range(len(labels))
    ]
    return {name: np.array([row[name] for row in rows]) for name in rows[0]}


def assert_agrees(tracker, state, expected, tolerance=5e-7):
    """Integers exactly; measured 2.2e-7, of the value or of 1, over all cases here."""
    got = read(tracker, jax.tree.map(jnp.asarray, jax.device_get(state)))
    for name, values in expected.items():
        error = np.abs(np.asarray(got[name], np.float64) - values)
        np.testing.assert_array_equal(np.isnan(error), np.isnan(values), err_msg=name)
        limit = tolerance * np.maximum(np.abs(values), 1) if values.dtype.kind == "f" else 0
        assert not np.any(error > limit), (name, np.nanmax(error))


def assert_equal(state, expected, rtol=2e-7):
    """The same state by another route: its last bits may differ, as another shape vectorizes."""
    for got, values in zip(state, expected, strict=True):
        assert got.dtype == values.dtype
        np.testing.assert_allclose(*(np.asarray(x, np.float64) for x in (got, values)), rtol, rtol)


def whole(tracker, state, z, labels=LABELS, where=ALL[0]):
    return UPDATE[tracker.name](state, z, labels, where=where)


def swept(tracker, seen=ALL, update=whole):
    state = tracker.init(N)
    for z, where in zip(SWEEPS, seen, strict=True):
        state = update(tracker, state, z, where=where)
    return state


def batches(rng, where):
    """A pass over the examples of this mask in random order, padded to whole batches."""
    order = np.r_[rng.permutation(N), rng.integers(0, N, -N % BATCH)].astype(np.int32)
    real = (np.arange(len(order)) < N) & where[order]
    return [(order[i : i + BATCH], real[i : i + BATCH]) for i in range(0, len(order), BATCH)]
