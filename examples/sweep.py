"""γ × β in one program: every training of a grid of two hyper-parameters at once, over seeds.

With no argument: the focusing exponent γ and the effective number's β of the class-balanced focal
loss, five values each, on the task of `parity.py` (is a digit odd or even, with digit 8 rare).
`--x` and `--y` take any two of the traced numbers. One compilation; the grid is divided over the
devices, on a CPU one for each core. The cell is chosen on held-out images, and what it gives on
others is printed. Prints how long the same grid takes one training at a time, writes a heat map.
"""

import dataclasses
import functools
import os
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Literal, NamedTuple

import datasets
import jax
import jax.numpy as jnp
import numpy as np
import sweep_report
import training
import tyro
from jax import Array

import jimb

Name = Literal["gamma", "beta", "power", "rate"]
VALUES: dict[Name, tuple[float, ...]] = {
    "gamma": (0.0, 0.5, 1.0, 2.0, 3.0),
    "beta": (0.0, 0.9, 0.99, 0.999, 0.9999),
    "power": (0.0, 0.25, 0.5, 0.75, 1.0),
    "rate": (0.1, 0.3, 1.0, 3.0, 10.0),
}
SIZES = np.array([120, 25] * 4 + [10, 25])  # training images of each digit
BATCH, EPOCHS = 64, 15
STEPS = EPOCHS * -(-int(SIZES.sum()) // BATCH)


@dataclasses.dataclass(frozen=True)
class Settings:
    """Train a grid of two hyper-parameters at once."""

    x: Name = "gamma"
    """Along the columns: gamma, the focal loss's exponent; beta, of the effective number; power,
    the class weights n^-power; rate, a factor of the learning rate."""
    y: Name = "beta"
    """Along the rows. With beta the loss is class-balanced focal, otherwise focal."""
    x_values: tuple[float, ...] = ()
    """Values of x; five usual ones if left out."""
    y_values: tuple[float, ...] = ()
    """Values of y."""
    measure: Literal["mean of ten", "digit 8"] = "mean of ten"
    """Recall to choose by: the mean of the ten digits', or that of the rare 8."""
    seeds: int = 8
    """Trials of each cell, each with its own images and initial weights."""
    seed: int = 0
    """The first of them."""
    calls: int = 10
    """Trainings that are run one by one, to time them."""
    figure: str = "out/sweep.png"
    """Where the heat map goes."""

    def check(self) -> None:
        """What means nothing is refused: a ValueError of one sentence."""
        if self.x == self.y:
            raise ValueError(f"--x and --y are both {self.x}: choose two.")
        if {self.x, self.y} == {"beta", "power"}:
            raise ValueError("beta and power are both class weights: choose one of them.")
        for name, lowest in {"seeds": 2, "seed": 0, "calls": 1}.items():
            if getattr(self, name) < lowest:
                raise ValueError(f"--{name} must be at least {lowest}, got {getattr(self, name)}.")
        for name, values in self.grids.items():
            low, high = (0, 1) if name == "beta" else (0, np.inf)
            if not all(low <= value <= high and np.isfinite(value) for value in values):
                raise ValueError(f"values of {name} must lie in [{low}, {high}], got {values}.")

    @property
    def grids(self) -> dict[str, tuple[float, ...]]:
        """Rows, then columns."""
        return {
            self.y: self.y_values or VALUES[self.y],
            self.x: self.x_values or VALUES[self.x],
        }


# --------------------------------------------------------------------------------------- task


class Trials(NamedTuple):
    """`S` trials; the images that a trial does not train on are in two halves."""

    train: training.Data  # [S, N, ...]
    keys: Array  # of initial weights and plans, [S, 2]
    images: Array  # all, standardised as each trial's training images, [S, T, features]
    digits: Array  # [S, T]
    halves: Array  # [S, 2, T]: held out to choose by, and to report


def make_trials(settings: Settings) -> Trials:
    """Draws each trial's images."""
    images, digits = datasets.load_digits()
    index, halves = [], []
    for seed in range(settings.seed, settings.seed + settings.seeds):
        rng = np.random.default_rng(seed)
        index.append(datasets.take_per_class(digits, SIZES, rng))
        others = np.setdiff1d(np.arange(len(digits)), index[-1])
        held_out, _ = datasets.split(digits[others], rng, share=0.5)
        half = np.zeros((2, len(digits)), bool)
        half[1, others] = True
        half[0, others[held_out]] = True
        half[1, others[held_out]] = False
        halves.append(half)
    rows = np.stack(index)
    mean, deviation = datasets.pixel_statistics(images[rows])
    seeds = np.arange(settings.seed, settings.seed + settings.seeds)
    return Trials(
        training.Data(
            jnp.asarray((images[rows] - mean) / deviation), jnp.asarray(digits[rows] % 2)
        ),
        jax.vmap(lambda seed: jax.random.split(jax.random.key(seed)))(seeds),
        jnp.asarray((images - mean) / deviation),
        jnp.tile(digits, (settings.seeds, 1)),
        jnp.asarray(np.stack(halves)),
    )


# ------------------------------------------------------------------------------------ training


def training_of(loss: str) -> Callable[..., Array]:
    """A whole training as a function: `(one trial, hyper-parameters) -> recalls [2, 10]`."""
    recipe = training.Recipe(64, 2, loss, batch_size=BATCH, steps=STEPS)
    num_examples = int(SIZES.sum())
    counts = np.array([SIZES[0::2].sum(), SIZES[1::2].sum()])

    def train(trial: Trials, **given: Array) -> Array:
        state = training.init_state(trial.keys[0], recipe, num_examples)
        epochs = jax.vmap(jax.random.fold_in, (None, 0))(trial.keys[1], jnp.arange(EPOCHS))
        plan = jax.vmap(
            lambda key: jimb.sampling.epoch_plan(
                key, jnp.ones(num_examples), STEPS // EPOCHS * BATCH
            )
        )(epochs)
        hyper = training.hyper_of(counts)
        if "power" in given:
            power = given.pop("power")
            given["class_weights"] = jimb.inverse_frequency_weights(counts, power=power)
        hyper = hyper._replace(**given)
        state, _ = training.run_epoch(state, trial.train, plan, hyper, recipe=recipe)
        right = training.predict(state, trial.images, recipe=recipe).argmax(-1) == trial.digits % 2
        is_digit = trial.digits == jnp.arange(10)[:, None]
        chosen = trial.halves[:, None] & is_digit  # [2, 10, T]
        recalls: Array = (chosen & right).sum(-1) / chosen.sum(-1)
        return recalls

    return train


def over_seeds(train: Callable[..., Array]) -> Callable[..., Array]:
    """The same for all trials: `[S, 2, 10]`.

    In a loop: the cells of one seed share its batches, so that their `vmap` makes one product of
    all first layers. With the seeds in it too, the grid took 1.6 times as long on two CPU cores.
    """

    def trained(trials: Trials, **given: Array) -> Array:
        recalls: Array = jax.lax.map(lambda trial: train(trial, **given), trials)
        return recalls

    return trained


class Timing(NamedTuple):
    """Seconds."""

    grid: float
    compilation: float
    one: float  # a compiled training of one cell and seed
    constant: float  # the same, with its numbers compiled in


def run(settings: Settings) -> tuple[np.ndarray, Timing]:
    """Recalls `[rows, columns, S, 2, 10]` of the whole grid; how long it took."""
    trials = make_trials(settings)
    grids = {name: jnp.asarray(values, jnp.float32) for name, values in settings.grids.items()}
    train = training_of("cb-focal" if "beta" in grids else "focal")
    with jax.set_mesh(jax.make_mesh((jax.device_count(),), ("points",))):
        start = time.perf_counter()
        swept = jimb.sweep(over_seeds(train), grids, mesh_axis="points")
        compiled = jax.jit(swept).lower(trials).compile()
        compilation = time.perf_counter() - start
        recalls, grid = timed(lambda: np.asarray(compiled(trials)))
    return recalls, Timing(grid, compilation, *time_one_by_one(settings, trials, train))


def time_one_by_one(
    settings: Settings, trials: Trials, train: Callable[..., Array]
) -> tuple[float, float]:
    """Medians over some cells, of a traced training and of one that is compiled for its cell."""
    cells = [(y, x) for y in settings.grids[settings.y] for x in settings.grids[settings.x]]
    some = [cells[i * len(cells) // settings.calls % len(cells)] for i in range(settings.calls)]
    single = first_of(trials)

    @jax.jit
    def one(trial: Trials, y: Array, x: Array) -> Array:
        return train(trial, **{settings.y: y, settings.x: x})

    def traced(y: float, x: float) -> Array:
        return jax.block_until_ready(one(single, jnp.float32(y), jnp.float32(x)))

    def constant(y: float, x: float) -> Array:
        numbers = {settings.y: jnp.float32(y), settings.x: jnp.float32(x)}
        return jax.block_until_ready(jax.jit(lambda trial: train(trial, **numbers))(single))

    traced(*some[0])
    return seconds_of(traced, some), seconds_of(constant, some[:2])


def first_of(trials: Trials) -> Trials:
    """One trial."""
    first: Trials = jax.tree.map(lambda x: x[0], trials)
    return first


def seconds_of(fn: Callable[..., Array], cells: list[tuple[float, float]]) -> float:
    """The median over these cells."""
    return float(np.median([timed(functools.partial(fn, *cell))[1] for cell in cells]))


def timed(fn: Callable[[], Any]) -> tuple[Any, float]:
    """What it returns, and its seconds."""
    start = time.perf_counter()
    result = fn()
    return result, time.perf_counter() - start


# --------------------------------------------------------------------------------------- main


def main() -> None:
    """Reads the command line, trains, prints, draws."""
    try:
        settings = tyro.cli(Settings, description=__doc__)
        settings.check()
        recalls, timing = run(settings)
        print(sweep_report.page(settings.grids, recalls, settings.measure, timing))
        sweep_report.draw(Path(settings.figure), settings.grids, recalls, settings.measure)
    except (ValueError, OSError) as error:
        sys.exit(f"sweep.py: {error}")
    print(f"\nfigure: {settings.figure}")


def use_every_core() -> None:
    """A device for each core, before the first use of any; not for GPUs and TPUs, if there are."""
    has_affinity = hasattr(os, "sched_getaffinity")  # Linux only
    cores = len(os.sched_getaffinity(0)) if has_affinity else os.cpu_count()
    jax.config.update("jax_num_cpu_devices", cores)


if __name__ == "__main__":
    use_every_core()
    main()
