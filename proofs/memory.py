"""What a difficulty state of ImageNet's size takes, and that a sweep over it holds no second copy.

Goes over the data set in chunks with `jimb.difficulty.update(…, index=…)`, each chunk's logits from
a key in the place of a model, and reads the largest resident memory of the process from Linux's
/proc. Each row of the table is a process of its own; what it held before the state and the logits
existed, JAX and the compiled programs, is subtracted.

    python -m proofs.memory
"""

import concurrent.futures
import dataclasses
import multiprocessing
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import tyro
from jax import Array

import jimb
from examples.report.tables import markdown
from jimb.difficulty import DifficultyState

STATUS = Path("/proc/self/status")


@dataclasses.dataclass(frozen=True)
class Settings:
    """How much memory does a sweep over a large data set take?"""

    examples: int = 1_280_000
    """Examples of the data set whose predictions are stored, as float16."""
    classes: int = 1000
    """Its classes."""
    chunks: tuple[int, ...] = (2_000, 20_000)
    """Examples at a time there; a row of the table each."""
    snapshot_examples: int = 10_000_000
    """Examples of the data set in snapshot mode; the last row has ten times as many."""
    snapshot_classes: int = 10
    """Its classes."""
    snapshot_chunk: int = 20_000
    """Examples at a time there."""
    sweeps: int = 1
    """Passes over the data set."""

    def __post_init__(self) -> None:
        """What leaves nothing to measure is refused."""
        sizes = (self.examples, self.classes, self.snapshot_examples, self.snapshot_classes)
        if min(*sizes, *self.chunks, self.snapshot_chunk, self.sweeps) < 1 or not self.chunks:
            raise ValueError("all numbers must be at least 1, and --chunks one or more of them.")

    def cases(self) -> list["Case"]:
        """The rows of the table; one does not donate, so that a second copy can be seen."""
        stored = [
            Case(self.examples, self.classes, "float16", chunk, self.sweeps)
            for chunk in self.chunks
        ]
        snapshot = Case(
            self.snapshot_examples, self.snapshot_classes, None, self.snapshot_chunk, self.sweeps
        )
        return [
            *stored,
            stored[0]._replace(donated=False, sweeps=0),
            snapshot,
            snapshot._replace(examples=10 * self.snapshot_examples, sweeps=0),
        ]


class Case(NamedTuple):
    """One row of the table."""

    examples: int
    classes: int
    dtype: str | None  # of the store; None is snapshot mode
    chunk: int
    sweeps: int  # 0: only one chunk
    donated: bool = True


class Measured(NamedTuple):
    """Bytes, and seconds of one sweep."""

    state: int
    chunk: int  # what an update of one chunk takes and, beside the state, makes
    peak: int
    seconds: float


class Chunk(NamedTuple):
    """What an update takes."""

    logits: Array
    labels: Array
    positions: Array
    inside: Array
    previous_logits: Array | None


def make_chunk(case: Case, key: Array, sweep: Array, start: Array) -> Chunk:
    """Logits in [-4, 4) that stand for a model's after this sweep; the last chunk is padded."""

    def logits(sweep: Array) -> Array:
        bits_key = jax.random.fold_in(jax.random.fold_in(key, sweep), start)
        bits = jax.random.bits(bits_key, (case.chunk, case.classes), jnp.uint8)
        return bits.astype(jnp.float32) / 32 - 4

    positions = start + jnp.arange(case.chunk, dtype=jnp.int32)
    inside = positions < case.examples
    before = jnp.where(sweep == 0, 0, logits(sweep - 1)) if case.dtype is None else None
    return Chunk(logits(sweep), positions % case.classes, positions, inside, before)


def updated(state: DifficultyState, chunk: Chunk) -> DifficultyState:
    """The state after this chunk."""
    return jimb.difficulty.update(
        state,
        chunk.logits,
        chunk.labels,
        index=chunk.positions,
        where=chunk.inside,
        previous_logits=chunk.previous_logits,
    )


