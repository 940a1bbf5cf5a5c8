"""After training: a threshold for a rare event, and logits without the prior.

A threshold of ½ is right if both mistakes cost the same; for other costs, choose it on validation
data. To count both classes alike, take the prior π of the training out of the logits, `z - log π`,
which needs no more data. The model stays as it is.

The task: is a handwritten digit an 8? Three in a hundred are. The model is a plain pytree.
"""

import jax
import jax.numpy as jnp
import numpy as np
import optax
from sklearn.datasets import load_digits

import jimb

SPLITS = 20  # each into training, validation and test images
COSTS = np.array([[0.0, 1.0], [10.0, 0.0]])  # [true, predicted]: a missed 8 is ten false alarms

Params = dict[str, jax.Array]
optimizer = optax.adam(0.05)
images, digits = load_digits(return_X_y=True)
rows = np.concatenate([np.flatnonzero(digits != 8), np.flatnonzero(digits == 8)[:50]])
images, labels = jnp.asarray(images[rows] / 16, jnp.float32), jnp.asarray(digits[rows] == 8, int)


def predict(params: Params, images: jax.Array) -> jax.Array:
    """Logits `[batch, 2]`."""
    return images @ params["kernel"] + params["bias"]


def train(images: jax.Array, labels: jax.Array) -> Params:
    """Plain cross-entropy, with no thought of the rare event."""

    def loss_fn(params: Params) -> jax.Array:
        return jimb.softmax_cross_entropy_loss(predict(params, images), labels).mean()

    def train_step(carry: tuple, _: None) -> tuple:
        params, opt_state = carry
        updates, opt_state = optimizer.update(jax.grad(loss_fn)(params), opt_state)
        return (optax.apply_updates(params, updates), opt_state), None

    params = {"kernel": jnp.zeros((64, 2)), "bias": jnp.zeros(2)}
    (params, _), _ = jax.lax.scan(train_step, (params, optimizer.init(params)), length=300)
    return params


def saved(state: jimb.metrics.ConfusionState) -> jax.Array:
    """What `choose_threshold` makes as high as it can."""
    return -jimb.metrics.expected_cost(state, COSTS)


@jax.jit
@jax.vmap
def compare(key: jax.Array) -> jax.Array:
    """Balanced accuracy and cost on test images, of three decisions: `[3, 2]`."""
    rows, validation, test = jnp.split(jax.random.permutation(key, len(labels)), [673, 1173])
    params = train(images[rows], labels[rows])
    p = jax.nn.softmax(predict(params, images[validation]))[:, 1]
    threshold = jimb.posthoc.choose_threshold(p, labels[validation], criterion=saved).value
    prior = jimb.class_counts(labels[rows], 2) / len(rows)

    logits = predict(params, images[test])
    measures = []
    for predicted in (
        logits.argmax(-1),
        (jax.nn.softmax(logits)[:, 1] >= threshold).astype(int),
        jimb.posthoc.adjust_logits(logits, prior).argmax(-1),
    ):
        state = jimb.metrics.update(jimb.metrics.init(2), predicted, labels[test])
        measures.append(jnp.stack([jimb.metrics.balanced_accuracy(state), -saved(state)]))
    return jnp.stack(measures)


means = compare(jax.random.split(jax.random.key(0), SPLITS)).mean(0)
names = "threshold ½", "chosen threshold", "adjusted logits"
for name, (accuracy, cost) in zip(names, means, strict=True):
    print(f"{name:<16}  balanced accuracy {accuracy:.2f}, cost of 100 images {100 * cost:.1f}")
