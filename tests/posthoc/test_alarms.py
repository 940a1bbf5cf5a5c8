"""Valid input raises no alarm: not of `jax_debug_nans`, of `jax_debug_infs`, or of checkify."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.experimental import checkify

import jimb
from jimb import posthoc
from jimb.posthoc import class_means

RNG = np.random.default_rng(0)
P = np.float32([0.1, 0.2, 0.0, 1.0, 0.9, 0.4])  # with a certain yes and a certain no
Y, CLASSES = np.array([0, 1, 0, 1, 1, 0]), np.array([0, 1, 2, 0, 1, 2])
P3 = np.float32([[0.0, 1.0, 0.0], [0.2, 0.3, 0.5], [1e-30, 0.5, 0.5]])
PRIOR, EMPTY = np.float32([0.5, 0.3, 0.2]), np.float32([0.5, 0.5, 0.0])
X = np.float32(RNG.normal(size=(6, 3))) * [[0], [1], [1], [1], [1], [1]]
X, KERNEL = np.float32(X), np.float32(X[:3] * [1, 0, 1])
STATE = class_means.ClassMeansState(
    np.float32(X[:3]), np.zeros((3, 3), np.float32), np.float32([2, 1, 3]), np.zeros(3, np.float32)
)


def gradients(function, *argnums):
    return lambda *args: jax.grad(lambda *a: function(*a).sum(), argnums)(*args)


CALLS = {
    "move_threshold": (posthoc.move_threshold, P, np.array([9, 1])),
    "correct_prior": (posthoc.correct_prior, P3, PRIOR, PRIOR[::-1]),
    "correct_prior, an empty class": (posthoc.correct_prior, P3, EMPTY, PRIOR),
    "by probabilities": (gradients(posthoc.correct_prior, 0), P3, PRIOR, PRIOR[::-1]),
    "adjust_logits": (posthoc.adjust_logits, X, PRIOR),
    "tau_normalize": (lambda w, t: posthoc.tau_normalize(w, tau=t), KERNEL, 0.5),
    "by kernel and tau": (
        gradients(lambda w, t: posthoc.tau_normalize(w, tau=t), 0, 1),
        KERNEL,
        0.0,
    ),
    "scale_logits": (posthoc.scale_logits, X, PRIOR),
    "choose_threshold": (
        lambda p, y, w: posthoc.choose_threshold(
            p, y, where=w, criterion=lambda s: s.counts[1, 1].astype(jnp.float32)
        ),
        *(P, Y, Y == CLASSES),
    ),
    "choose_threshold, midway": (
        lambda p, y: posthoc.choose_threshold(p, y, midway=True),
        *(P, Y),
    ),
    "update": (class_means.update, STATE, X, CLASSES),
    "merge": (class_means.merge, STATE, STATE),
    "center": (class_means.center, STATE),
    "normalize": (lambda x: class_means.normalize(x, center=x[0]), X),
    "logits": (class_means.logits, STATE, X),
    "cosine_logits": (jimb.cosine_logits, X, KERNEL),
    "by features and kernel": (gradients(jimb.cosine_logits, 0, 1), X, KERNEL),
}


@pytest.mark.slow  # one call of each is in tests/test_alarms.py
@pytest.mark.parametrize("name", CALLS)
def test_no_alarm(name):
    function, *args = CALLS[name]
    args = jax.tree.map(jnp.asarray, args)
    jitted = jax.jit(function)
    with jax.debug_nans(True), jax.debug_infs(True):
        jax.block_until_ready((function(*args), jitted(*args)))
    errors = checkify.float_checks | checkify.index_checks | checkify.user_checks
    error, _ = jax.jit(checkify.checkify(function, errors=errors))(*args)
    assert error.get() is None


def test_the_alarms_are_on():
    with jax.debug_nans(True), jax.debug_infs(True):
        for bad in (jnp.nan, jnp.inf):
            with pytest.raises(FloatingPointError):
                jax.block_until_ready(jnp.zeros(3) + bad)
