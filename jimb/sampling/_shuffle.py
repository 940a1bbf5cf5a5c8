"""Random orders.

`jax.random.permutation` sorts, which on a CPU takes most of a second for a million numbers. Large
orders come from a Feistel network (Black and Rogaway, Ciphers with arbitrary finite domains, CT-RSA
2002), which computes each place by itself: the places form a grid, and in turn every row moves down
its column and every column along its row by an amount drawn for it.
"""

import math

import jax
import jax.numpy as jnp

from jimb._typing import Array, Integer

_ROUNDS = 6
_SMALL = 4096  # below, sorting is quick, and reaches every order


def shuffled(key: Array, values: Integer[Array, " N"]) -> Integer[Array, " N"]:
    """The values in random order."""
    num = values.shape[0]
    if num < _SMALL:
        return jax.random.permutation(key, values)
    places = shuffled_range(key, num)
    empty = jnp.zeros_like(values)
    return empty.at[places].set(values, mode="promise_in_bounds", unique_indices=True)


def shuffled_range(key: Array, num: int) -> Integer[Array, " N"]:
    """The numbers 0 … num - 1 in random order, int32."""
    rows = math.isqrt(num - 1) + 1
    columns = -(-num // rows)
    tables = _round_tables(key, rows, columns)

    def moved(row: Array, column: Array) -> Array:
        for by_column, by_row in zip(*tables, strict=True):
            row = row + by_column.at[column].get(mode="promise_in_bounds")
            row = jnp.where(row < rows, row, row - rows)
            column = column + by_row.at[row].get(mode="promise_in_bounds")
            column = jnp.where(column < columns, column, column - columns)
        return row * columns + column

    # By a column and a row of the grid: no division, and the first step is one of each column.
    down, along = jnp.arange(rows, dtype=jnp.int32), jnp.arange(columns, dtype=jnp.int32)
    order = moved(jnp.expand_dims(down, 1), jnp.expand_dims(along, 0)).ravel()[:num]
    spare = rows * columns - num
    if spare == 0:
        return order

    # What left the range goes on until it comes back: a walk along its cycle, of `spare` steps at
    # most. A cycle that never comes back is one that nothing in the range leads to.
    def again(x: Array) -> Array:
        return jnp.where(x < num, x, moved(*jnp.divmod(x, columns)))

    walk = jnp.arange(num, num + spare, dtype=jnp.int32)
    _, walk = jax.lax.while_loop(
        lambda carry: (carry[0] < spare) & jnp.any(carry[1] >= num),
        lambda carry: (carry[0] + 1, again(carry[1])),
        (jnp.int32(0), walk),
    )
    inside = order < num
    return jnp.where(inside, order, walk.at[jnp.where(inside, 0, order - num)].get(mode="clip"))


def _round_tables(key: Array, rows: int, columns: int) -> tuple[Array, Array]:
    """How far each column moves the row of its numbers in each round, and the other way round."""
    row_key, column_key = jax.random.split(key)
    return (
        jax.random.randint(row_key, (_ROUNDS // 2, columns), 0, rows, jnp.int32),
        jax.random.randint(column_key, (_ROUNDS // 2, rows), 0, columns, jnp.int32),
    )
