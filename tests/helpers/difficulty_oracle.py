"""The paper's prediction deltas in float64, and the sweeps that the tests feed both."""

import itertools

import numpy as np

from jimb import difficulty
from tests.helpers.compilation import as_users

N, K = 300, 10
RNG = np.random.default_rng(0)
LABELS = RNG.integers(0, K, N).astype(np.int32)
SWEEPS = [RNG.normal(0, scale, (N, K)).astype(np.float32) for scale in (1, 3, 8, 20)]

# |error| / (1 + J). Measured 2.8e-7 from exact logits, which are up to 1e4; over three sweeps, with
# the rounding of each stored log-probability and sum, 2.2e-7.
PSI, PSI_OF_SWEEPS = 3.2e-7, 2.8e-7

update = as_users(difficulty.update)


def log_softmax(logits):
    logits = np.asarray(logits, np.float64)
    shifted = logits - logits.max(-1, keepdims=True)
    return shifted - np.log(np.exp(shifted).sum(-1, keepdims=True))


def oracle(logits, previous, labels):
    """The paper's `du` and `dl` in float64."""
    log_p, log_q = log_softmax(logits), log_softmax(previous)
    delta = np.exp(log_p) - np.exp(log_q)
    ratio = log_p - log_q
    true = np.arange(log_p.shape[-1]) == np.asarray(labels)[..., None]
    unlearned = np.where(true, np.minimum(delta, 0), np.maximum(delta, 0)) * ratio
    learned = np.where(true, np.maximum(delta, 0), np.minimum(delta, 0)) * ratio
    return unlearned.sum(-1), learned.sum(-1)


def oracle_sums(sweeps, labels=LABELS):
    """`Σ du` and `Σ dl` over sweeps that start at the uniform prediction."""
    passes = [np.zeros_like(sweeps[0]), *sweeps]
    pairs = [oracle(now, before, labels) for before, now in itertools.pairwise(passes)]
    return np.sum(pairs, axis=0)


def swept(dtype, sweeps=SWEEPS):
    state = difficulty.init(N, K, dtype=dtype)
    for logits in sweeps:
        state = update(state, logits, LABELS)
    return state


def f64(x):
    return np.asarray(x, np.float64)
