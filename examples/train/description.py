"""Saving: what lies beside a checkpoint, digests of its files and fingerprints of its arrays."""

import hashlib
import json
import math
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
from jax import Array

DESCRIPTION = "description.json"


def fingerprint(leaf: Array) -> Array:
    """A hash modulo 2³² of an array's bits: sum of mixed(word) · (2 position + 1).

    Sums of integers are exact, so it is the same on any number of devices. Any change of a single
    word changes it.
    """
    if jnp.issubdtype(leaf.dtype, jax.dtypes.prng_key):
        leaf = jax.random.key_data(leaf)
    if leaf.dtype == jnp.bool:
        leaf = leaf.astype(jnp.uint8)
    bits = 8 * min(leaf.dtype.itemsize, 4)  # of 64-bit numbers, each half is a word
    words = jax.lax.bitcast_convert_type(leaf, jnp.dtype(f"uint{bits}")).astype(jnp.uint32)
    for shift, factor in ((16, 0x7FEB352D), (15, 0x846CA68B)):  # one to one
        words = (words ^ (words >> jnp.uint32(shift))) * jnp.uint32(factor)
    words ^= words >> jnp.uint32(16)
    position = jnp.uint32(0)
    for axis in range(words.ndim):
        sharding = jax.typeof(words).sharding
        index = jax.lax.broadcasted_iota(jnp.uint32, words.shape, axis, out_sharding=sharding)
        position = index * jnp.uint32(math.prod(words.shape[axis + 1 :]) % 2**32) + position
    return jnp.sum(words * (2 * position + 1), dtype=jnp.uint32)


@jax.jit
def fingerprints(leaves: list[Array]) -> list[Array]:
    """The fingerprint of each array, in one program."""
    return [fingerprint(leaf) for leaf in leaves]


def layout(tree: Any) -> dict[str, str]:
    """Path → dtype and shape, of every array."""
    leaves = jax.tree.leaves_with_path(tree)
    return {jax.tree_util.keystr(path): f"{x.dtype}{list(x.shape)}" for path, x in leaves}


def digests(path: Path) -> dict[str, str]:
    """File → SHA-256, of all files of a checkpoint but its description."""
    found = {}
    for file in sorted(path.rglob("*")):
        if file.is_file() and file != path / DESCRIPTION:
            with file.open("rb") as opened:
                found[str(file.relative_to(path))] = hashlib.file_digest(
                    opened, "sha256"
                ).hexdigest()
    return found


def describe(path: Path, state: Any, found: list[int]) -> None:
    """Writes the description, which ends in a digest of itself."""
    contents = {"layout": layout(state), "fingerprints": found, "files": digests(path)}
    text = json.dumps(contents)
    (path / DESCRIPTION).write_text(f"{text}\n{hashlib.sha256(text.encode()).hexdigest()}\n")


def described(path: Path) -> dict[str, Any]:
    """The description; ValueError where it is not what was written."""
    text, _, digest = (path / DESCRIPTION).read_bytes().partition(b"\n")
    if digest.decode(errors="replace") != hashlib.sha256(text).hexdigest() + "\n":
        raise ValueError(f"{DESCRIPTION} was changed")
    contents: dict[str, Any] = json.loads(text)
    return contents


def damage(path: Path) -> str:
    """What is wrong with a checkpoint's files, or nothing."""
    try:
        was, now = described(path)["files"], digests(path)
    except FileNotFoundError as error:
        return f"{Path(error.filename).name} is missing"
    except ValueError as error:
        return str(error)
    for file in was:
        if now.get(file) != was[file]:
            return f"{file} " + ("was changed" if file in now else "is missing")
    return ""


def different(saved: dict[str, str], like: dict[str, str]) -> str:
    """The first difference of two layouts, or nothing."""
    for name in [*like, *saved]:
        was, now = saved.get(name, "absent"), like.get(name, "absent")
        if was != now:
            return f"{name or 'the array'} was {was}, now {now}"
    return ""
