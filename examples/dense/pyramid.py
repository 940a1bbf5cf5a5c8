"""Features of every fourth pixel, from three scales: a small feature pyramid (Lin et al. 2017)."""

from functools import partial
from itertools import pairwise

import jax.numpy as jnp
from flax import nnx
from jax import Array

STRIDE = 4  # pixels from one location to the next


class Pyramid(nnx.Module):
    """Strides 4, 8 and 16, added at stride 4. No image knows of another in its batch."""

    def __init__(self, width: int, *, rngs: nnx.Rngs) -> None:
        he = nnx.initializers.variance_scaling(2.0, "fan_in", "normal")
        convolution = partial(nnx.Conv, kernel_size=(3, 3), kernel_init=he, rngs=rngs)
        self.stem = convolution(1, width // 2, strides=2)
        widths = [width // 2, width, 2 * width, 2 * width]
        self.down = nnx.List(
            convolution(before, after, strides=2) for before, after in pairwise(widths)
        )
        self.again = nnx.List(convolution(after, after) for after in widths[1:])
        self.lateral = nnx.List(nnx.Linear(after, width, rngs=rngs) for after in widths[1:])
        self.last = convolution(width, width)

    def __call__(self, pixels: Array) -> Array:
        """Bytes `[batch, height, width]` to features `[batch, height / 4, width / 4, width]`."""
        x = nnx.relu(self.stem(pixels[..., None].astype(jnp.float32) / 64 - 0.5))
        scales = zip(self.down, self.again, self.lateral, strict=True)
        total = jnp.float32(0)
        for power, (down, again, lateral) in enumerate(scales):
            x = nnx.relu(again(nnx.relu(down(x))))
            total += enlarged(lateral(x), 2**power)
        features: Array = nnx.relu(self.last(total))
        return features


def enlarged(x: Array, times: int) -> Array:
    """Each location repeated in both directions."""
    return jnp.repeat(jnp.repeat(x, times, -3), times, -2)
