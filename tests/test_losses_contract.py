"""One table of all losses, and the promises that each of them keeps. A new loss is a new row."""

import functools
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import NamedTuple

import chex
import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from jax.experimental import checkify

import jimb

# The machine code need not be fast here, and compiling it is what takes the time.
jit = functools.partial(jax.jit, compiler_options={"xla_backend_optimization_level": 0})

BATCH, CLASSES = 8, 4
COUNTS = np.array([1000, 200, 30, 4])
BETA = 0.99


# The papers' formulas in float64, without any care for rounding.


def softmax_oracle(z, y, gamma=0.0, class_weights=1.0, label_smoothing=0.0):
    """`-Σ_c w_c y_c (1 - p_c)^γ log p_c`."""
    num_classes = z.shape[-1]
    y = np.eye(num_classes)[y] if y.dtype.kind == "i" else y
    y = (1 - label_smoothing) * y + label_smoothing / num_classes
    p = np.exp(z) / np.sum(np.exp(z), axis=-1, keepdims=True)
    return -np.sum(class_weights * y * (1 - p) ** gamma * np.log(p), axis=-1)


def sigmoid_oracle(z, y, gamma=0.0, alpha=None, pos_weight=1.0):
    """`-α_t (1 - p_t)^γ (w₊ y log p + (1 - y) log(1 - p))`."""
    p = 1 / (1 + np.exp(-z))
    p_t = y * p + (1 - y) * (1 - p)
    alpha_t = 1.0 if alpha is None else y * alpha + (1 - y) * (1 - alpha)
    entropy = -(pos_weight * y * np.log(p) + (1 - y) * np.log(1 / (1 + np.exp(z))))
    return alpha_t * (1 - p_t) ** gamma * entropy


def class_balanced_weights(num_classes):
    """`1 / E_n` normalised to sum to K."""
    inverse = (1 - BETA) / (1 - BETA ** COUNTS[:num_classes])
    return inverse / np.sum(inverse) * num_classes


def class_balanced_softmax_oracle(z, y):
    return class_balanced_weights(z.shape[-1])[y] * softmax_oracle(z, y)


def class_balanced_sigmoid_oracle(z, y, gamma=0.0):
    """`-w_y Σ_c (1 - p_c^t)^γ log p_c^t`."""
    z_t = np.where(np.eye(z.shape[-1], dtype=bool)[y], z, -z)
    p_t = 1 / (1 + np.exp(-z_t))
    return class_balanced_weights(z.shape[-1])[y] * np.sum(
        -((1 / (1 + np.exp(z_t))) ** gamma) * np.log(p_t), axis=-1
    )


def prior_of(num_classes):
    return COUNTS[:num_classes] / np.sum(COUNTS[:num_classes])


def logit_adjusted_oracle(z, y, tau=1.0):
    """`CE(z + τ log π, y)`."""
    return softmax_oracle(z + tau * np.log(prior_of(z.shape[-1])), y)


def ldam_oracle(z, y, max_margin=0.5, scale=30.0):
    """`CE(s·(z - m_y e_y), y)`."""
    counts = COUNTS[: z.shape[-1]]
    margins = max_margin * (counts / np.min(counts)) ** -0.25
    return softmax_oracle(scale * (z - margins * np.eye(z.shape[-1])[y]), y)


def vs_oracle(z, y, gamma=0.0, tau=0.0):
    """`CE(Δ·z + ι, y)`."""
    factor = (COUNTS[: z.shape[-1]] / np.max(COUNTS)) ** gamma
    return softmax_oracle(factor * z + tau * np.log(prior_of(z.shape[-1])), y)


def asymmetric_oracle(z, y, gamma_pos=1.0, gamma_neg=4.0, clip=0.05):
    """`-y (1 - p)^γ₊ log p - (1 - y) p_m^γ₋ log(1 - p_m)`."""
    p = 1 / (1 + np.exp(-z))
    shifted = np.maximum(p - clip, 0)
    negative = shifted**gamma_neg * np.log(1 - shifted)
    return -y * (1 - p) ** gamma_pos * np.log(p) - (1 - y) * negative


def with_counts(function):
    """A loss with the table's counts."""

    def counted(logits, labels, **kwargs):
        return function(logits, labels, COUNTS[: logits.shape[-1]], **kwargs)

    return counted


def logit_adjusted(logits, labels, **kwargs):
    return jimb.logit_adjusted_loss(logits, labels, prior_of(logits.shape[-1]), **kwargs)


def class_balanced(function):
    """A loss of the class-balanced trio with the table's counts."""

    def with_counts(logits, labels, **kwargs):
        return function(logits, labels, COUNTS[: logits.shape[-1]], beta=BETA, **kwargs)

    return with_counts


@dataclass(frozen=True, eq=False)
class Loss:
    """A row. `labels`: class (int [B]), soft ([B, K]), binary (int [B, K]), partial (float)."""

    name: str
    function: Callable  # (logits, labels, *, where, **hyper)
    oracle: Callable  # (logits, labels, **hyper)
    labels: str
    hyper: dict[str, float | list[float]] = field(default_factory=dict)  # lists: one per class

    @property
    def elementwise(self):
        return self.labels in ("binary", "partial")

    @property
    def soft(self):
        return self.labels in ("soft", "partial")


