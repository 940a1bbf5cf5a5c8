"""Class weights in an Optax step.

A mean of losses is a mean over examples, in which a rare class hardly counts. Weigh each example
by its class, `L = Σ w_y ℓ / Σ w_y` over the batch, with `w_c` inverse to the number of training
examples of class c: then all classes count alike.

The task: is a handwritten digit an 8? One in ten is. The model is a plain pytree.
"""

import jax
import jax.numpy as jnp
import numpy as np
import optax
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split

import jimb

Params = dict[str, jax.Array]
optimizer = optax.adam(0.01)


def predict(params: Params, images: jax.Array) -> jax.Array:
    """Logits `[batch, 2]`: your model in place of this one."""
    return images @ params["kernel"] + params["bias"]


@jax.jit
def train_step(
    params: Params,
    opt_state: optax.OptState,
    images: jax.Array,
    labels: jax.Array,
    class_weights: jax.Array,
) -> tuple[Params, optax.OptState]:
    """One step, as without jimb but for the two lines of the loss."""

    def loss_fn(params: Params) -> jax.Array:
        losses = jimb.softmax_cross_entropy_loss(predict(params, images), labels)  # one per example
        return jimb.weighted_mean(losses, jimb.take_class(class_weights, labels))

    grads = jax.grad(loss_fn)(params)
    updates, opt_state = optimizer.update(grads, opt_state, params)
    return optax.apply_updates(params, updates), opt_state


images, digits = load_digits(return_X_y=True)
images, labels = (images / 16).astype(np.float32), (digits == 8).astype(np.int32)
images, test_images, labels, test_labels = train_test_split(
    images, labels, test_size=0.5, stratify=labels, random_state=0
)

counts = jimb.class_counts(labels, 2)
for name, class_weights in (
    ("no weights", jnp.ones(2)),
    ("class weights", jimb.inverse_frequency_weights(counts)),
):
    params = {"kernel": jnp.zeros((64, 2)), "bias": jnp.zeros(2)}
    opt_state = optimizer.init(params)
    rng = np.random.default_rng(0)
    for _ in range(50):  # epochs
        for batch in rng.permutation(len(labels))[:896].reshape(-1, 64):
            params, opt_state = train_step(
                params, opt_state, images[batch], labels[batch], class_weights
            )

    right = predict(params, test_images).argmax(-1) == test_labels
    others, eights = (right[test_labels == c].mean() for c in (0, 1))
    print(
        f"{name:<13}  recall of the 8s {eights:.2f}, of the others {others:.2f}, "
        f"balanced accuracy {(eights + others) / 2:.2f}"
    )
