"""Checkpoints of a training: what is read is what was saved, or it is said that it is not."""

import hashlib
import json
import os
import random
import shutil
import signal
import subprocess
import sys
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from flax import nnx
from jax.sharding import NamedSharding
from jax.sharding import PartitionSpec as P

from examples.train import checkpoint, description
from examples.train.checkpoint import Checkpoints
from jimb import difficulty
from tests.helpers import checkpoint_processes, joined, kills
from tests.helpers.checkpoint_processes import content

SCRIPT = checkpoint_processes.__file__
N = checkpoint_processes.N


class Everything(NamedTuple):
    """All kinds of leaves and nodes."""

    params: nnx.State
    batch_stats: nnx.State  # empty
    opt_state: Any
    difficulty: Any
    key: jax.Array
    others: dict[str, Any]


def everything():
    params = nnx.state(nnx.Linear(4, 3, rngs=nnx.Rngs(0)), nnx.Param)
    others = {
        "bfloat16": jnp.array([0.0, -0.0, 1.5, jnp.nan, -jnp.inf], jnp.bfloat16),
        "bool": jnp.arange(5) % 2 == 0,
        "int8": jnp.arange(-4, 4, dtype=jnp.int8),
        "keys": jax.random.split(jax.random.key(1), 3),
        "none": None,
        "a/b.c": (jnp.uint32(7), [jnp.zeros((2, 1, 3))]),
    }
    opt_state = optax.adamw(1e-3).init(params)
    state = difficulty.init(N, 3)._replace(unlearned=jnp.linspace(0, 1, N))
    return Everything(params, nnx.State({}), opt_state, state, jax.random.key(7), others)


def bits(x):
    if jnp.issubdtype(x.dtype, jax.dtypes.prng_key):
        x = jax.random.key_data(x)
    return np.asarray(x).tobytes()


def assert_same_bits(got, expected):
    assert jax.tree.structure(got) == jax.tree.structure(expected)
    for x, y in zip(jax.tree.leaves(got), jax.tree.leaves(expected), strict=True):
        assert (x.shape, x.dtype) == (y.shape, y.dtype)
        assert bits(x) == bits(y)


def shapes(tree, layout):
    return jax.tree.map(lambda x: jax.ShapeDtypeStruct(x.shape, x.dtype, sharding=layout(x)), tree)


def small(step):
    return jax.tree.map(jnp.asarray, content(step))


def steps(folder):
    names = sorted(name for name in os.listdir(folder) if not name.endswith(".written"))
    return [int(name.split("-")[-1]) for name in names]


def test_every_kind_of_array_comes_back_on_any_number_of_devices(tmp_path):
    state = everything()
    mesh = jax.make_mesh((8,), ("data",))

    def layout(x):
        return NamedSharding(mesh, P("data") if x.shape[:1] == (N,) else P())

    with Checkpoints(tmp_path / "new" / "folder") as checkpoints:
        assert checkpoints.restore(state) is None
        checkpoints.save(1, state)
        step, found = checkpoints.restore(jax.tree.map(jnp.zeros_like, everything()))
        assert step == 1
        assert_same_bits(found, state)
        with jax.set_mesh(mesh):
            step, spread = checkpoints.restore(shapes(state, layout))
            assert_same_bits(spread, state)
            for x in jax.tree.leaves(spread):
                assert x.sharding.is_equivalent_to(layout(x), x.ndim)
            checkpoints.save(2, spread)
        step, found = checkpoints.restore(state)
        assert step == 2
        assert_same_bits(found, state)


def test_the_newest_are_kept(tmp_path):
    for keep in (1, 2, 3):
        with Checkpoints(tmp_path / str(keep), keep=keep) as checkpoints:
            for step in (3, 5, 20, 100):
                checkpoints.save(step, small(step))
        assert steps(tmp_path / str(keep)) == [3, 5, 20, 100][-keep:]
    with pytest.raises(ValueError, match="keep must be at least 1, got 0"):
        Checkpoints(tmp_path, keep=0)


# -------------------------------------------------------------------------------------- damage


@pytest.fixture(scope="module")
def two(tmp_path_factory):
    """A folder with steps 80 and 120."""
    folder = tmp_path_factory.mktemp("two")
    with Checkpoints(folder) as checkpoints:
        for step in (80, 120):
            checkpoints.save(step, small(step))
    return folder


def files(folder, step):
    return sorted(p for p in folder.glob(f"*-step-{step}/**/*") if p.is_file())


