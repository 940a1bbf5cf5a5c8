"""One table of all losses: a new loss is a new row."""

import functools
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import NamedTuple

import jax
import numpy as np

import jimb

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


def sigmoid_oracle(z, y, gamma=0.0, alpha=None, pos_weight=1.0, label_smoothing=0.0):
    """`-α_t (1 - p_t)^γ (w₊ y log p + (1 - y) log(1 - p))`."""
    y = (1 - label_smoothing) * y + label_smoothing / 2
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


def quality_focal_oracle(z, y, beta=2.0):
    """`|y - p|^β · (-y log p - (1 - y) log(1 - p))`."""
    return np.abs(y - 1 / (1 + np.exp(-z))) ** beta * sigmoid_oracle(z, y)


def varifocal_oracle(z, y, alpha=0.75, gamma=2.0):
    """`y · (-y log p - (1 - y) log(1 - p))` if y > 0, else `-α p^γ log(1 - p)`."""
    negative = alpha * (1 / (1 + np.exp(-z))) ** gamma * sigmoid_oracle(z, 0)
    return np.where(y > 0, y * sigmoid_oracle(z, y), negative)


RATIO = np.array([1.3, 0.9, 0.4, 0.02])


def mitigated_oracle(z, y, p=0.8):
    """`-log (e^z_y / Σ_j M_yj e^z_j)`, Seesaw without compensation."""
    counts = COUNTS[: z.shape[-1]]
    return softmax_oracle(z + p * np.log(np.minimum(1, counts / counts[y][:, None])), y)


def equalization_oracle(z, y, alpha=4.0, gamma=12.0, mu=0.8):
    """`-q_c y log p - r_c (1 - y) log(1 - p)`."""
    f = 1 / (1 + np.exp(-gamma * (RATIO[: z.shape[-1]] - mu)))
    q, r = 1 + alpha * (1 - f), f
    return q * y * np.log1p(np.exp(-z)) + r * (1 - y) * np.log1p(np.exp(z))


def equalized_focal_oracle(z, y, alpha=0.25, gamma=2.0, scale=8.0):
    """`-α_t (γ_c / γ) (1 - p_t)^γ_c log p_t`."""
    focus = gamma + scale * (1 - np.clip(RATIO[: z.shape[-1]], 0, 1))
    return focus / gamma * sigmoid_oracle(z, y, gamma=focus, alpha=alpha)


def with_ratio(function):
    """A loss with the table's ratios of gradients."""

    def of_ratio(logits, labels, **kwargs):
        return function(logits, labels, RATIO[: logits.shape[-1]], **kwargs)

    return of_ratio


def with_counts(function):
    """A loss with the table's counts."""

    def counted(logits, labels, **kwargs):
        return function(logits, labels, COUNTS[: logits.shape[-1]], **kwargs)

    return counted


def logit_adjusted(logits, labels, **kwargs):
    return jimb.logit_adjusted_loss(logits, labels, prior_of(logits.shape[-1]), **kwargs)


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
CLASS_BALANCED = [
    jimb.class_balanced_softmax_loss,
    jimb.class_balanced_sigmoid_loss,
    jimb.class_balanced_focal_loss,
]
CB_SOFTMAX, CB_SIGMOID, CB_FOCAL = [
    with_counts(functools.partial(function, beta=BETA)) for function in CLASS_BALANCED
]

SMOOTHING_AND_WEIGHTS = {"label_smoothing": 0.1, "class_weights": WEIGHTS}
GAMMA_AND_WEIGHTS = {"gamma": 1.5, "class_weights": WEIGHTS}
GAMMA_AND_ALPHA = {"gamma": 2.0, "alpha": 0.25}
GAMMA_AND_SMOOTHING = {"gamma": 1.5, "label_smoothing": 0.1}
ALL_OF_FOCAL = {**GAMMA_AND_WEIGHTS, "label_smoothing": 0.1}
BALANCED = with_counts(jimb.balanced_softmax_loss)
LDAM, VS = with_counts(jimb.ldam_loss), with_counts(jimb.vs_loss)
ASYMMETRIC = jimb.sigmoid_asymmetric_loss
QUALITY, VARIFOCAL = jimb.quality_focal_loss, jimb.varifocal_loss
MITIGATED = with_counts(functools.partial(jimb.seesaw_loss, q=0.0))
EQUALIZATION, EQUALIZED = with_ratio(jimb.equalization_loss), with_ratio(jimb.equalized_focal_loss)
OF_EQUALIZATION = {"alpha": 4.0, "gamma": 12.0, "mu": 0.8}
OF_EQUALIZED = {"alpha": 0.25, "scale": 8.0}  # its γ has no 0
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
    Loss("sigmoid_quality_focal", QUALITY, quality_focal_oracle, "partial", {"beta": 2.0}),
    # Labels of their own in tests/losses/test_dense_detection.py: at 0 the value jumps.
    Loss("sigmoid_varifocal", VARIFOCAL, varifocal_oracle, "binary", GAMMA_AND_ALPHA),
    # With compensation, which has no gradient, in tests/losses/test_seesaw.py.
    Loss("seesaw_mitigation", MITIGATED, mitigated_oracle, "class", {"p": 0.8}),
    Loss("sigmoid_equalization", EQUALIZATION, equalization_oracle, "binary", OF_EQUALIZATION),
    Loss("sigmoid_equalization_soft", EQUALIZATION, equalization_oracle, "partial"),
    Loss("sigmoid_equalized_focal", EQUALIZED, equalized_focal_oracle, "binary", OF_EQUALIZED),
    Loss("sigmoid_equalized_focal_soft", EQUALIZED, equalized_focal_oracle, "partial"),
    Loss("softmax_focal_smoothing", FOCAL, softmax_oracle, "class", ALL_OF_FOCAL),
    Loss("softmax_focal_soft_smoothing", FOCAL, softmax_oracle, "soft", GAMMA_AND_SMOOTHING),
    Loss("sigmoid_focal_smoothing", SIGMOID_FOCAL, sigmoid_oracle, "binary", GAMMA_AND_SMOOTHING),
]


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
    @jax.jit
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


def assert_close(actual, expected, rtol=2e-6, atol=2e-6, message=""):
    def compare(a, b):
        np.testing.assert_allclose(a, b, rtol, atol, err_msg=message)

    jax.tree.map(compare, actual, expected)


def assert_finite(tree, message=""):
    for path, leaf in jax.tree.leaves_with_path(tree):
        assert np.all(np.isfinite(leaf)), f"{message} {jax.tree_util.keystr(path)}: {leaf}"


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
