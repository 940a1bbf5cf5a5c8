"""What must hold exactly, or nearly: means, look-ups, cosines, difficulty, plans and counts."""

import itertools
from fractions import Fraction

import jax
import jax.numpy as jnp
import numpy as np

import jimb
from jimb.sampling._fixed_point import expected_counts
from tests.accelerator.contract import different
from tests.helpers import difficulty_oracle
from tests.helpers.dots import precisions
from tests.helpers.figures import Figure, in_units_of

BOUND = "in units of its bound"


def cosines():
    """As a float32 product of unit vectors is; TF32 and bfloat16 are off by 1e-4 and more."""
    rng = np.random.default_rng(0)
    features = rng.normal(size=(512, 256)).astype(np.float32)
    kernel, upstream = (rng.normal(size=s).astype(np.float32) for s in ((256, 100), (512, 100)))
    value, pullback = jax.jit(lambda f, w: jax.vjp(jimb.cosine_logits, f, w))(features, kernel)
    by_features, by_kernel = jax.jit(lambda g: pullback(g))(upstream)
    f, w, g = map(np.float64, (features, kernel, upstream))
    f_norm, w_norm = (np.linalg.norm(x, axis=a, keepdims=True) for x, a in ((f, 1), (w, 0)))
    f_unit, w_unit = f / f_norm, w / w_norm
    exact = f_unit @ w_unit
    of_f, of_w = g @ w_unit.T, f_unit.T @ g
    of_f = (of_f - f_unit * np.sum(f_unit * of_f, 1, keepdims=True)) / f_norm
    of_w = (of_w - w_unit * np.sum(w_unit * of_w, 0, keepdims=True)) / w_norm
    found = precisions(
        lambda f, w: jax.vjp(jimb.cosine_logits, f, w)[1](upstream), features, kernel
    )
    low = sum(pair != ("HIGHEST", "HIGHEST") for pair in found)
    scales = np.float32(2.0) ** np.array([-110, -40, 0, 40, 110], np.float32)
    scaled = jax.jit(jimb.cosine_logits)(features * np.resize(scales, len(f))[:, None], kernel)
    return [
        Figure("cosines, error", np.max(np.abs(value - exact)), 2e-7),
        Figure("cosines of tiny and huge features", np.max(np.abs(scaled - exact)), 2e-7),
        Figure("gradient by features, error of its largest", off(by_features, of_f), 6e-7),
        Figure("gradient by kernel, error of its largest", off(by_kernel, of_w), 6e-7),
        Figure("products of less than the highest precision", low, 0),
    ]


def off(found, exact):
    return float(np.max(np.abs(np.float64(found) - exact)) / np.max(np.abs(exact)))


def soft_look_up():
    rng = np.random.default_rng(1)
    table = rng.lognormal(0, 2, 1000).astype(np.float32)
    labels = rng.dirichlet(np.full(1000, 0.1), 256).astype(np.float32)
    found, pullback = jax.vjp(jax.jit(jimb.take_class), table, labels)
    by_table, by_labels = pullback(np.ones(256, np.float32))
    return [
        Figure("value, relative error", off_each(found, np.float64(labels) @ table), 8e-7),
        Figure("gradient by table", off_each(by_table, np.float64(labels).sum(0)), 2e-7),
        Figure(
            "gradient by labels, numbers not the table's", np.sum(np.asarray(by_labels) != table), 0
        ),
    ]


def off_each(found, exact):
    return in_units_of(found, exact, rtol=1, atol=1e-30)


def means(size):
    """A float32 sum of many; NaN behind a weight of 0 and behind `where`."""
    rng = np.random.default_rng(2)
    values, weights = rng.lognormal(0, 1, (2, size)).astype(np.float32)
    out, where = rng.random(size) < 0.1, rng.random(size) < 0.9
    weights[out] = 0
    kept = where & ~out
    poisoned = np.where(kept, values, np.nan).astype(np.float32)
    mean = jax.jit(jax.value_and_grad(lambda v: jimb.weighted_mean(v, weights, where=where)))
    value, gradient = map(np.asarray, mean(values))
    with_nan, gradient_with_nan = map(np.asarray, mean(poisoned))
    total = np.float64(weights[kept]).sum()
    exact = np.float64(weights) * kept / total
    return [
        Figure("value, relative error", off_each(value, np.sum(exact * values)), 2e-7),
        Figure("gradient, relative error", off_each(gradient, exact), 2e-7),
        Figure("the value's bits, NaN left out", int(with_nan != value), 0),
        Figure("the gradient's, numbers", np.sum(gradient_with_nan != gradient), 0),
    ]


