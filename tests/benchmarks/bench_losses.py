"""Losses: value and gradient of the mean, against the same in Optax and PyTorch."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

import jimb

RNG = np.random.default_rng(0)
GAMMA, ALPHA, BETA = 2.0, 0.25, 0.9999


def value_and_grad(loss):
    return jax.jit(jax.value_and_grad(loss))


def copy(x):
    return x + 1


def elementwise_pass(z):
    """As many exponentials and logarithms as a focal loss's value, without care for its tails."""
    return jnp.exp(GAMMA * jax.nn.log_sigmoid(z)) * jax.nn.softplus(z)


def floors(logits):
    """One pass over the same bytes, and one with the same functions."""
    passes = {"copy": jax.jit(copy), "elementwise pass": jax.jit(elementwise_pass)}
    return {name: functools.partial(run, logits) for name, run in passes.items()}


def worst_error(gradient, exact):
    """The largest relative error of a gradient where the exact one is above 1e-30."""
    counted = np.abs(exact) > 1e-30
    error = np.abs(np.asarray(gradient, np.float64) - exact)[counted] / np.abs(exact[counted])
    return float(np.max(error))


def focal_slope(z, gamma):
    """`d/dz` of `σ(z)^γ softplus(z)` in float64."""
    log_q, log_p = -np.logaddexp(0, -z), -np.logaddexp(0, z)
    return np.exp(gamma * log_q) * (np.exp(log_q) - gamma * np.exp(log_p) * log_p)


# Sigmoid focal loss at the size of a detector's head.


def torch_focal(torch, z, y):
    """torchvision's formula, whose package has no CPU build of its own everywhere."""
    p = torch.sigmoid(z)
    entropy = torch.nn.functional.binary_cross_entropy_with_logits(z, y, reduction="none")
    p_t = p * y + (1 - p) * (1 - y)
    return ((ALPHA * y + (1 - ALPHA) * (1 - y)) * (1 - p_t) ** GAMMA * entropy).mean()


def torch_step(torch, loss, logits, *args):
    z = torch.tensor(np.asarray(logits), requires_grad=True)
    args = [torch.tensor(np.asarray(a)) for a in args]

    def step():
        z.grad = None
        loss(z, *args).backward()
        return z.grad.numpy()

    return step


@pytest.mark.parametrize("labels", ["int32", "float32"])
def bench_sigmoid_focal(race, torch, labels):
    z = jnp.asarray(RNG.normal(0, 3, (65_536, 80)), jnp.float32)
    y = jnp.asarray(RNG.random(z.shape) < 0.02, labels)

    def ours(z, y, gamma, alpha):
        return jimb.weighted_mean(jimb.sigmoid_focal_loss(z, y, gamma=gamma, alpha=alpha))

    def theirs(z, y, gamma, alpha):
        losses = optax.sigmoid_focal_loss(z, y.astype(jnp.float32), gamma=gamma, alpha=alpha)
        return losses.mean()

    args = z, y, jnp.float32(GAMMA), jnp.float32(ALPHA)
    compiled = value_and_grad(ours).lower(*args).compile()
    optax_step = value_and_grad(theirs)
    others = {"Optax": lambda: optax_step(*args), **floors(z)}
    positive = np.asarray(y) > 0
    sign, weight = np.where(positive, -1, 1), np.where(positive, ALPHA, 1 - ALPHA)
    exact = sign * weight * focal_slope(sign * np.asarray(z, np.float64), GAMMA) / z.size
    errors = {
        name: worst_error(run(*args)[1], exact)
        for name, run in (("jimb", compiled), ("Optax", optax_step))
    }
    if torch:
        eager = functools.partial(torch_focal, torch)
        target = np.asarray(y, np.float32)
        others["torch eager"] = torch_step(torch, eager, z, target)
        others["torch.compile, constant γ"] = torch_step(torch, torch.compile(eager), z, target)
    race(lambda: compiled(*args), others, errors=errors, compiled=compiled)


def bench_sigmoid_focal_value(race):
    z = jnp.asarray(RNG.normal(0, 3, (65_536, 80)), jnp.float32)
    y = jnp.asarray(RNG.random(z.shape) < 0.02, jnp.int32)
    args = z, y, jnp.float32(GAMMA)
    ours = jax.jit(lambda z, y, gamma: jimb.sigmoid_focal_loss(z, y, gamma=gamma))
    theirs = jax.jit(
        lambda z, y, gamma: optax.sigmoid_focal_loss(z, y.astype(jnp.float32), gamma=gamma)
    )
    race(lambda: ours(*args), {"Optax": lambda: theirs(*args), **floors(z)})


# Softmax losses.

SHAPES = [(8192, 1000), (65_536, 100)]
IN_CACHE = [(1024, 1000), (8192, 100)]


def softmax_inputs(shape):
    z = jnp.asarray(RNG.normal(0, 3, shape), jnp.float32)
    return z, jnp.asarray(RNG.integers(0, shape[1], shape[0]), jnp.int32)


