"""Focal and class-balanced focal loss, with β and γ swept by `vmap`.

With p the probability of what is true, the focal loss `-(1 - p)^γ log p` turns down what is already
right; γ = 0 is cross-entropy. Class-balanced, it is divided by the effective number of the class's
n examples, `(1 - β^n) / (1 - β)`: β = 0 leaves it as it is, β = 1 is inverse frequency. Both may be
traced, so that a whole training is a function of β and γ, and `vmap` trains a grid in one program.

The task: is a handwritten digit an 8? One in ten is. The model is of Flax Linen.
"""

from typing import Any

import jax
import jax.numpy as jnp
import optax
from flax import linen as nn
from sklearn.datasets import load_digits

import jimb

BETAS = jnp.array([0.0, 0.99, 0.999, 0.9999])
GAMMAS = jnp.array([0.0, 0.5, 1.0, 2.0])
SPLITS = 8  # each into training, validation and test images

model = nn.Dense(2, bias_init=jimb.one_vs_all_bias_init)
optimizer = optax.adam(0.1)
images, digits = load_digits(return_X_y=True)
images, labels = jnp.asarray(images / 16, jnp.float32), jnp.asarray(digits == 8, jnp.int32)


def predict(params: Any, images: jax.Array) -> Any:
    """Logits `[batch, 2]`."""
    return model.apply(params, images)


def train(key: jax.Array, beta: jax.Array, gamma: jax.Array) -> tuple[jax.Array, jax.Array]:
    """Trains one model; its balanced accuracy on validation and on test images."""
    rows, validation, test = jnp.split(jax.random.permutation(key, len(labels)), [700, 1200])
    x, y = images[rows], labels[rows]
    counts = jimb.class_counts(y, 2)

    def loss_fn(params: Any) -> jax.Array:
        logits = predict(params, x)
        return jimb.class_balanced_focal_loss(logits, y, counts, beta=beta, gamma=gamma).mean()

    def train_step(carry: tuple, _: None) -> tuple:
        params, opt_state = carry
        updates, opt_state = optimizer.update(jax.grad(loss_fn)(params), opt_state)
        return (optax.apply_updates(params, updates), opt_state), None

    params = model.init(key, x)
    (params, _), _ = jax.lax.scan(train_step, (params, optimizer.init(params)), length=200)

    def score(rows: jax.Array) -> jax.Array:
        predicted = predict(params, images[rows]).argmax(-1)
        state = jimb.metrics.update(jimb.metrics.init(2), predicted, labels[rows])
        return jimb.metrics.balanced_accuracy(state)

    return score(validation), score(test)


over_gamma = jax.vmap(train, in_axes=(None, None, 0))
over_beta = jax.vmap(over_gamma, in_axes=(None, 0, None))
over_splits = jax.jit(jax.vmap(over_beta, in_axes=(0, None, None)))  # 8 × 4 × 4 models
validation, test = over_splits(jax.random.split(jax.random.key(0), SPLITS), BETAS, GAMMAS)

print("validation:", *(f"γ = {gamma:.1f}" for gamma in GAMMAS), sep="  ")
for beta, scores in zip(BETAS, validation.mean(0), strict=True):
    print(f"β = {beta:.4f} ", *(f"{score:.3f}" for score in scores), sep="    ")

best = validation.reshape(SPLITS, -1).argmax(-1)  # the cell that each split chooses
chosen = test.reshape(SPLITS, -1)[jnp.arange(SPLITS), best]
print(
    f"test: cross-entropy {test[:, 0, 0].mean():.3f}, focal (γ = 2) {test[:, 0, 3].mean():.3f}, "
    f"chosen on validation {chosen.mean():.3f}"
)