WEIGHTS = [0.5, 1.0, 2.0, 3.5]
CE, FOCAL = jimb.softmax_cross_entropy_loss, jimb.softmax_focal_loss
BCE, SIGMOID_FOCAL = jimb.sigmoid_cross_entropy_loss, jimb.sigmoid_focal_loss
CB_SOFTMAX = class_balanced(jimb.class_balanced_softmax_loss)
CB_SIGMOID = class_balanced(jimb.class_balanced_sigmoid_loss)
CB_FOCAL = class_balanced(jimb.class_balanced_focal_loss)

SMOOTHING_AND_WEIGHTS = {"label_smoothing": 0.1, "class_weights": WEIGHTS}
GAMMA_AND_WEIGHTS = {"gamma": 1.5, "class_weights": WEIGHTS}
GAMMA_AND_ALPHA = {"gamma": 2.0, "alpha": 0.25}
BALANCED = with_counts(jimb.balanced_softmax_loss)
LDAM, VS = with_counts(jimb.ldam_loss), with_counts(jimb.vs_loss)
ASYMMETRIC = jimb.sigmoid_asymmetric_loss
TWO_GAMMAS = {"gamma_pos": 1.0, "gamma_neg": 4.0}

LOSSES = [
    Loss("softmax_ce", CE, softmax_oracle, "class"),
    Loss("softmax_ce_weights", CE, softmax_oracle, "class", {"class_weights": WEIGHTS}),
    Loss("softmax_ce_smoothing", CE, softmax_oracle, "class", {"label_smoothing": 0.1}),
    Loss("softmax_ce_smoothing_weights", CE, softmax_oracle, "class", SMOOTHING_AND_WEIGHTS),
    Loss("softmax_ce_soft", CE, softmax_oracle, "soft"),
    Loss("softmax_ce_soft_smoothing_weights", CE, softmax_oracle, "soft", SMOOTHING_AND_WEIGHTS),
    Loss("softmax_focal", FOCAL, softmax_oracle, "class", {"gamma": 2.0}),
    Loss("softmax_focal_weights", FOCAL, softmax_oracle, "class", GAMMA_AND_WEIGHTS),
    Loss("softmax_focal_soft", FOCAL, softmax_oracle, "soft", {"gamma": 2.0}),
    Loss("softmax_focal_soft_weights", FOCAL, softmax_oracle, "soft", GAMMA_AND_WEIGHTS),
    Loss("sigmoid_ce", BCE, sigmoid_oracle, "binary"),
    Loss("sigmoid_ce_pos_weight", BCE, sigmoid_oracle, "partial", {"pos_weight": WEIGHTS}),
    Loss("sigmoid_focal", SIGMOID_FOCAL, sigmoid_oracle, "binary", {"gamma": 2.0}),
    Loss("sigmoid_focal_alpha", SIGMOID_FOCAL, sigmoid_oracle, "binary", GAMMA_AND_ALPHA),
    Loss("sigmoid_focal_soft_alpha", SIGMOID_FOCAL, sigmoid_oracle, "partial", GAMMA_AND_ALPHA),
    Loss("class_balanced_softmax", CB_SOFTMAX, class_balanced_softmax_oracle, "class"),
    Loss("class_balanced_sigmoid", CB_SIGMOID, class_balanced_sigmoid_oracle, "class"),
    Loss("class_balanced_focal", CB_FOCAL, class_balanced_sigmoid_oracle, "class", {"gamma": 2.0}),
    Loss("softmax_balanced", BALANCED, logit_adjusted_oracle, "class"),
    Loss("softmax_logit_adjusted", logit_adjusted, logit_adjusted_oracle, "class", {"tau": 0.7}),
    Loss(
        "softmax_logit_adjusted_soft", logit_adjusted, logit_adjusted_oracle, "soft", {"tau": 0.7}
    ),
    Loss("softmax_ldam", LDAM, ldam_oracle, "class", {"max_margin": 0.5, "scale": 3.0}),
    Loss("softmax_vs", VS, vs_oracle, "class", {"gamma": 0.2, "tau": 0.7}),
    Loss("softmax_vs_soft", VS, vs_oracle, "soft", {"gamma": 0.2, "tau": 0.7}),
    Loss("sigmoid_asymmetric", ASYMMETRIC, asymmetric_oracle, "binary", TWO_GAMMAS),
    Loss("sigmoid_asymmetric_soft", ASYMMETRIC, asymmetric_oracle, "partial", TWO_GAMMAS),
]


def over(losses):
    return pytest.mark.parametrize("loss", losses, ids=lambda loss: loss.name)


all_losses = over(LOSSES)
softmax_losses = over([loss for loss in LOSSES if "softmax" in loss.name])
swept_losses = over([loss for loss in LOSSES if loss.hyper])


# The data of a row: the variables to differentiate by (logits, hyper-parameters, soft labels),
# and the labels where these are integers.


