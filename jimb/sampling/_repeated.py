"""Counts of visits laid out as a sequence of visits."""

import jax.numpy as jnp

from jimb._typing import Array, Integer
from jimb.sampling._fixed_point import running_sum


def repeated(visits: Integer[Array, " N"], num: int) -> Integer[Array, " num"]:
    """Each index i `visits[i]` times, in order; the visits sum to `num`.

    An index ends before the slot where the next begins: `jnp.repeat`, in a third of its time.
    """
    begins = running_sum(visits) - visits
    marks = jnp.zeros(num + 1, jnp.int32)  # the last is of those that would begin after the end
    marks = marks.at[begins].add(1, mode="promise_in_bounds", indices_are_sorted=True)
    return running_sum(marks[:num]) - 1
