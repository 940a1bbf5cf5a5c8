"""`epoch_plan` visits the rarest examples as often as it should; float32 cumulative sums do not.

Compares `jimb.sampling.epoch_plan`, `jax.random.choice(p=…)` in float32 and NumPy's
`Generator.choice` in float64, for plans as long as the data set and weights of three kinds. The
mean visits of each example are computed over all random numbers that the sampler can take, not
sampled; a second table checks them against plans that were drawn, and a third gives times.

    python -m proofs.plans
"""

import dataclasses
import time
from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import tyro
from jax import Array

import jimb
from examples.report.tables import markdown
from proofs import samplers

SAMPLERS = ("epoch_plan", "jax.random.choice", "NumPy choice")


@dataclasses.dataclass(frozen=True)
class Settings:
    """How often does each sampler visit the rarest examples?"""

    sizes: tuple[int, ...] = (100_000, 1_280_000)
    """Examples of the data set, and length of its plans."""
    draws: int = 20_000_000
    """Positions drawn by each sampler for each row of the second table."""
    rounds: int = 9
    """Rounds of timing; each runs every sampler once, in random order."""
    seed: int = 0
    """Seed of weights, plans and order."""

    def __post_init__(self) -> None:
        """What leaves nothing to measure is refused."""
        if not self.sizes or min(self.sizes) < 10:
            raise ValueError("--sizes must be at least 10: the rarest tenth is measured.")
        if self.draws < 2 * max(self.sizes) or self.rounds < 1:
            raise ValueError("--draws must be enough for two plans, and --rounds at least 1.")


class Case(NamedTuple):
    """One data set: its weights, and what is computed from them."""

    kind: str
    p: np.ndarray  # float64, [N]
    weights: Array  # float32, [N]
    p32: Array
    expected: np.ndarray  # N·p
    counts: samplers.FixedPoint
    table: np.ndarray  # of jax.random.choice
    means: dict[str, np.ndarray]  # mean visits by sampler, [N]


def make_case(kind: str, num: int, seed: int) -> Case:
    """Weights, and each sampler's mean visits."""
    weights = samplers.weights_of(kind, num, seed)
    p = samplers.probabilities(weights)
    counts = samplers.fixed_point(weights, num)
    table = samplers.choice_table(p)
    means = (
        samplers.plan_means(counts),
        samplers.choice_means(table, num, num),
        samplers.numpy_means(p, num),
    )
    by_sampler = dict(zip(SAMPLERS, means, strict=True))
    on_device = jnp.asarray(weights), jnp.asarray(p, jnp.float32)
    return Case(kind, p, *on_device, num * p, counts, table, by_sampler)


def mean_row(case: Case, sampler: str) -> list[str]:
    """How far the mean visits lie from `N·w_i / Σw`."""
    mean, expected = case.means[sampler], case.expected
    rare = samplers.rarest_tenth(expected)
    group = mean[rare].sum() / expected[rare].sum() - 1
    each = np.abs(mean[rare] / expected[rare] - 1).mean()
    due = expected > 1e-3
    never = np.mean(mean[due] == 0)
    return [
        f"{len(expected):,}",
        case.kind,
        sampler,
        percent(group, sign="+"),
        percent(each),
        percent(never),
    ]


def percent(share: float, *, sign: str = "") -> str:
    """Two digits, and no power of ten for what is large."""
    value = 100 * share
    return f"{value:{sign}{'.0f' if abs(value) >= 10 else '.2g'}} %"


Sampler = Callable[[Case, int], Any]


def compiled_samplers(num: int) -> tuple[dict[str, Sampler], dict[str, float]]:
    """Each sampler as `(case, seed) -> positions [num]`, and its seconds of compilation."""
    shapes = jax.eval_shape(lambda: (jax.random.key(0), jnp.ones(num)))

    def timed(fn: Callable[[Array, Array], Array]) -> tuple[Any, float]:
        start = time.perf_counter()
        compiled = jax.jit(fn).lower(*shapes).compile()
        return compiled, time.perf_counter() - start

    plan, plan_seconds = timed(lambda key, w: jimb.sampling.epoch_plan(key, w, num))
    choice, choice_seconds = timed(lambda key, p: jax.random.choice(key, num, (num,), p=p))
    functions: tuple[Sampler, ...] = (
        lambda case, seed: plan(jax.random.key(seed), case.weights),
        lambda case, seed: choice(jax.random.key(seed), case.p32),
        lambda case, seed: np.random.default_rng(seed).choice(num, num, p=case.p),
    )
    compilation = {SAMPLERS[0]: plan_seconds, SAMPLERS[1]: choice_seconds}
    return dict(zip(SAMPLERS, functions, strict=True)), compilation


