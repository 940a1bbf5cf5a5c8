"""A sampling plan: rare classes are drawn more often, and the loss stays as it is.

Each example has a weight, and `epoch_plan` makes of the weights the positions that an epoch visits:
example i comes `visits · w_i / Σ w` times, rounded up or down. By `class_power` a class of n
examples is drawn in proportion to `n^power`: 1 as they come, 0 all classes alike, ½ in between.
`mix_uniform` goes only part of the way, too: so much of the draws is of all examples alike.

The task: ten digits, with 80 training images of 0 and 4 of 9. The model is of Equinox.
"""

import equinox as eqx
import jax
import numpy as np
import optax
from sklearn.datasets import load_digits

import jimb

SIZES = np.array([80, 57, 41, 29, 21, 15, 10, 7, 5, 4])  # training images of each digit
VISITS, BATCH, EPOCHS, SEEDS = 256, 32, 30, 4

optimizer = optax.adam(0.01)
images, digits = load_digits(return_X_y=True)
images, digits = (images / 16).astype(np.float32), digits.astype(np.int32)


@eqx.filter_jit
def train_step(
    model: eqx.nn.MLP, opt_state: optax.OptState, images: jax.Array, labels: jax.Array
) -> tuple[eqx.nn.MLP, optax.OptState]:
    """A plain step, which does not know of any imbalance."""

    def loss_fn(model: eqx.nn.MLP) -> jax.Array:
        return jimb.softmax_cross_entropy_loss(jax.vmap(model)(images), labels).mean()

    updates, opt_state = optimizer.update(eqx.filter_grad(loss_fn)(model), opt_state)
    return eqx.apply_updates(model, updates), opt_state


@eqx.filter_jit
def predict(model: eqx.nn.MLP, images: jax.Array) -> jax.Array:
    """Classes `[batch]`."""
    return jax.vmap(model)(images).argmax(-1)


def recalls(seed: int, power: float, uniform: float) -> np.ndarray:
    """Trains by plans, on images of its own; the recall of each digit on 90 others."""
    rng = np.random.default_rng(seed)
    of_class = [rng.permutation(np.flatnonzero(digits == c)) for c in range(10)]
    train = np.concatenate([rows[:n] for rows, n in zip(of_class, SIZES, strict=True)])
    test = np.concatenate([rows[80:170] for rows in of_class])

    weights = jimb.sampling.class_power(digits[train], SIZES, power=power)
    weights = jimb.sampling.mix_uniform(weights, amount=uniform)

    model_key, plan_key = jax.random.split(jax.random.key(seed))
    model = eqx.nn.MLP(64, 10, width_size=32, depth=1, key=model_key)
    opt_state = optimizer.init(eqx.filter(model, eqx.is_array))
    for key in jax.random.split(plan_key, EPOCHS):
        plan = jimb.sampling.epoch_plan(key, weights, VISITS)
        for batch in train[plan].reshape(-1, BATCH):
            model, opt_state = train_step(model, opt_state, images[batch], digits[batch])
    right = np.asarray(predict(model, images[test])) == digits[test]
    return right.reshape(10, 90).mean(1)


for name, power, uniform in (
    ("as they come", 1.0, 0.0),
    ("square root", 0.5, 0.0),
    ("classes alike, ½ uniform", 0.0, 0.5),
    ("classes alike", 0.0, 0.0),
):
    recall = np.mean([recalls(seed, power, uniform) for seed in range(SEEDS)], axis=0)
    print(f"{name:<25} recall of 8 and 9 {recall[8:].mean():.2f}, of all ten {recall.mean():.3f}")