class Steps(NamedTuple):
    """Both steps of a sweep, compiled before there is anything to run them on."""

    make: Callable[..., Chunk]
    update: Callable[..., DifficultyState]
    chunk: int  # bytes, as XLA has planned them


def compiled(case: Case) -> Steps:
    """The steps."""
    state = jax.eval_shape(lambda: initial(case))
    number = jax.ShapeDtypeStruct((), jnp.int32)
    make = jax.jit(make_chunk, static_argnums=0)
    inputs = case, jax.eval_shape(lambda: jax.random.key(0)), number, number
    update = jax.jit(updated, donate_argnums=0 if case.donated else ())
    chunk = jax.eval_shape(make, *inputs)
    compiled_update = update.lower(state, chunk).compile()
    planned: Any = compiled_update.memory_analysis()
    chunk_size = size(chunk) + planned.temp_size_in_bytes
    return Steps(make.lower(*inputs).compile(), compiled_update, chunk_size)


def size(tree: Any) -> int:
    """Bytes of all arrays."""
    return sum(x.size * x.dtype.itemsize for x in jax.tree.leaves(tree))


def initial(case: Case) -> DifficultyState:
    """`jimb.difficulty.init`."""
    return jimb.difficulty.init(case.examples, case.classes, dtype=case.dtype)


def resident(field: str) -> int:
    """Bytes of this process: `VmRSS` now, `VmHWM` the most that there ever were."""
    lines = dict(line.split(":", 1) for line in STATUS.read_text().splitlines())
    return 1024 * int(lines[field].split()[0])


def measure(case: Case) -> Measured:
    """Sweeps over the data set; for a process of its own."""
    make, update, chunk = compiled(case)
    key = jax.random.key(0)
    before = resident("VmRSS")
    state = jax.block_until_ready(initial(case))
    begin = time.perf_counter()
    for sweep in range(max(case.sweeps, 1)):
        for start in range(0, case.examples if case.sweeps else 1, case.chunk):
            # Waits: else JAX would make the logits of chunks to come while one is worked on.
            where = key, jnp.int32(sweep), jnp.int32(start)
            state = jax.block_until_ready(update(state, make(*where)))
    seconds = (time.perf_counter() - begin) / max(case.sweeps, 1)
    peak = resident("VmHWM") - before
    if case.sweeps and not jnp.all(state.unlearned + state.learned > 0):
        raise AssertionError("the sweeps have left an example out.")
    return Measured(size(state), chunk, peak, seconds)


def measured_apart(case: Case) -> Measured:
    """`measure` in a new process."""
    spawn = multiprocessing.get_context("spawn")
    with concurrent.futures.ProcessPoolExecutor(1, mp_context=spawn) as pool:
        return pool.submit(measure, case).result()


def row(case: Case) -> list[str]:
    """Its cells."""
    found = measured_apart(case)
    return [
        f"{case.examples:,}",
        f"{case.classes:,}",
        case.dtype or "none (snapshot)",
        f"{case.chunk:,}",
        "yes" if case.donated else "no",
        f"{4e-9 * case.examples * case.classes:.2f}",
        f"{1e-9 * found.state:.3f}",
        f"{1e-9 * found.chunk:.3f}",
        f"{1e-9 * found.peak:.3f}",
        f"{found.peak / found.state:.2f}",
        f"{found.seconds:.1f}" if case.sweeps else "",
    ]


NOTE = """\
In GB, 10⁹ bytes: the logits of all examples, which never exist; the state; what an update of one
chunk takes and makes beside it; and the peak. A row without a time is of the first chunk only."""


def run(settings: Settings) -> str:
    """The table."""
    header = ["N", "K", "store", "at a time", "donated", "all logits", "state", "chunk", "peak"]
    header += ["peak / state", "one sweep, s"]
    return f"{markdown(header, map(row, settings.cases()))}\n\n{NOTE}"


def main() -> None:
    """Reads the command line, sweeps, prints."""
    settings = tyro.cli(Settings, description=__doc__)
    if not STATUS.exists():
        raise SystemExit(f"this proof reads {STATUS}, which only Linux has.")
    print(run(settings))


if __name__ == "__main__":
    main()