@pytest.mark.parametrize("shape", SHAPES + IN_CACHE, ids=str)
@pytest.mark.parametrize("loss", ["cross-entropy", "focal"])
def bench_softmax(race, torch, loss, shape):
    z, y = softmax_inputs(shape)

    def ours(z, y, gamma):
        losses = (
            jimb.softmax_focal_loss(z, y, gamma=gamma)
            if loss == "focal"
            else jimb.softmax_cross_entropy_loss(z, y)
        )
        return jimb.weighted_mean(losses)

    args = z, y, jnp.float32(GAMMA)
    compiled = value_and_grad(ours).lower(*args).compile()
    entropy = (
        value_and_grad(lambda z, y: optax.softmax_cross_entropy_with_integer_labels(z, y).mean())
        .lower(z, y)
        .compile()
    )
    others = {"Optax cross-entropy": lambda: entropy(z, y), "copy": floors(z)["copy"]}
    large = shape in SHAPES  # PyTorch's spinning threads would take most of a small case's time
    if torch and large:
        step = torch_step(torch, torch.nn.functional.cross_entropy, z, np.asarray(y, np.int64))
        others["torch cross_entropy"] = step
    exact = softmax_gradient(np.asarray(z, np.float64), np.asarray(y), GAMMA * (loss == "focal"))
    errors = {"jimb": worst_error(compiled(*args)[1], exact / len(y))}
    counted = {"jimb": compiled, "Optax cross-entropy": entropy}
    more = {"errors": errors, "compiled": compiled, "counted": counted}
    race(lambda: compiled(*args), others, **more, **({} if large else {"rounds": 200}))


def softmax_gradient(z, y, gamma):
    is_label = np.eye(z.shape[1], dtype=bool)[y]
    others = np.where(is_label, -np.inf, z)
    largest = others.max(1, keepdims=True)
    odds = np.exp(others - largest)
    total = odds.sum(1, keepdims=True)
    u = largest - z[is_label][:, None] + np.log(total)
    return focal_slope(u, gamma) * np.where(is_label, -1, odds / total)


@pytest.mark.parametrize("shape", SHAPES, ids=str)
@pytest.mark.parametrize("targets", ["smoothing", "smoothing, class weights", "soft labels"])
def bench_softmax_targets(race, targets, shape):
    """Against the plain loss, and against Optax's two steps; without class weights these."""
    z, y = softmax_inputs(shape)
    classes = shape[1]
    weights = jnp.asarray(RNG.uniform(0.5, 2, classes), jnp.float32)
    soft = jnp.asarray(RNG.dirichlet(np.ones(classes), shape[0]), jnp.float32)

    def ours(z, y, soft, weights):
        if targets == "soft labels":
            losses = jimb.softmax_cross_entropy_loss(z, soft)
        else:
            table = {"class_weights": weights} if "weights" in targets else {}
            losses = jimb.softmax_cross_entropy_loss(z, y, label_smoothing=0.1, **table)
        return jimb.weighted_mean(losses)

    def theirs(z, y, soft, _):
        if targets != "soft labels":
            soft = optax.smooth_labels(jax.nn.one_hot(y, classes), 0.1)
        return optax.softmax_cross_entropy(z, soft).mean()

    args = z, y, soft, weights
    compiled = value_and_grad(ours).lower(*args).compile()
    plain = value_and_grad(lambda z, y: jimb.weighted_mean(jimb.softmax_cross_entropy_loss(z, y)))
    two_steps = value_and_grad(theirs)
    others = {"jimb, plain": lambda: plain(z, y), "Optax": lambda: two_steps(*args)}
    race(lambda: compiled(*args), others, compiled=compiled)


# The class-balanced trio.


@pytest.mark.parametrize("name", ["softmax", "sigmoid", "focal"])
def bench_class_balanced(race, name):
    shape = (65_536, 100)
    z, y = softmax_inputs(shape)
    counts = np.round(5000 * 100 ** (-np.arange(shape[1]) / (shape[1] - 1))).astype(np.int32)
    weights = jimb.effective_number_weights(counts, beta=BETA)
    gamma = jnp.float32(GAMMA)
    loss = getattr(jimb, f"class_balanced_{name}_loss")

    def ours(z, y, gamma):
        extra = {"gamma": gamma} if name == "focal" else {}
        return jimb.weighted_mean(loss(z, y, counts, beta=BETA, **extra))

    def theirs(z, y, gamma):
        if name == "softmax":
            losses = optax.softmax_cross_entropy_with_integer_labels(z, y)
        else:
            one_hot = jax.nn.one_hot(y, shape[1])
            terms = (
                optax.sigmoid_focal_loss(z, one_hot, gamma=gamma)
                if name == "focal"
                else optax.sigmoid_binary_cross_entropy(z, one_hot)
            )
            losses = terms.sum(-1)
        return (weights[y] * losses).mean()

    compiled = value_and_grad(ours).lower(z, y, gamma).compile()
    other = value_and_grad(theirs)
    others = {"the same with Optax": lambda: other(z, y, gamma), **floors(z)}
    race(lambda: compiled(z, y, gamma), others, compiled=compiled)
