"""What is compared: the weights of the rows, and whether the logarithm of the price is learnt."""

import dataclasses

import jax.numpy as jnp
import numpy as np
from jax import Array

import jimb


@dataclasses.dataclass(frozen=True)
class Method:
    """One row of the table."""

    power: float = 0.0  # of the inverse density; 0 weighs all alike
    radius: int = 2  # of the kernel; 0 does not smooth
    wider: int = 1  # bins, so many times as wide
    logarithm: bool = False

    def weights(self, prices: Array, bins: int) -> Array:
        """Of the training rows `[N]`; their mean is 1."""
        return jimb.label_density_weights(
            prices, num_bins=bins // self.wider, radius=self.radius, power=self.power
        )

    def targets(self, prices: Array) -> Array:
        """What the network is to predict, before it is standardised."""
        return jnp.log(prices) if self.logarithm else prices

    def prices(self, targets: np.ndarray) -> np.ndarray:
        """The inverse of `targets`."""
        return np.exp(targets) if self.logarithm else targets


METHODS = {
    "plain": Method(),
    "inverse": Method(power=1.0, radius=0),
    "smoothed inverse (LDS)": Method(power=1.0),
    "smoothed root (LDS)": Method(power=0.5),
    "inverse of wide bins": Method(power=1.0, radius=0, wider=10),
    "logarithm of the price": Method(logarithm=True),
}
