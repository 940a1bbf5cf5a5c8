"""The compiled epoch: random crops and flips of a batch of images."""

import jax
import jax.numpy as jnp
from jax import Array


def augment(keys: Array, inputs: Array, shape: tuple[int, ...]) -> Array:
    """Each image shifted, and if it is a photograph perhaps mirrored, by its own key.

    The crop of the CIFAR literature: zeros are put around an image, an eighth of its side on each
    edge (4 pixels of 32, 3 of 28, 1 of 8), and a window of the image's size is cut out anywhere.
    Images of three channels are photographs and are mirrored left to right half of the time; those
    of one channel are digits or shoes that all point the same way, and are not. A zero is the
    mean of standardised inputs.

    An image needs its own key and nothing of the others, so that the result is the same on any
    number of devices and nothing is sent between them.

    Args:
      keys: one for each image, `[batch]`.
      inputs: images as rows, `[batch, features]`.
      shape: of one image, `[height, width, channels]`.

    Returns:
      Images as rows, `[batch, features]`.

    Raises:
      ValueError: the inputs are no images, their shape is empty.
    """
    if not shape:
        raise ValueError("augmentation needs images; digits, fashion-mnist and cifar have them.")
    height, width, channels = shape
    down, right = height // 8, width // 8
    ends = jnp.array([2 * down + 1, 2 * right + 1, 2 if channels == 3 else 1])

    def one(key: Array, row: Array) -> Array:
        top, left, mirrored = jax.random.randint(key, (3,), 0, ends)
        framed = jnp.pad(row.reshape(shape), [(down, down), (right, right), (0, 0)])
        image = jax.lax.dynamic_slice(framed, (top, left, 0), shape)
        return jnp.where(mirrored == 1, image[:, ::-1], image).reshape(-1)

    augmented: Array = jax.vmap(one)(keys, inputs)
    return augmented
