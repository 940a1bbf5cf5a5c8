"""Devices: one mesh of all of them, on all hosts, with one axis, `data`.

What is the same everywhere (parameters, the training set, the class tables) is replicated; a batch
and the rows of the difficulty state are divided over the axis. With one device it is all the same
code, and nothing is divided.
"""

import contextlib
from collections.abc import Iterator
from typing import Any

import jax
import numpy as np
from jax import Array
from jax.sharding import Mesh, NamedSharding
from jax.sharding import PartitionSpec as P

from examples.train.settings import Settings

ROWS = P("data")
BATCHES = P(None, "data")  # of a plan `[steps, batch]`


@contextlib.contextmanager
def started(settings: Settings) -> Iterator[Mesh]:
    """Joins the other processes, if any, and sets the mesh of all devices of all of them."""
    if settings.cpu_devices is not None:
        jax.config.update("jax_platforms", "cpu")
        jax.config.update("jax_num_cpu_devices", settings.cpu_devices)
    if settings.distributed:
        # What is left out comes from the environment: a TPU pod slice, SLURM, Open MPI.
        jax.distributed.initialize(
            settings.coordinator, settings.num_processes, settings.process_id
        )
    devices = jax.device_count()
    if settings.batch_size % devices:
        nearest = devices * max(1, round(settings.batch_size / devices))
        raise ValueError(
            f"--batch-size {settings.batch_size} does not divide among {devices} devices: "
            f"take a multiple of {devices}, such as {nearest}."
        )
    with jax.set_mesh(jax.make_mesh((devices,), ("data",))) as mesh:
        yield mesh


def alone() -> Any:
    """A mesh of one device of this process, for what the others do not do too."""
    return jax.set_mesh(jax.make_mesh((1,), ("data",), devices=jax.local_devices()[:1]))


def is_lead() -> bool:
    """True in the one process that prints and writes."""
    return jax.process_index() == 0


def size() -> int:
    """Devices of the mesh."""
    number: int = jax.sharding.get_mesh().size
    return number


def laid_out(tree: Any, spec: P) -> Any:
    """NumPy arrays that are equal in every process, laid out over all devices."""
    sharding = NamedSharding(jax.sharding.get_mesh(), spec)

    def array(x: np.ndarray) -> Array:
        return jax.make_array_from_callback(x.shape, sharding, lambda index: x[index])

    return jax.tree.map(array, tree)


def to_host(tree: Any) -> Any:
    """Arrays of any layout as NumPy, whole, in every process."""
    return jax.tree.map(np.asarray, _everywhere(tree))


@jax.jit
def _everywhere(tree: Any) -> Any:
    return jax.tree.map(lambda x: jax.reshard(x, P()), tree)


def from_slots(rows: np.ndarray, spec: P, shape: tuple[int, ...]) -> Array:
    """This process's rows, in the order of `own_slots`, as its part of an array of all."""
    sharding = NamedSharding(jax.sharding.get_mesh(), spec)
    array: Array = jax.make_array_from_process_local_data(sharding, rows, shape)
    return array


def own_slots(size: int) -> np.ndarray:
    """Which of `size` rows, divided over the mesh, lie on this process's devices."""
    sharding = NamedSharding(jax.sharding.get_mesh(), ROWS)
    parts = sharding.addressable_devices_indices_map((size,)).values()
    return np.sort(np.concatenate([np.arange(size)[part] for part in parts]))