def damages(path):
    """Ways to damage a file: its name, and the new bytes or None for no file."""
    data = path.read_bytes()
    yield "missing", None
    if data:
        yield "empty", b""
        yield "truncated", data[: len(data) // 2]
        yield "one byte short", data[:-1]
    rng = random.Random(path.name[:4])
    for place in {0, len(data) - 1, *(rng.randrange(len(data)) for _ in range(3 if data else 0))}:
        if data:
            flipped = bytearray(data)
            flipped[place] ^= 1 << rng.randrange(8)
            yield f"flipped at {place}", bytes(flipped)


@pytest.mark.slow
def test_no_damage_goes_unnoticed(two, capsys):
    """Whatever file is damaged, what comes back is step 80, and a sentence says so."""
    damaged_files = 0
    with Checkpoints(two) as checkpoints:
        for path in files(two, 120):
            data = path.read_bytes()
            for kind, damaged in damages(path):
                path.unlink() if damaged is None else path.write_bytes(damaged)
                step, state = checkpoints.restore(small(0))
                said = capsys.readouterr().err
                path.write_bytes(data)
                assert step == 80, (path, kind)
                assert said.startswith(f"checkpoint 120 in {two} is damaged ("), (path, kind)
                assert path.name in said, (path, kind)
                assert said.endswith("): going on from 80\n"), (path, kind)
                assert said.count("\n") == 1
                assert_same_bits(state, small(80))
            damaged_files += 1
        step, state = checkpoints.restore(small(0))
    assert step == 120
    assert_same_bits(state, small(120))
    assert damaged_files >= 8


def test_arrays_of_another_checkpoint_are_noticed(two, tmp_path, capsys):
    """Files that Orbax reads without error, but are not what was saved."""
    folder = tmp_path / "copy"
    shutil.copytree(two, folder)
    newest, older = folder / "000001-step-120", folder / "000000-step-80"
    shutil.rmtree(newest / "state")
    shutil.copytree(older / "state", newest / "state")
    contents = description.described(newest)
    contents["files"] = description.digests(newest)
    text = json.dumps(contents)
    digest = hashlib.sha256(text.encode()).hexdigest()
    (newest / "description.json").write_text(f"{text}\n{digest}\n")
    with Checkpoints(folder) as checkpoints:
        assert checkpoints.restore(small(0))[0] == 80
        said = capsys.readouterr().err
        assert "is damaged (['half'] is not what was saved): going on from 80" in said
        checkpoints.save(120, small(120))  # again
        assert steps(folder) == [80, 120]
        step, state = checkpoints.restore(small(0))
        assert step == 120
        assert_same_bits(state, small(120))
        assert capsys.readouterr().err == ""


def test_where_all_are_damaged_it_stops_and_deletes_nothing(two, tmp_path):
    folder = tmp_path / "copy"
    shutil.copytree(two, folder)
    for path in folder.glob("*/state/d/*"):
        path.write_bytes(b"")
    before = sorted(folder.rglob("*"))
    with Checkpoints(folder) as checkpoints, pytest.raises(ValueError, match="no earlier one"):
        checkpoints.restore(small(0))
    assert sorted(folder.rglob("*")) == before


@pytest.mark.parametrize(
    ("like", "difference"),
    [
        ({"rows": jnp.zeros((N, 4))}, r"\['rows'\] was float32\[64, 3\], now float32\[64, 4\]"),
        ({"step": jnp.uint32(0)}, r"\['step'\] was int32\[\], now uint32\[\]"),
        ({"more": jnp.zeros(1)}, r"\['more'\] was absent, now float32\[1\]"),
        ({"half": None}, r"\['half'\] was bfloat16\[5, 2\], now absent"),
    ],
)
def test_another_training_is_not_damage(two, capsys, like, difference):
    sentence = f"checkpoint 120 in {two} belongs to another training \\({difference}\\)"
    with Checkpoints(two) as checkpoints, pytest.raises(ValueError, match=sentence):
        checkpoints.restore({**small(0), **like})
    assert capsys.readouterr().err == ""


@pytest.mark.parametrize("dtype", ["float32", "bfloat16", "int8", "bool", "int32", "float16"])
def test_a_fingerprint_is_the_plain_sum(dtype):
    x = np.asarray(np.random.default_rng(0).normal(0, 2, (3, 4, 5))).astype(jnp.dtype(dtype))
    total = 0
    size = x.dtype.itemsize
    for position in range(x.size):
        word = int.from_bytes(x.tobytes()[position * size :][:size], sys.byteorder)
        word = ((word ^ word >> 16) * 0x7FEB352D) % 2**32
        word = ((word ^ word >> 15) * 0x846CA68B) % 2**32
        total += (word ^ word >> 16) * (2 * position + 1)
    assert int(description.fingerprints([jnp.asarray(x)])[0]) == total % 2**32


# ------------------------------------------------------------------------------ what cannot be


def run(code, *arguments, **kwargs):
    """A program of its own: what it prints."""
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    command = [sys.executable, "-c", code, *map(str, arguments)]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=240)
    return done


FULL = """
import resource, sys
import jax, jax.numpy as jnp
from examples.train.checkpoint import Checkpoints
from tests.helpers import checkpoint_processes
with Checkpoints(sys.argv[1]) as checkpoints:
    state = jax.tree.map(jnp.asarray, checkpoint_processes.content(3))
    state["rows"] = jax.random.normal(jax.random.key(0), (200_000,))
    resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))
    try:
        checkpoints.save(200, state)
    except OSError as error:
        print(error)
"""


