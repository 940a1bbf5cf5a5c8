"""What the authors of equalization v2 and of equalized focal loss do, step by step in float64."""

import functools

import jax
import jax.numpy as jnp
import numpy as np

import jimb
from jimb import gradient_ratio

B, K, STEPS = 16, 4, 3
_RNG = np.random.default_rng(0)
LOGITS = _RNG.normal(-1, 1.5, (STEPS, B, K)).astype(np.float32)
CLASSES = np.minimum(_RNG.geometric(0.5, (STEPS, B)) - 1, K - 1)
LABELS = np.eye(K, dtype=np.int32)[CLASSES]
LOSSES = {"eqlv2": jimb.equalization_loss, "efl": jimb.equalized_focal_loss}


class Authors:
    """Sums of gradients; `ratio` is None before the first batch."""

    def __init__(self):
        self.positive, self.negative, self.ratio = np.zeros(K), np.zeros(K), None

    def step(self, z, y, where=True):
        """The losses and their gradients with the weights of now; then the state moves on."""
        value, gradient = self.of(np.float64(z), y)
        size = np.where(where, np.abs(gradient), 0)
        self.positive += np.sum(size * y, 0)
        self.negative += np.sum(size * (1 - y), 0)
        self.ratio = self.positive / (self.negative + 1e-10)
        return np.where(where, value, 0), np.where(where, gradient, 0)


class Eqlv2(Authors):
    """Weights of positives and negatives times binary cross-entropy."""

    def __init__(self, alpha=4.0, gamma=12.0, mu=0.8):
        super().__init__()
        self.alpha, self.gamma, self.mu = alpha, gamma, mu

    def of(self, z, y):
        negative = np.ones(K)
        if self.ratio is not None:
            negative = 1 / (1 + np.exp(-self.gamma * (self.ratio - self.mu)))
        weight = (1 + self.alpha * (1 - negative)) * y + negative * (1 - y)
        p = 1 / (1 + np.exp(-z))
        return -weight * (y * np.log(p) + (1 - y) * np.log(1 - p)), weight * (p - y)


class Efl(Authors):
    """Focal loss with a γ of each class, times that over the common one."""

    def __init__(self, alpha=0.25, gamma=2.0, scale=8.0):
        super().__init__()
        self.alpha, self.gamma, self.scale = alpha, gamma, scale

    def of(self, z, y):
        ratio = np.ones(K) if self.ratio is None else np.clip(self.ratio, 0, 1)
        focus = self.gamma + self.scale * (1 - ratio)

        def losses(z):
            p = 1 / (1 + np.exp(-z))
            p_t = p * y + (1 - p) * (1 - y)
            alpha_t = self.alpha * y + (1 - self.alpha) * (1 - y)
            return alpha_t * focus / self.gamma * (1 - p_t) ** focus * -np.log(p_t)

        return losses(z), losses(z + 1e-30j).imag / 1e-30  # exactly, by a complex step


ORACLES = {"eqlv2": Eqlv2, "efl": Efl}


# A step by jimb.


def step(loss, state, z, y, where=None, axis_name=None):
    ratio = gradient_ratio.compute(state)
    losses, pull = jax.vjp(lambda z: loss(z, y, ratio, where=where), z)
    (gradient,) = pull(jnp.ones_like(losses))
    state = gradient_ratio.update(state, z, y, loss=loss, where=where, axis_name=axis_name)
    return state, losses, gradient


@functools.cache
def jitted(name):
    return jax.jit(functools.partial(step, LOSSES[name]))


def sums(state):
    state = jax.tree.map(np.float64, state)
    return state.positive + state.positive_rest, state.negative + state.negative_rest