class Inputs(NamedTuple):
    variables: dict[str, np.ndarray]
    labels: np.ndarray | None
    where: np.ndarray
    weights: np.ndarray

    def set(self, **variables):
        arrays = {name: np.asarray(value, np.float32) for name, value in variables.items()}
        return self._replace(variables=self.variables | arrays)


def inputs_of(loss, batch=BATCH, num_classes=CLASSES):
    rng = np.random.default_rng(0)
    shape = (batch, num_classes)
    hyper = {
        name: value[:num_classes] if isinstance(value, list) else value
        for name, value in loss.hyper.items()
    }
    variables = {"logits": rng.normal(0, 2, shape)} | hyper
    labels = None
    if loss.labels == "class":
        labels = (np.arange(batch) % num_classes).astype(np.int32)
    elif loss.labels == "binary":
        labels = rng.integers(0, 2, shape).astype(np.int32)
    elif loss.labels == "soft":
        variables["labels"] = rng.dirichlet(np.ones(num_classes), batch)
        variables["labels"][:1] = np.eye(num_classes)[:1]
    else:
        variables["labels"] = rng.uniform(size=shape)
        variables["labels"][:1], variables["labels"][1:2] = 0, 1
    loss_shape = shape if loss.elementwise else shape[:1]
    inputs = Inputs({}, labels, np.ones(loss_shape, bool), np.ones(loss_shape, np.float32))
    return inputs.set(**variables)


def call(loss, variables, labels, where=None):
    hyper = {name: variables[name] for name in loss.hyper}
    return loss.function(variables["logits"], variables.get("labels", labels), where=where, **hyper)


class Evaluation(NamedTuple):
    losses: jax.Array
    total: jax.Array  # Σ w·loss, by weighted_mean
    gradient: dict[str, jax.Array]  # of the total, reverse
    tangent: jax.Array  # of the losses along the direction, forward
    curvature: dict[str, jax.Array]  # of the total: Hessian times direction


@functools.cache
def evaluator(loss):
    @jit
    def run(variables, labels, where, weights, direction):
        def losses(v):
            return call(loss, v, labels, where)

        def total(v):
            return jimb.weighted_mean(losses(v), weights, normalizer=1)

        values, tangent = jax.jvp(losses, (variables,), (direction,))
        (sum_, gradient), (_, curvature) = jax.jvp(
            jax.value_and_grad(total), (variables,), (direction,)
        )
        return Evaluation(values, sum_, gradient, tangent, curvature)

    return run


def direction_of(inputs):
    rng = np.random.default_rng(1)
    draw = {name: rng.uniform(0.2, 1, v.shape) for name, v in inputs.variables.items()}
    return {name: v.astype(np.float32) for name, v in draw.items()}


def evaluate(loss, inputs):
    result = evaluator(loss)(*inputs, direction_of(inputs))
    return jax.tree.map(np.asarray, result)


@functools.cache
def plain(loss):
    """The row's own data, evaluated."""
    return evaluate(loss, inputs_of(loss))


def oracle(loss, inputs):
    wide = {name: np.float64(value) for name, value in inputs.variables.items()}
    hyper = {name: wide[name] for name in loss.hyper}
    return loss.oracle(wide["logits"], wide.get("labels", inputs.labels), **hyper)


def oracle_gradient(loss, inputs, step=1e-5):
    """Central differences of the summed oracle, for each number of each variable."""
    wide = {name: np.float64(value) for name, value in inputs.variables.items()}

    def total(name, array):
        return np.sum(oracle(loss, inputs._replace(variables=wide | {name: array})))

    gradient = {name: np.zeros(value.shape) for name, value in wide.items()}
    for name, value in wide.items():
        for place in np.ndindex(value.shape):
            shift = np.zeros(value.shape)
            shift[place] = step
            difference = total(name, value + shift) - total(name, value - shift)
            gradient[name][place] = difference / (2 * step)
    return gradient


def oracle_curvature(loss, inputs, step=1e-3):
    direction = direction_of(inputs)
    ends = []
    for sign in (1, -1):
        moved = {
            name: np.float64(value) + sign * step * direction[name]
            for name, value in inputs.variables.items()
        }
        ends.append(oracle_gradient(loss, inputs._replace(variables=moved)))
    return jax.tree.map(lambda a, b: (a - b) / (2 * step), *ends)


def assert_close(actual, expected, rtol=2e-6, atol=2e-6, message=""):
    def compare(a, b):
        np.testing.assert_allclose(a, b, rtol, atol, err_msg=message)

    jax.tree.map(compare, actual, expected)


def assert_finite(tree, message=""):
    for path, leaf in jax.tree.leaves_with_path(tree):
        assert np.all(np.isfinite(leaf)), f"{message} {jax.tree_util.keystr(path)}: {leaf}"


# Values and derivatives.


@all_losses
def test_value_is_the_formula(loss):
    inputs = inputs_of(loss)
    np.testing.assert_allclose(plain(loss).losses, oracle(loss, inputs), rtol=2e-6, atol=1e-7)


@all_losses
def test_reverse_derivatives_are_those_of_the_formula(loss):
    expected = oracle_gradient(loss, inputs_of(loss))
    assert_close(plain(loss).gradient, expected, rtol=1e-5, atol=1e-5)


