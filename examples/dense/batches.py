"""The host's loop over compiled steps: on a CPU a convolution inside `scan` is much slower."""

from collections.abc import Callable
from operator import itemgetter
from typing import Any, TypeVar

import jax
import numpy as np
import optax
from jax import Array
from jax.sharding import AxisType, NamedSharding, PartitionSpec

State = TypeVar("State")
Step = Callable[[State, Any], tuple[State, Array]]


def optimizer(learning_rate: float, steps: int) -> optax.GradientTransformation:
    """AdamW, warmed up over a tenth of the steps and then along a cosine to 0.

    Its second moments forget within 100 steps (β₂ = 0.99): with 0.999 the first gradients of a loss
    that starts a thousand times too large hold the steps small until the end.
    """
    warmup = max(1, steps // 10)
    schedule = optax.warmup_cosine_decay_schedule(0.0, learning_rate, warmup, max(steps, 2))
    return optax.adamw(schedule, b2=0.99)


def plan_of(seed: int, rows: int, *, steps: int, batch_size: int) -> np.ndarray:
    """The rows of each step, `[steps, batch_size]`: each once before any comes again."""
    rng, needed = np.random.default_rng([seed, 1]), steps * batch_size
    epochs = -(-needed // rows)
    order = np.concatenate([rng.permutation(rows) for _ in range(epochs)])
    return order[:needed].reshape(steps, batch_size)


def fit(
    step: Step, state: State, data: Any, plan: np.ndarray, devices: int = 1
) -> tuple[State, np.ndarray]:
    """Trains on the rows of `data` that each row of the plan names: `(state, loss of each step)`.

    Args:
      step: compiled, from state and batch to the next state and the loss; it may donate the state.
      state: before the first step.
      data: arrays with one leading axis.
      plan: positions `[steps, batch_size]`.
      devices: divide each batch; the state is on all of them, and afterwards on the first.

    Raises:
      FloatingPointError: a loss is not finite.
    """
    chosen = jax.devices()[:devices]
    mesh = jax.make_mesh((devices,), ("data",), (AxisType.Auto,), devices=chosen)
    everywhere, divided = (NamedSharding(mesh, PartitionSpec(*axes)) for axes in ((), ("data",)))
    state = jax.device_put(state, everywhere)
    losses = []
    for positions in plan:
        batch = jax.device_put(jax.tree.map(itemgetter(positions), data), divided)
        state, loss = step(state, batch)
        losses.append(loss)
    values = np.array(losses)
    if not np.isfinite(values).all():
        first = int(np.flatnonzero(~np.isfinite(values))[0])
        raise FloatingPointError(f"the loss is not finite in step {first}: lower --learning-rate.")
    return jax.device_put(state, chosen[0]), values
