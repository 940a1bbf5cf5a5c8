"""The prediction deltas between two passes over the data."""

import jax.numpy as jnp

from jimb import _checks
from jimb._layout import classes_divided, laid_out_like
from jimb._numerics import compute_dtype
from jimb._typing import Array, ArrayLike, Float
from jimb.difficulty import _deltas, _ordered, _quick
from jimb.difficulty._given import logits_and_labels


def psi(
    logits: ArrayLike, previous_logits: ArrayLike, labels: ArrayLike
) -> tuple[Float[Array, "*batch"], Float[Array, "*batch"]]:
    r"""The prediction deltas `(unlearned, learned)` between two passes.

    With `Δ_j = p_j - p'_j` and `r_j = log p_j - log p'_j`:

        unlearned = min(Δ_y, 0)·r_y + Σ_{j≠y} max(Δ_j, 0)·r_j
        learned   = max(Δ_y, 0)·r_y + Σ_{j≠y} min(Δ_j, 0)·r_j

    Their sum is the Jeffreys divergence `KL(p‖p') + KL(p'‖p)`; swapping the passes swaps them.

    Args:
      logits: of this pass, `[..., K]`, floating point.
      previous_logits: of the pass before, the same shape.
      labels: integers `[...]`.

    Returns:
      Two arrays `[...]` ≥ 0, in nats, float32 (float64 for float64 logits), without gradient. NaN
      for a label outside [0, K).

    Raises:
      TypeError: logits are not floating point, or labels not integers.
      ValueError: shapes do not fit.

    Example:
      >>> import jax.numpy as jnp, jimb
      >>> now, before = jnp.array([[2.0, 0.0]]), jnp.array([[0.0, 0.0]])
      >>> unlearned, learned = jimb.difficulty.psi(now, before, jnp.array([0]))
      >>> print(unlearned, learned.round(3))
      [0.] [0.762]

    Reference:
      Yu et al., CVPR 2022. Its per-epoch `d` is the sum of the two.
    """
    now, array = logits_and_labels(_checks.class_logits(logits), labels)
    assert isinstance(now, Array)
    before = _checks.floating("previous_logits", previous_logits)
    _checks.same_shape("previous_logits", before, now.shape, "logits")
    before = laid_out_like(before, now)
    dtype = compute_dtype(now, before)
    by = _ordered if dtype == jnp.float32 and not classes_divided(now) else _quick
    moved_to, moved_from = (_deltas.predict(z, dtype, by) for z in (now, before))
    return _deltas.deltas(moved_to, moved_from, array, by)