def drawn_row(case: Case, sampler: str, draw: Sampler, settings: Settings) -> list[str]:
    """Visits of the rarest tenth in some plans, against the expectation and the computed mean."""
    num = len(case.expected)
    rare = samplers.rarest_tenth(case.expected)
    found, furthest = [], 0.0
    for seed in range(settings.seed, settings.seed + settings.draws // num):
        positions = np.asarray(draw(case, seed))
        visits = np.bincount(positions, minlength=num)
        check(case, sampler, positions, visits, seed)
        found.append(visits[rare].sum())
        furthest = max(furthest, float(np.abs(visits - case.expected).max()))
    error = np.std(found, ddof=1) / np.sqrt(len(found))
    return [
        f"{num:,}",
        case.kind,
        sampler,
        str(len(found)),
        f"{case.expected[rare].sum():.2f}",
        f"{case.means[sampler][rare].sum():.2f}",
        f"{np.mean(found):.2f} ± {error:.2f}",
        f"{furthest:.6f}" if furthest < 1 else f"{furthest:.1f}",
    ]


def check(case: Case, sampler: str, positions: np.ndarray, visits: np.ndarray, seed: int) -> None:
    """What was drawn is what was computed, draw by draw."""
    num = len(case.expected)
    if visits.shape != (num,) or visits.sum() != num:
        raise AssertionError(f"a plan of {sampler} is not of {num} positions.")
    if visits[case.means[sampler] == 0].any():
        raise AssertionError(f"{sampler} drew what it was said never to draw.")
    key = jax.random.key(seed)
    if sampler == "epoch_plan":
        same = visits == samplers.visits_at(case.counts, samplers.offset_of(key))
    elif sampler == "jax.random.choice":
        same = positions == samplers.choice_from(case.table, key, num)
    else:
        return
    if not same.all():
        raise AssertionError(f"{sampler} drew something else than what was computed.")


def times(
    cases: list[Case], draws: dict[str, Sampler], settings: Settings
) -> dict[str, dict[str, np.ndarray]]:
    """Seconds of each round, by sampler and kind of weights."""
    rng = np.random.default_rng(settings.seed)
    taken = {s: {c.kind: np.zeros(settings.rounds) for c in cases} for s in SAMPLERS}
    for case in cases:
        for turn in range(settings.rounds):
            for sampler in rng.permutation(SAMPLERS):
                start = time.perf_counter()
                jax.block_until_ready(draws[sampler](case, turn))
                taken[sampler][case.kind][turn] = time.perf_counter() - start
    return taken


def time_rows(
    num: int, taken: dict[str, dict[str, np.ndarray]], compilation: dict[str, float]
) -> list[list[str]]:
    """Medians, and the median ratio to `epoch_plan` of the same round."""
    rows = []
    for sampler, by_kind in taken.items():
        ratios = [by_kind[kind] / taken["epoch_plan"][kind] for kind in by_kind]
        compiling = f"{compilation[sampler]:.1f}" if sampler in compilation else ""
        medians = [f"{1e3 * np.median(seconds):.1f}" for seconds in by_kind.values()]
        rows.append([f"{num:,}", sampler, compiling, *medians, f"{np.median(ratios):.2f}"])
    return rows


NOTES = """\
¹ of the examples that are due a visit in a thousand plans, N·w > 10⁻³.
² of an example's visits in one of these plans from N·w. Every plan has N positions, and every draw
of epoch_plan and of jax.random.choice is the computed one.
³ to epoch_plan, median over the rounds of each kind of weights."""


def run(settings: Settings) -> str:
    """All three tables."""
    means, drawn, timed = [], [], []
    for num in settings.sizes:
        draws, compilation = compiled_samplers(num)
        cases = [make_case(kind, num, settings.seed) for kind in samplers.KINDS]
        for case in cases:
            means += [mean_row(case, sampler) for sampler in SAMPLERS]
            drawn += [drawn_row(case, sampler, draws[sampler], settings) for sampler in SAMPLERS]
        timed += time_rows(num, times(cases, draws, settings), compilation)
    columns = ["N", "weights", "sampler"]
    rare = ["rarest tenth, as a group", "rarest tenth, mean error of one"]
    in_ms = [f"{kind}, ms" for kind in samplers.KINDS]
    sections = (
        "Mean visits of each example, computed over all random numbers of the sampler:",
        markdown([*columns, *rare, "never drawn¹"], means),
        "Visits of the rarest tenth per plan: due, computed, and drawn (± the standard error):",
        markdown([*columns, "plans", "due", "computed", "drawn", "largest distance²"], drawn),
        f"Times of one plan, medians over {settings.rounds} rounds:",
        markdown(["N", "sampler", "compile, s", *in_ms, "ratio³"], timed),
        NOTES,
    )
    return "\n\n".join(sections)


def main() -> None:
    """Reads the command line, computes, draws, prints."""
    print(run(tyro.cli(Settings, description=__doc__)))


if __name__ == "__main__":
    main()