def test_a_full_disk_is_a_sentence(two, tmp_path):
    folder = tmp_path / "copy"
    shutil.copytree(two, folder)
    done = run(FULL, folder)
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    assert done.stdout.startswith(
        f"checkpoint 200 could not be written to {folder} (File too large): "
    )
    assert done.stdout.count("\n") == 1
    assert sorted(os.listdir(folder)) == sorted(os.listdir(two))
    with Checkpoints(folder) as checkpoints:
        step, state = checkpoints.restore(small(0))
        assert_same_bits(state, small(step))
        assert step == 120
        checkpoints.save(130, small(130))
    assert steps(folder) == [120, 130]


def test_a_folder_that_cannot_be_is_a_sentence(tmp_path):
    file = tmp_path / "file"
    file.write_text("mine")
    for folder in (file, file / "below"):
        with Checkpoints(folder) as checkpoints:
            with pytest.raises(OSError, match=f"{folder}.*") as raised:
                checkpoints.save(1, small(1))
            assert "\n" not in str(raised.value)
            with pytest.raises(OSError, match=f"cannot read the checkpoints in {folder}: Not a d"):
                checkpoints.restore(small(1))
    assert file.read_text() == "mine"


def test_a_folder_one_may_not_write_is_a_sentence(two, tmp_path, monkeypatch):
    folder = tmp_path / "copy"
    shutil.copytree(two, folder)
    folder.chmod(0o500)
    if os.geteuid() == 0:  # whom permissions do not bind

        def refused(*args, **kwargs):
            raise PermissionError(13, "Permission denied", str(folder))

        monkeypatch.setattr(checkpoint.ocp, "save", refused)
    with Checkpoints(folder) as checkpoints:
        with pytest.raises(OSError, match=r"checkpoint 1 could not be written to .*Permission"):
            checkpoints.save(1, small(1))
        assert checkpoints.restore(small(0))[0] == 120
    folder.chmod(0o700)
    assert steps(folder) == [80, 120]


def test_what_was_good_stays_until_the_next_is_complete(two, tmp_path, monkeypatch):
    folder = tmp_path / "copy"
    shutil.copytree(two, folder)
    seen = []
    save = checkpoint.ocp.save

    def watched(*args):
        seen.append(steps(folder))
        save(*args)
        seen.append(steps(folder))

    monkeypatch.setattr(checkpoint.ocp, "save", watched)
    with Checkpoints(folder) as checkpoints:
        checkpoints.save(120, small(120))  # of a training that began anew
    assert seen == [[80, 120], [80, 120]]  # and the new one, not yet under its name
    assert steps(folder) == [120, 120]


# ---------------------------------------------------------------------------------------- killed


@pytest.mark.parametrize("point", kills.POINTS)
def test_killed_at_any_point_of_a_save_it_goes_on_from_a_whole_checkpoint(
    tmp_path, monkeypatch, capsys, point
):
    with Checkpoints(tmp_path) as checkpoints:
        for step in (0, 1):
            checkpoints.save(step, small(step))
        with monkeypatch.context() as patch:
            kills.arrange(point, 1, kills.raise_killed, patch.setattr)
            with pytest.raises(kills.Killed):
                checkpoints.save(2, small(2))
    check_whole(tmp_path, 2 if kills.counts(point) else 1)
    assert capsys.readouterr().err == ""


def check_whole(folder, newest):
    """The newest is whole, and the next save leaves nothing of what was half done."""
    with Checkpoints(folder) as checkpoints:
        step, state = checkpoints.restore(small(0))
        assert step == newest
        assert_same_bits(state, small(newest))
        checkpoints.save(3, small(3))
    assert steps(folder) == [newest, 3]
    assert len(os.listdir(folder)) == 2


# ------------------------------------------------------------------------------------ processes


ENVIRONMENT = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}


def command(*arguments):
    return [sys.executable, SCRIPT, *map(str, arguments)]


@pytest.mark.slow
@pytest.mark.parametrize("point", kills.POINTS)
def test_a_process_killed_in_its_third_save_leaves_a_whole_checkpoint(tmp_path, point):
    done = subprocess.run(
        command(tmp_path, "killed", point), env=ENVIRONMENT, capture_output=True, text=True
    )
    assert done.returncode == -signal.SIGKILL, done.stderr
    check_whole(tmp_path, 2 if kills.counts(point) else 1)


@pytest.mark.slow
def test_two_processes_and_one_read_each_other(tmp_path):
    with Checkpoints(tmp_path) as checkpoints:
        checkpoints.save(1, small(1))
    outputs = joined.run_two(lambda port, i: command(tmp_path, port, 2, i), environment=ENVIRONMENT)
    for i, output in enumerate(outputs):
        assert output.splitlines()[-1] == "equal"
        assert ("checkpoint 3 in" in output) == (i == 0)
    with Checkpoints(tmp_path) as checkpoints:
        step, state = checkpoints.restore(small(0))
    assert step == 3
    assert_same_bits(state, small(3))
