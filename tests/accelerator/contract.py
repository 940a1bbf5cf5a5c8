"""Every row of the table of losses: formula, masks, extremes and half precision."""

import jax
import jax.numpy as jnp
import numpy as np

from tests.helpers.figures import Figure, in_units_of
from tests.helpers.losses_table import (
    BATCH,
    CLASSES,
    LOSSES,
    call,
    half_masked,
    inputs_of,
    oracle,
    oracle_gradient,
)

FAMILIES = ("softmax", "sigmoid", "class_balanced")


def rows_of(family):
    return [loss for loss in LOSSES if loss.name.startswith(family)]


def evaluator(losses):
    """One program: `{row: (losses, gradient of their sum by every variable)}`."""

    def both(loss, inputs):
        values, pullback = jax.vjp(
            lambda variables: call(loss, variables, inputs.labels, inputs.where), inputs.variables
        )
        return values, pullback(jnp.ones_like(values))[0]

    run = jax.jit(lambda batch: {loss.name: both(loss, batch[loss.name]) for loss in losses})
    return lambda batch: jax.tree.map(np.asarray, run(batch))


def each(losses, inputs_of_row):
    return {loss.name: inputs_of_row(loss) for loss in losses}


def extreme(loss):
    """Logits at the ends of what a float32 exponential can take, and beyond."""
    logits = np.random.default_rng(2).choice([-1e4, -104.0, 0.0, 88.8, 1e4], (BATCH, CLASSES))
    logits[0], logits[1], logits[2] = 1e4, -1e4, 0
    logits[3], logits[4] = -1e4, 1e4
    logits[3, 3], logits[4, 0] = 1e4, -1e4
    return inputs_of(loss).set(logits=logits)


def in_half(loss):
    inputs = inputs_of(loss)
    logits = inputs.variables["logits"].astype(jnp.bfloat16)
    return inputs._replace(variables=inputs.variables | {"logits": logits})


def formula(loss, values, gradient):
    """Against the paper's in float64, within the contract's bounds."""
    inputs = inputs_of(loss)
    of_value = in_units_of(values, oracle(loss, inputs), rtol=2e-6, atol=1e-7)
    exact = oracle_gradient(loss, inputs)
    worst = max(in_units_of(gradient[name], exact[name], 1e-5, 1e-5) for name in exact)
    return [
        Figure(f"{loss.name}: value, in units of its bound", of_value, 1),
        Figure(f"{loss.name}: gradients, in units of their bound", worst, 1),
    ]


def half(loss, values, gradient):
    """Distance from the exact number in steps of bfloat16 there; rounded once, it is half a step.

    And float32's own error, the contract's bound.
    """
    inputs = in_half(loss)
    wide = inputs._replace(variables={k: np.float64(v) for k, v in inputs.variables.items()})
    exact = oracle(loss, wide), oracle_gradient(loss, wide)["logits"]
    bounds = (2e-6, 1e-7), (1e-5, 1e-5)
    figures = []
    found = values, gradient["logits"]
    for part, x, y, (rtol, atol) in zip(("value", "gradient"), found, exact, bounds, strict=True):
        assert x.dtype == jnp.bfloat16, x.dtype
        step = 2.0 ** (np.floor(np.log2(np.maximum(np.abs(y), 1e-30))) - 7)
        away = np.max((np.abs(np.float64(x) - y) - rtol * np.abs(y) - atol) / step)
        figures.append(Figure(f"{loss.name}, bfloat16: {part}, steps from exact", away, 0.5))
    return figures


def different(a, b):
    """How many numbers of two trees are not the same; NaN never is."""
    same = jax.tree.map(lambda x, y: np.sum(np.asarray(x) != np.asarray(y)), a, b)
    return int(sum(jax.tree.leaves(same)))


def masks(loss, plain, clean, rubbish):
    where = half_masked(loss)[0].where
    wide = where if loss.elementwise else where[:, None]
    expected = np.where(where, plain[0], 0), np.where(wide, plain[1]["logits"], 0)
    subset = different((clean[0], clean[1]["logits"]), expected)
    return [
        Figure(f"{loss.name}: where, numbers unlike the subset's", subset, 0),
        Figure(f"{loss.name}: NaN behind where, numbers it changes", different(rubbish, clean), 0),
    ]


def contract(family):
    """All figures of a family's rows, from one compiled program for each dtype."""
    losses, figures = rows_of(family), []
    run = evaluator(losses)
    plain, ends = run(each(losses, inputs_of)), run(each(losses, extreme))
    clean, rubbish = (run(each(losses, lambda row, i=i: half_masked(row)[i])) for i in (0, 1))
    halves = run(each(losses, in_half))
    for loss in losses:
        name = loss.name
        figures += formula(loss, *plain[name])
        figures += masks(loss, plain[name], clean[name], rubbish[name])
        bad = sum(int(np.sum(~np.isfinite(x))) for x in jax.tree.leaves(ends[name]))
        figures.append(Figure(f"{name}: extreme logits, numbers not finite", bad, 0))
        figures += half(loss, *halves[name])
    return figures
