"""One process of `test_checkpoint.py`.

FOLDER, then `killed POINT` or PORT NUM_PROCESSES PROCESS.
"""

import sys

import jax
import jax.numpy as jnp
import numpy as np
from jax.sharding import NamedSharding
from jax.sharding import PartitionSpec as P

from examples.train import checkpoint
from tests.helpers import kills

N = 64


def content(step):
    """A state that says of which step it is."""
    rng = np.random.default_rng(step)
    return {
        "rows": rng.normal(size=(N, 3)).astype(np.float32),
        "half": rng.normal(size=(5, 2)).astype(jnp.bfloat16),
        "step": np.int32(step),
    }


def placed(state, mesh):
    """On a mesh, the rows split."""

    def one(x):
        spec = P("data") if x.shape[:1] == (N,) else P()
        sharding = NamedSharding(mesh, spec)
        return jax.make_array_from_callback(x.shape, sharding, lambda index: x[index])

    return jax.tree.map(one, state)


def equal(state, step):
    """Whether each device has its part of that step's state."""
    for x, y in zip(jax.tree.leaves(state), jax.tree.leaves(content(step)), strict=True):
        for shard in x.addressable_shards:
            if np.asarray(shard.data).tobytes() != y[shard.index].tobytes():
                return False
    return True


def killed(folder, point):
    """Saves steps 0, 1 and 2, and is killed in the third save."""
    kills.arrange(point, 3, kills.kill_this_process)
    with checkpoint.Checkpoints(folder) as checkpoints:
        for step in range(3):
            checkpoints.save(step, jax.tree.map(jnp.asarray, content(step)))


def together(folder, port, num_processes, process):
    """Restores step 1 of one process, saves 2 and 3 with all, damages 3, restores 2."""
    jax.config.update("jax_num_cpu_devices", 2)
    jax.distributed.initialize(f"127.0.0.1:{port}", num_processes, process)
    mesh = jax.make_mesh((2 * num_processes,), ("data",))
    with jax.set_mesh(mesh), checkpoint.Checkpoints(folder) as checkpoints:
        like = placed(content(0), mesh)
        step, state = checkpoints.restore(like)
        assert step == 1
        assert equal(state, 1)
        for step in (2, 3):
            checkpoints.save(step, placed(content(step), mesh))
        step, state = checkpoints.restore(like)
        assert step == 3
        assert equal(state, 3)
        if process == 0:
            (newest,) = checkpoints.folder.glob("*-step-3")
            (path,) = (newest / "state" / f"ocdbt.process_{num_processes - 1}").glob("d/*")
            path.write_bytes(path.read_bytes()[:100])
        step, state = checkpoints.restore(like)
        assert step == 2
        assert equal(state, 2)
        checkpoints.save(3, placed(content(3), mesh))
        step, state = checkpoints.restore(like)
        assert step == 3
        assert equal(state, 3)
    print("equal")


if __name__ == "__main__":
    folder, *rest = sys.argv[1:]
    if rest[0] == "killed":
        killed(folder, rest[1])
    else:
        together(folder, *map(int, rest))