@all_losses
def test_forward_derivatives_equal_reverse(loss):
    direction = direction_of(inputs_of(loss))
    result = plain(loss)
    along = sum(np.sum(result.gradient[name] * direction[name]) for name in direction)
    np.testing.assert_allclose(np.sum(result.tangent), along, rtol=1e-5, atol=1e-5)


@all_losses
def test_second_derivatives_are_those_of_the_formula(loss):
    expected = oracle_curvature(loss, inputs_of(loss))
    assert_close(plain(loss).curvature, expected, rtol=1e-4, atol=1e-4)


@all_losses
def test_eager_without_mask_equals_jit_with_an_open_mask(loss):
    inputs = inputs_of(loss)
    variables = jax.tree.map(jnp.asarray, inputs.variables)
    assert_close(call(loss, variables, inputs.labels), plain(loss).losses, atol=1e-7)


@all_losses
def test_vmap_over_the_batch_equals_the_batch(loss):
    inputs = inputs_of(loss)
    axes = {name: 0 if name in ("logits", "labels") else None for name in inputs.variables}
    label_axis = None if inputs.labels is None else 0
    mapped = jit(jax.vmap(functools.partial(call, loss), in_axes=(axes, label_axis, 0)))
    values = mapped(inputs.variables, inputs.labels, inputs.where)
    assert_close(values, plain(loss).losses, atol=1e-7)