def deltas():
    """The paper's formula, its exact symmetry, and parts that are the whole's bits."""
    sweeps, labels = difficulty_oracle.SWEEPS, difficulty_oracle.LABELS
    psi, worst, swapped = jax.jit(jimb.difficulty.psi), [], 0
    for now, before in itertools.permutations(sweeps, 2):
        found = psi(now, before, labels)
        worst.append(off_deltas(found, difficulty_oracle.oracle(now, before, labels)))
        swapped += different(found, psi(before, now, labels)[::-1])
    state = difficulty_oracle.swept(jnp.float32)
    apart = off_deltas(state[:2], difficulty_oracle.oracle_sums(sweeps))
    return [
        Figure("psi, error", max(worst), difficulty_oracle.PSI),
        Figure("psi of swapped passes, numbers not swapped", swapped, 0),
        Figure("sums over four passes, error", apart, difficulty_oracle.PSI_OF_SWEEPS),
        Figure("a pass in parts, numbers unlike the whole's", different(in_parts(), state), 0),
    ]


def off_deltas(found, exact):
    """The largest error of both, over 1 + J."""
    return np.max(np.abs(np.float64(found) - exact) / (1 + exact[0] + exact[1]))


def in_parts():
    n, k = difficulty_oracle.N, difficulty_oracle.K
    state, order = jimb.difficulty.init(n, k, dtype=jnp.float32), np.arange(n, dtype=np.int32)
    for logits in difficulty_oracle.SWEEPS:
        for part in (order[::2], order[1::2]):
            rows = logits[part], difficulty_oracle.LABELS[part]
            state = difficulty_oracle.update(state, *rows, index=part)
    return state


def plans(size):
    """`|n_i - num·w_i/Σw| < 1` and `Σ n_i = num`, for weights over six decades, some 0."""
    rng = np.random.default_rng(3)
    weights = (10 ** rng.uniform(-6, 0, size) * (rng.random(size) < 0.9)).astype(np.float32)
    plan = jax.jit(jimb.sampling.epoch_plan, static_argnums=2)
    drawn = np.asarray(plan(jax.random.key(0), jnp.asarray(weights), size))
    inside = drawn[(drawn >= 0) & (drawn < size)]
    visits = np.bincount(inside, minlength=size)
    expected = size * (np.float64(weights) / np.float64(weights).sum())
    return [
        Figure(
            "visits, largest distance from expected (< 1)", np.max(abs(visits - expected)), BELOW
        ),
        Figure("visits in all, too few or many", abs(len(inside) - size), 0),
        Figure("visits of weight 0", np.sum(visits[weights == 0]), 0),
        *fixed_point(),
    ]


BELOW = np.nextafter(1.0, 0.0)


def fixed_point():
    """Expectations in units of 2⁻³², against fractions."""
    weights = (10 ** np.random.default_rng(4).uniform(-6, 0, 1000)).astype(np.float32)
    num, unit = 1000, 2**32
    found = jax.jit(expected_counts, static_argnums=1)(jnp.asarray(weights), num)
    whole, fraction = (np.asarray(x).tolist() for x in found)
    units = [w * unit + f for w, f in zip(whole, fraction, strict=True)]
    exact = [Fraction(float(w)) for w in weights]
    total = sum(exact)
    errors = [abs(float(u - num * unit * w / total)) for u, w in zip(units, exact, strict=True)]
    return [
        Figure("expected visits, error in units of 2⁻³²", max(errors), 2),
        Figure("their sum, units too few or many", abs(sum(units) - num * unit), 0),
    ]


def counts(size):
    """A class's count beyond 2²⁴, where float32 would stop to count; labels to the last one."""
    rng = np.random.default_rng(5)
    labels, predictions = rng.integers(0, 10, (2, size)).astype(np.int32)
    labels[: 9 * size // 10] = predictions[: 9 * size // 10] = 3
    exact = np.zeros((10, 10), np.int64)
    np.add.at(exact, (labels, predictions), 1)
    update = jax.jit(jimb.metrics.update)
    state, passes = jimb.metrics.init(10), -(-(2**24) // (9 * size // 10)) + 1
    for _ in range(passes):
        state = update(state, predictions, labels)
    found = jimb.class_counts(jnp.asarray(labels), 10)
    return [
        Figure(
            "confusion counts, numbers off", np.sum(np.asarray(state.counts) != passes * exact), 0
        ),
        Figure("class counts, numbers off", np.sum(np.asarray(found) != exact.sum(1)), 0),
    ]
