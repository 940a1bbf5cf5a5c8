"""Exact values of the losses, and inputs that reach into both tails, for tests of accuracy."""

import jax
import jax.numpy as jnp
import numpy as np

GAMMAS = [0.0, 0.5, 1.0, 2.0, 3.7, 8.0]
SMALLEST = 1e-37  # below lie the subnormal float32, of less precision


# The reference: float64 and without any difference of near numbers (itself tested by 60 digits).


def margin(z, y):
    """`u = logsumexp_{j≠y} z_j - z_y`, and the shares of the other classes in that sum."""
    is_label = np.eye(z.shape[-1], dtype=bool)[y]
    others = np.where(is_label, -np.inf, z)
    largest = others.max(-1, keepdims=True)
    exps = np.exp(others - largest)
    total = exps.sum(-1, keepdims=True)
    u = (largest - z[is_label][:, None] + np.log(total))[:, 0]
    return u, np.where(is_label, -1, exps / total)


def focal(u, gamma):
    """`q^γ·softplus(u)` and its derivative `q^γ·(γ·p·softplus(u) + q)`; p = σ(-u), q = σ(u)."""
    entropy = np.logaddexp(0, u)
    log_q, log_p = -np.logaddexp(0, -u), -entropy
    q_gamma = np.exp(gamma * log_q)
    return q_gamma * entropy, q_gamma * (gamma * np.exp(log_p) * entropy + np.exp(log_q))


def softmax_reference(z, y, gamma):
    """Value `[B]` and gradient `[B, K]`, and how far the exponents of each are from 0."""
    z = np.float64(z)
    u, shares = margin(z, y)
    value, slope = focal(u, gamma)
    depth = z.max(-1, keepdims=True) - z
    return value, slope[:, None] * shares, abs(u), abs(u)[:, None] + depth


def sigmoid_reference(z, y, gamma):
    sign = np.where(y > 0, -1, 1)
    u = sign * np.float64(z)
    value, slope = focal(u, gamma)
    return value, sign * slope, abs(u), abs(u) * 2


# The inputs.


def softmax_inputs(num_classes, rows, seed=0):
    """float32 logits of many kinds, labels, and one γ per row."""
    rng = np.random.default_rng(seed)
    kinds = []
    for scale in (0.1, 1, 3, 10, 100, 3000):
        kinds.append(rng.normal(0, scale, (rows, num_classes)))
    kinds.append(rng.integers(-3, 4, (rows, num_classes)) * 1e-6 + 1.5)  # near-ties
    kinds.append(np.repeat(rng.choice([-1e4, 0, 5.3, 1e4], (rows, 1)), num_classes, 1))  # all equal
    kinds.append(rng.normal(0, 1, (rows, num_classes)) + rng.choice([-1e4, 1e4], (rows, 1)))
    dominated = rng.normal(0, 1, (rows, num_classes))
    dominated[:, 0] = rng.uniform(5, 1e4, rows)
    kinds.append(dominated)
    labels = rng.integers(0, num_classes, (len(kinds), rows))
    labels[-1, ::2] = 0
    logits, labels = np.concatenate(kinds), labels.ravel()

    z, y = rng.normal(0, 2, (3 * rows, num_classes)), rng.integers(0, num_classes, 3 * rows)
    u, _ = margin(z, y)  # and margins of given sizes, of both signs
    wanted = rng.uniform(5, 100, 3 * rows) * rng.choice([-1, 1], 3 * rows)
    z[np.arange(3 * rows), y] += u - wanted
    logits, labels = np.concatenate([logits, z]), np.concatenate([labels, y])
    gamma = np.resize(np.array(GAMMAS, np.float32), len(labels))
    return np.clip(logits, -1e4, 1e4).astype(np.float32), labels.astype(np.int32), gamma


def sigmoid_inputs(rows, seed=0):
    rng = np.random.default_rng(seed)
    tails = rng.uniform(5, 100, 2 * rows) * rng.choice([-1, 1], 2 * rows)
    spread = [rng.normal(0, scale, rows) for scale in (1e-3, 0.1, 1, 3, 10, 3000)]
    logits = np.concatenate([tails, *spread, [0, 1e4, -1e4]])
    logits, gamma = np.meshgrid(logits, np.array(GAMMAS))
    y = rng.integers(0, 2, logits.shape).astype(np.int32)
    return np.clip(logits, -1e4, 1e4).astype(np.float32), y, gamma.astype(np.float32)


def values_and_gradients(losses, *args, jit=jax.jit):
    """`{name: (value, gradient)}` of a table of losses."""

    @jit
    def run(logits, labels, gamma):
        def both(loss):
            values, pullback = jax.vjp(lambda z: loss(z, labels, gamma), logits)
            return values, pullback(jnp.ones_like(values))[0]

        return {name: both(loss) for name, loss in losses.items()}

    return jax.tree.map(np.asarray, run(*args))


def worst_ratio(actual, expected, exponent, gamma):
    """The largest relative error, in units of what the exponents' rounding permits."""
    counted = np.abs(expected) > SMALLEST
    if not np.all(np.isfinite(actual)) or np.any(np.abs(actual[~counted]) > 2 * SMALLEST):
        return np.inf
    error = np.abs(np.float64(actual) - expected) / np.where(counted, np.abs(expected), 1)
    bound = 4e-6 + 1.2e-7 * (1 + gamma) * np.minimum(exponent, 120)
    return np.max(np.where(counted, error / bound, 0))


def relative_error(actual, expected, above=SMALLEST, in_units_of=1.0):
    """The largest, where the exact number is larger than `above`."""
    counted = np.abs(expected) > above
    error = np.abs(np.float64(actual) - expected) / np.where(counted, np.abs(expected), 1)
    return np.max(np.where(counted, error / in_units_of, 0))


def ulps(actual, expected):
    """How many representable numbers lie between two arrays of 16-bit floats."""

    def ordered(array):
        bits = array.view(np.int16).astype(np.int32)
        return np.where(bits < 0, -(bits & 0x7FFF), bits)

    return np.abs(ordered(actual) - ordered(expected))