@all_losses
def test_scan_with_checkpoint_accumulates_the_same_gradient(loss):
    inputs = inputs_of(loss)
    hyper = {name: inputs.variables[name] for name in loss.hyper}
    soft = {"labels": inputs.variables["labels"]} if loss.soft else {}
    batch = {"logits": inputs.variables["logits"]} | soft

    @jax.checkpoint
    def step(total, micro_batch):
        variables, labels = micro_batch
        losses = call(loss, variables | hyper, labels)
        return total + jimb.weighted_mean(losses, normalizer=1), None

    @jit
    @jax.grad
    def gradient(batch):
        micro_batches = jax.tree.map(
            lambda x: x.reshape(4, BATCH // 4, *x.shape[1:]), (batch, inputs.labels)
        )
        return jax.lax.scan(step, jnp.float32(0), micro_batches)[0]

    expected = {name: plain(loss).gradient[name] for name in batch}
    assert_close(gradient(batch), expected)


@swept_losses
def test_a_sweep_over_every_hyper_parameter_is_one_vmap_and_one_trace(loss):
    inputs = inputs_of(loss)
    factors = np.array([0.0, 0.5, 1.0], np.float32)
    grid = {name: np.multiply.outer(factors, inputs.variables[name]) for name in loss.hyper}

    chex.clear_trace_counter()

    @jit
    @chex.assert_max_traces(n=1)
    def sweep(grid):
        return jax.vmap(lambda point: call(loss, inputs.variables | point, inputs.labels))(grid)

    swept = [sweep(grid), sweep(jax.tree.map(lambda x: x[::-1].copy(), grid))[::-1]]
    for i in range(len(factors)):
        point = {name: values[i] for name, values in grid.items()}
        expected = evaluate(loss, inputs.set(**point)).losses
        assert_close([values[i] for values in swept], [expected] * 2)


def test_beta_is_swept_by_one_vmap_and_traced_counts_equal_host_counts():
    inputs = inputs_of(LOSSES[0])
    logits, betas = inputs.variables["logits"], np.array([0.0, 0.9, 0.99, 1.0], np.float32)

    @jit
    def sweep(betas, counts):
        return jax.vmap(
            lambda beta: jimb.class_balanced_focal_loss(logits, inputs.labels, counts, beta=beta)
        )(betas)

    swept = sweep(betas, jnp.asarray(COUNTS, jnp.int32))
    for beta, values in zip(betas, swept, strict=True):
        expected = jimb.class_balanced_focal_loss(logits, inputs.labels, COUNTS, beta=float(beta))
        np.testing.assert_allclose(values, expected, rtol=1e-5)


# Extremes.


@all_losses
def test_extreme_logits_are_finite_to_the_second_derivative(loss):
    extremes = [-1e4, -104.0, 0.0, 88.8, 1e4]
    logits = np.random.default_rng(2).choice(extremes, (BATCH, CLASSES))
    logits[0], logits[1], logits[2] = 1e4, -1e4, 0
    logits[3], logits[4] = -1e4, 1e4
    logits[3, 3], logits[4, 0] = 1e4, -1e4  # the true class on top, and at the bottom
    inputs = inputs_of(loss).set(logits=logits)
    gammas = [0.0, 0.5, 2.0, 8.0] if "gamma" in loss.hyper else [None]
    for gamma in gammas:
        point = inputs if gamma is None else inputs.set(gamma=gamma)
        result = evaluate(loss, point)
        assert_finite(result, f"gamma={gamma}")
        assert np.all(result.losses >= 0)


@swept_losses
def test_bounds_of_the_hyper_parameters_are_finite_to_the_second_derivative(loss):
    bounds = {"gamma": (0, 64), "alpha": (0, 1), "label_smoothing": (0, 1)}
    weights = (np.zeros(CLASSES), np.eye(CLASSES)[0])
    bounds |= {"class_weights": weights, "pos_weight": weights, "tau": (0, 4)}
    bounds |= {"gamma_pos": (0, 64), "gamma_neg": (0, 64), "max_margin": (0, 4), "scale": (1, 64)}
    for side in (0, 1):
        point = {name: bounds[name][side] for name in loss.hyper}
        inputs = inputs_of(loss).set(**point)
        result = evaluate(loss, inputs)
        assert_finite(result, str(point))
        np.testing.assert_allclose(result.losses, oracle(loss, inputs), rtol=2e-5, atol=1e-7)


@all_losses
def test_minus_infinity_on_other_classes_removes_them(loss):
    inputs = inputs_of(loss)
    removed = np.zeros((BATCH, CLASSES), bool)
    removed[np.arange(BATCH), (np.arange(BATCH) + 1) % CLASSES] = True  # never the true class
    removed[0, 1:] = True  # only the true class is left
    if loss.soft:
        labels = np.where(removed, 0, inputs.variables["labels"])
        inputs = inputs.set(labels=labels)
    elif loss.elementwise:
        inputs = inputs._replace(labels=np.where(removed, 0, inputs.labels))
    if "label_smoothing" in loss.hyper:  # which puts a label on every class
        inputs = inputs.set(label_smoothing=0.0)
    logits = inputs.variables["logits"]
    result = evaluate(loss, inputs.set(logits=np.where(removed, -np.inf, logits)))
    expected = oracle(loss, inputs.set(logits=np.where(removed, -200, logits)))
    np.testing.assert_allclose(result.losses, expected, rtol=2e-6, atol=1e-7)
    assert_finite((result.gradient["logits"], result.curvature["logits"]))
    np.testing.assert_array_equal(result.gradient["logits"][removed], 0)


@softmax_losses
def test_a_single_class_has_no_loss_and_no_gradient(loss):
    inputs = inputs_of(loss, batch=2, num_classes=1)

    @jit
    @functools.partial(jax.grad, has_aux=True)
    def gradient_and_losses(logits):
        losses = call(loss, inputs.variables | {"logits": logits}, inputs.labels, inputs.where)
        return jnp.sum(losses), losses

    gradient, losses = gradient_and_losses(inputs.variables["logits"])
    np.testing.assert_array_equal(losses, 0)
    np.testing.assert_array_equal(gradient, 0)


@all_losses
def test_an_empty_batch_has_no_losses_and_a_mean_of_0(loss):
    inputs = inputs_of(loss, batch=0)

    @jit
    @functools.partial(jax.value_and_grad, has_aux=True)
    def mean(variables):
        losses = call(loss, variables, inputs.labels, inputs.where)
        return jimb.weighted_mean(losses, inputs.weights), losses

    (value, losses), gradient = mean(inputs.variables)
    assert losses.shape == inputs.where.shape
    assert value == 0
    assert_finite(gradient)


# Masks, bad labels, NaN.


def half_masked(loss):
    """The row's data with half of it masked, and then with rubbish at the masked places."""
    inputs = inputs_of(loss)
    where = np.random.default_rng(3).permutation(inputs.where.size).reshape(inputs.where.shape) % 2
    clean = inputs._replace(where=where == 1)
    wide = clean.where if loss.elementwise else clean.where[:, None]
    rubbish = clean.set(logits=np.where(wide, clean.variables["logits"], np.nan))
    if loss.soft:
        return clean, rubbish.set(labels=np.where(wide, clean.variables["labels"], np.nan))
    return clean, rubbish._replace(labels=np.where(clean.where, clean.labels, np.int32(-100)))


@all_losses
def test_where_equals_the_subset(loss):
    clean, _ = half_masked(loss)
    result = evaluate(loss, clean)
    np.testing.assert_array_equal(result.losses, np.where(clean.where, plain(loss).losses, 0))
    kept = clean.where if loss.elementwise else clean.where[:, None]
    expected = np.where(kept, plain(loss).gradient["logits"], 0)
    np.testing.assert_array_equal(result.gradient["logits"], expected)


@all_losses
def test_rubbish_behind_the_mask_changes_no_value_and_no_derivative(loss):
    clean, rubbish = half_masked(loss)
    jax.tree.map(np.testing.assert_array_equal, evaluate(loss, rubbish), evaluate(loss, clean))


def with_bad_labels(loss):
    """The row's data with two labels out of range, and where they are."""
    inputs = inputs_of(loss)
    bad = np.zeros_like(inputs.where)
    bad[2], bad[5] = True, True
    if loss.soft:
        labels = inputs.variables["labels"].copy()
        labels[2, 1], labels[5, 1] = -0.5, 1.5
        if loss.elementwise:
            bad[:] = (labels < 0) | (labels > 1)
        return inputs.set(labels=labels), bad
    labels = inputs.labels.copy()
    labels[2], labels[5] = -1, 2 if loss.elementwise else CLASSES
    return inputs._replace(labels=labels), bad


@all_losses
def test_a_bad_label_is_nan_there_and_in_a_mean_that_includes_it(loss):
    inputs, bad = with_bad_labels(loss)
    result = evaluate(loss, inputs)
    np.testing.assert_array_equal(result.losses, np.where(bad, np.nan, plain(loss).losses))
    assert np.isnan(result.total)


@all_losses
def test_a_mean_that_excludes_a_bad_label_is_clean(loss):
    inputs, bad = with_bad_labels(loss)
    weights = np.where(bad, np.float32(0), inputs.weights)
    result = evaluate(loss, inputs._replace(weights=weights))
    expected = evaluate(loss, inputs_of(loss)._replace(weights=weights))
    assert_close(
        (result.total, result.gradient, result.curvature),
        (expected.total, expected.gradient, expected.curvature),
    )


@all_losses
@pytest.mark.parametrize("rubbish", [np.nan, np.inf, -np.inf])
def test_a_mean_that_excludes_rubbish_logits_is_clean(loss, rubbish):
    inputs = inputs_of(loss)
    logits = inputs.variables["logits"].copy()
    logits[2], logits[5, 0], logits[6, 2] = rubbish, rubbish, rubbish
    weights = inputs.weights.copy()
    weights[[2, 5, 6]] = 0
    result = evaluate(loss, inputs.set(logits=logits)._replace(weights=weights))
    expected = evaluate(loss, inputs._replace(weights=weights))
    assert_close(
        (result.total, result.gradient, result.curvature),
        (expected.total, expected.gradient, expected.curvature),
    )


@pytest.mark.parametrize("loss", [LOSSES[6], LOSSES[13]], ids=lambda loss: loss.name)
def test_where_in_the_mean_alone_excludes_bad_labels_and_nan(loss):
    inputs, bad = with_bad_labels(loss)
    wide = bad if loss.elementwise else bad[:, None]
    logits = np.where(wide, np.float32(np.nan), inputs.variables["logits"])

    @jit
    @jax.value_and_grad
    def mean(logits):
        losses = call(loss, inputs.variables | {"logits": logits}, inputs.labels)
        return jimb.weighted_mean(losses, where=~bad)

    value, gradient = mean(logits)
    np.testing.assert_allclose(value, np.mean(plain(loss).losses[~bad]), rtol=1e-6)
    expected = np.where(wide, 0, plain(loss).gradient["logits"]) / np.sum(~bad)
    np.testing.assert_allclose(gradient, expected, rtol=1e-5, atol=1e-7)


@pytest.mark.parametrize("loss", LOSSES[4:6] + LOSSES[8:10], ids=lambda loss: loss.name)
def test_soft_labels_with_nan_are_nan_there_only(loss):
    inputs = inputs_of(loss)
    labels = inputs.variables["labels"].copy()
    labels[3, 1] = np.nan
    nan = np.isnan(evaluate(loss, inputs.set(labels=labels)).losses)
    np.testing.assert_array_equal(nan, np.arange(BATCH) == 3)


# Types and platforms.


@all_losses
def test_the_dtype_of_the_logits_is_kept(loss):
    inputs = inputs_of(loss)
    for dtype in (jnp.bfloat16, jnp.float16, jnp.float32):
        half = {name: value.astype(dtype) for name, value in inputs.variables.items()}
        for variables in (half, inputs.variables | {"logits": half["logits"]}):
            out = jax.eval_shape(
                functools.partial(call, loss), variables, inputs.labels, inputs.where
            )
            assert out == jax.ShapeDtypeStruct(inputs.where.shape, dtype)


@all_losses
def test_float64_stays_float64(loss):
    inputs = inputs_of(loss)
    with jax.enable_x64(True):
        wide = {name: value.astype(np.float64) for name, value in inputs.variables.items()}
        out = jax.eval_shape(functools.partial(call, loss), wide, inputs.labels, inputs.where)
        mean = jax.eval_shape(jimb.weighted_mean, out)
    assert out.dtype == np.float64
    assert mean.dtype == np.float64


@pytest.mark.parametrize("dtype", [np.bool_, np.uint8, np.int8, np.int16, np.uint32])
def test_labels_of_every_integer_dtype_give_the_same_losses(dtype):
    kinds = ("binary",) if dtype == np.bool_ else ("binary", "class")
    losses = [loss for loss in LOSSES if loss.labels in kinds]
    labels = [inputs_of(loss).labels.astype(dtype) for loss in losses]

    @jit
    def values(labels):
        pairs = zip(losses, labels, strict=True)
        return [call(loss, inputs_of(loss).variables, y) for loss, y in pairs]

    for loss, value in zip(losses, values(labels), strict=True):
        np.testing.assert_allclose(value, plain(loss).losses, rtol=2e-6, err_msg=loss.name)


@all_losses
def test_the_gradient_of_a_mean_lowers_for_cpu_gpu_and_tpu(loss):
    inputs = inputs_of(loss)

    def mean(variables, labels, where):
        return jimb.weighted_mean(call(loss, variables, labels, where), where=where)

    platforms = ("cpu", "cuda", "tpu")
    exported = jax.export.export(jax.jit(jax.value_and_grad(mean)), platforms=platforms)(
        inputs.variables, inputs.labels, inputs.where
    )
    assert exported.platforms == platforms


# Optax.


def optax_pairs():
    class_inputs, binary = inputs_of(LOSSES[0]), inputs_of(LOSSES[10])
    soft, partial = inputs_of(LOSSES[4]).variables["labels"], inputs_of(LOSSES[11])
    classes, labels = class_inputs.labels, binary.labels.astype(np.float32)
    fractions = partial.variables["labels"]
    return {
        "softmax": (
            lambda z: CE(z, classes),
            lambda z: optax.softmax_cross_entropy_with_integer_labels(z, classes),
        ),
        "softmax_soft": (lambda z: CE(z, soft), lambda z: optax.softmax_cross_entropy(z, soft)),
        "sigmoid": (
            lambda z: BCE(z, fractions),
            lambda z: optax.sigmoid_binary_cross_entropy(z, fractions),
        ),
        "sigmoid_focal": (
            lambda z: SIGMOID_FOCAL(z, labels, gamma=2.0),
            lambda z: optax.sigmoid_focal_loss(z, labels, gamma=2.0),
        ),
        "sigmoid_focal_alpha": (
            lambda z: SIGMOID_FOCAL(z, labels, alpha=0.25, gamma=1.5),
            lambda z: optax.sigmoid_focal_loss(z, labels, alpha=0.25, gamma=1.5),
        ),
        "sigmoid_focal_soft": (
            lambda z: SIGMOID_FOCAL(z, fractions, alpha=0.25, gamma=2.0),
            lambda z: optax.sigmoid_focal_loss(z, fractions, alpha=0.25, gamma=2.0),
        ),
    }


def test_values_and_gradients_equal_those_of_optax():
    pairs = optax_pairs()
    logits = inputs_of(LOSSES[0]).variables["logits"]

    @jit
    def values_and_gradients(logits):
        def both(function):
            values, pullback = jax.vjp(function, logits)
            return values, pullback(jnp.ones_like(values))

        return {name: (both(ours), both(theirs)) for name, (ours, theirs) in pairs.items()}

    for name, (ours, theirs) in values_and_gradients(logits).items():
        chex.assert_trees_all_close(ours, theirs, rtol=1e-5, atol=1e-6, custom_message=name)


# Bad input.

Z = np.zeros((2, 3), np.float32)
Y = np.array([0, 2], np.int32)
YB = np.zeros((2, 3), np.int32)
N = np.array([5, 3, 2])
EMPTY = np.array([5, 0, 2])
CB_ALL = [
    jimb.class_balanced_softmax_loss,
    jimb.class_balanced_sigmoid_loss,
    jimb.class_balanced_focal_loss,
]

BAD_CALLS = [
    *[
        (f, *row)
        for f in (CE, FOCAL)
        for row in [
            ((Z.astype(int), Y), {}, TypeError, "logits must be floating point, got int"),
            ((np.float32(0), Y), {}, ValueError, "logits need a last axis"),
            ((Z[:, :0], Y), {}, ValueError, "logits need a last axis"),
            ((Z, Y[:1]), {}, ValueError, r"labels must have the shape \[2\] of the batch"),
            ((Z, YB), {}, ValueError, r"labels must have the shape \[2\] of the batch"),
            ((Z, Y.astype(np.float32)), {}, ValueError, "class ids must be integers"),
            ((Z, Y == 0), {}, TypeError, "labels must be integers or float soft labels, got bool"),
            ((Z, Y), {"where": Y}, TypeError, "where must be boolean"),
            ((Z, Y), {"where": YB == 0}, ValueError, r"where must have the shape \[2\]"),
            ((Z, Y), {"class_weights": np.ones(2)}, ValueError, "class_weights must have"),
            ((Z, Y), {"class_weights": -np.ones(3)}, ValueError, "class_weights must lie in"),
        ]
    ],
    *[
        (f, *row)
        for f in (BCE, SIGMOID_FOCAL)
        for row in [
            ((Z.astype(int), YB), {}, TypeError, "logits must be floating point, got int"),
            ((Z, Y), {}, ValueError, r"labels must have the shape \[2, 3\] of logits"),
            ((Z, YB * 1j), {}, TypeError, "labels must be numbers"),
            ((Z, YB), {"where": YB}, TypeError, "where must be boolean"),
            ((Z, YB), {"where": Y == 0}, ValueError, r"where must have the shape \[2, 3\]"),
        ]
    ],
    *[
        (f, *row)
        for f in CB_ALL
        for row in [
            ((Z.astype(int), Y, N), {}, TypeError, "logits must be floating point, got int"),
            ((Z, Y.astype(np.float32), N), {}, TypeError, "labels must be integers"),
            ((Z, Y == 0, N), {}, TypeError, "labels must be integers"),
            ((Z, Y[:1], N), {}, ValueError, r"labels must have the shape \[2\]"),
            ((Z, Y, N[:2]), {}, ValueError, "counts must have"),
            ((Z, Y, YB), {}, ValueError, r"counts must be one number per class"),
            ((Z, Y, -N), {}, ValueError, "counts must lie in"),
            ((Z, Y, EMPTY), {}, ValueError, "counts has no example of class 1"),
            ((Z, Y, N), {"beta": 1.5}, ValueError, r"beta must lie in \[0, 1\], got 1.5"),
            ((Z, Y, N), {"beta": -0.1}, ValueError, r"beta must lie in \[0, 1\], got -0.1"),
            ((Z, Y, N), {"beta": np.nan}, ValueError, r"beta must lie in \[0, 1\], got nan"),
            ((Z, Y, N), {"beta": np.ones(2)}, ValueError, "beta"),
            ((Z, Y, N), {"where": Y}, TypeError, "where must be boolean"),
            ((Z, Y, N), {"where": YB == 0}, ValueError, r"where must have the shape \[2\]"),
        ]
    ],
    *[
        (f, *row)
        for f, args in [(FOCAL, (Z, Y)), (SIGMOID_FOCAL, (Z, YB)), (CB_ALL[2], (Z, Y, N))]
        for row in [
            (args, {"gamma": -1.0}, ValueError, r"gamma must lie in \[0, inf\), got -1.0"),
            (args, {"gamma": np.float32(-1)}, ValueError, r"gamma must lie in \[0, inf\)"),
            (args, {"gamma": float("nan")}, ValueError, r"gamma must lie in \[0, inf\), got nan"),
            (args, {"gamma": np.ones(7)}, ValueError, "gamma.* scalar"),
        ]
    ],
    (CE, (Z, Y), {"label_smoothing": 1.5}, ValueError, r"label_smoothing must lie in \[0, 1\]"),
    (CE, (Z, Y), {"label_smoothing": -0.5}, ValueError, r"label_smoothing must lie in \[0, 1\]"),
    (CE, (Z, Y), {"label_smoothing": np.ones(3)}, ValueError, "label_smoothing must be a scalar"),
    (CE, (Z, Y), {"label_smoothing": jnp.ones(2)}, ValueError, "label_smoothing must be a scalar"),
    (SIGMOID_FOCAL, (Z, YB), {"alpha": 1.5}, ValueError, r"alpha must lie in \[0, 1\], got 1.5"),
    (SIGMOID_FOCAL, (Z, YB), {"alpha": -0.5}, ValueError, r"alpha must lie in \[0, 1\], got -0.5"),
    (SIGMOID_FOCAL, (Z, YB), {"alpha": np.ones(7)}, ValueError, "alpha must be a scalar or"),
    (BCE, (Z, YB), {"pos_weight": -1.0}, ValueError, r"pos_weight must lie in \[0, inf\)"),
    (BCE, (Z, YB), {"pos_weight": np.ones(7)}, ValueError, "pos_weight must be a scalar or"),
]


def bad_call_id(row):
    function, _, kwargs, error, match = row
    return f"{function.__name__}-{error.__name__}-{match[:30]}-{'-'.join(kwargs)}"


@pytest.mark.parametrize("row", BAD_CALLS, ids=bad_call_id)
def test_bad_input_is_refused_in_a_sentence(row):
    function, args, kwargs, error, match = row
    with pytest.raises(error, match=match) as caught:
        function(*args, **kwargs)
    assert str(caught.value).endswith(".")


TRACED = [
    (FOCAL, (Z, Y), {"gamma": -1.0}, "gamma must lie in [0, inf)"),
    (SIGMOID_FOCAL, (Z, YB), {"gamma": -1.0}, "gamma must lie in [0, inf)"),
    (SIGMOID_FOCAL, (Z, YB), {"alpha": 1.5}, "alpha must lie in [0, 1]"),
    (BCE, (Z, YB + 1), {"pos_weight": -1.0}, "pos_weight must lie in [0, inf)"),
    (CE, (Z, Y), {"label_smoothing": 1.5}, "label_smoothing must lie in [0, 1]"),
    (CE, (Z, Y), {"class_weights": -np.ones(3, np.float32)}, "class_weights must lie in"),
    *[(f, (Z, Y, N), {"beta": 1.5}, "beta must lie in [0, 1]") for f in CB_ALL],
]


@pytest.mark.parametrize("row", TRACED, ids=lambda row: f"{row[0].__name__}-{row[3][:12]}")
def test_a_traced_number_out_of_range_gives_nan_and_a_checkify_error(row):
    function, args, kwargs, message = row
    traced = {name: np.asarray(value, np.float32) for name, value in kwargs.items()}
    checked = jit(checkify.checkify(lambda traced: function(*args, **traced)))
    error, losses = checked(traced)
    assert np.all(np.isnan(losses))
    assert message in error.get()


@pytest.mark.parametrize("function", CB_ALL, ids=lambda f: f.__name__)
def test_a_traced_empty_class_has_weight_0_and_a_checkify_error(function):
    labels = np.array([0, 1], np.int32)
    checked = jit(checkify.checkify(lambda counts: function(Z, labels, counts)))
    error, losses = checked(EMPTY.astype(np.int32))
    assert "empty class" in error.get()
    assert losses[1] == 0
    assert np.isfinite(losses[0])
    assert losses[0] > 0
