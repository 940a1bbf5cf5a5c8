"""The methods that are compared, and the numbers that each may choose from.

Methods of one family differ in numbers alone: one program trains all of them, side by side.
"""

import dataclasses
import itertools
from typing import Any, Literal, NamedTuple

import jax.numpy as jnp
import numpy as np

Family = Literal[
    "softmax", "one-vs-all", "asymmetric", "cosine", "AUC", "mined", "drawn", "interpolated"
]
# What an epoch is drawn by.
Draw = Literal["classes", "difficulty", "last loss", "forgetting", "variability"]
DRAWS: tuple[Draw, ...] = ("classes", "difficulty", "last loss", "forgetting", "variability")
# How far re-balancing is on along the training, in the order of `training.share_of`.
Schedule = Literal["always", "deferred", "progressive"]
SCHEDULES: tuple[Schedule, ...] = ("always", "deferred", "progressive")


class Numbers(NamedTuple):
    """All numbers of a training; `[C]` each where `C` trainings go side by side."""

    gamma: Any = 0.0  # of the focal loss
    smoothing: Any = 0.0
    tau: Any = 0.0  # times the logarithm of the prior, added to the logits
    exponent: Any = 0.0  # of a class's share, which multiplies its logit
    power: Any = 0.0  # of the inverse frequency, for the class weights
    beta: Any = 0.0  # of the effective number, for the class weights
    schedule: Any = 0.0  # of the class weights, or of the draws
    negatives: Any = 0.0  # the asymmetric loss's gamma of negatives
    margin: Any = 0.0
    keep: Any = 1.0  # the hardest share of each batch
    draw: Any = 0.0
    class_power: Any = 1.0  # classes are drawn in proportion to their size to this
    pseudocount: Any = 1.0


@dataclasses.dataclass(frozen=True)
class Method:
    """One row of the tables."""

    name: str
    functions: str  # of jimb
    paper: str
    family: Family | Literal["post hoc"]
    grid: tuple[Numbers, ...] = (Numbers(),)

    @property
    def tuned(self) -> bool:
        """Whether there is anything to choose."""
        return len(self.grid) > 1


def grid(**values: Any) -> tuple[Numbers, ...]:
    """All combinations of numbers; one that is not given is as in cross-entropy."""
    rows = itertools.product(*(np.atleast_1d(each) for each in values.values()))
    return tuple(Numbers(**dict(zip(values, map(float, row), strict=True))) for row in rows)


def scheduled(schedule: Schedule) -> int:
    """Its number."""
    return SCHEDULES.index(schedule)


def drawn(draw: Draw) -> int:
    """Its number."""
    return DRAWS.index(draw)


# Of numbers that are equally good on the inner part the first is taken: the paper's, mostly jimb's
# default too. Where few rows choose, that is often.
GAMMA = (2, 0.5, 1, 5)
BETA = (0.9999, 0.9, 0.99, 0.999)
TAU = (1, 0.5, 1.5)
CE, THRESHOLD, MIDWAY = "cross-entropy (CE)", "threshold (chosen)", "threshold (chosen midway)"
DEFERRED, PROGRESSIVE = scheduled("deferred"), scheduled("progressive")
METHODS = (
    Method(CE, "softmax_cross_entropy_loss", "", "softmax"),
    Method(
        *("label smoothing", "softmax_cross_entropy_loss", "Szegedy 2016", "softmax"),
        grid(smoothing=0.1),
    ),
    Method("focal", "softmax_focal_loss", "Lin 2017", "softmax", grid(gamma=GAMMA)),
    Method("inverse frequency", "inverse_frequency_weights", "", "softmax", grid(power=1)),
    Method("square-root weights", "inverse_frequency_weights", "", "softmax", grid(power=0.5)),
    Method("effective number", "effective_number_weights", "Cui 2019", "softmax", grid(beta=BETA)),
    Method(
        *("deferred re-weighting (DRW)", "effective_number_weights", "Cao 2019", "softmax"),
        grid(beta=BETA, schedule=DEFERRED),
    ),
    Method("balanced softmax", "balanced_softmax_loss", "Ren 2020", "softmax", grid(tau=1)),
    Method(
        *("logit adjustment (trained)", "logit_adjusted_loss", "Menon 2021", "softmax"),
        grid(tau=TAU),
    ),
    Method("VS loss", "vs_loss", "Kini 2021", "softmax", grid(exponent=(0.15, 0.3), tau=TAU)),
    Method("one-vs-all CE", "sigmoid_cross_entropy_loss", "", "one-vs-all"),
    Method(
        *("one-vs-all focal", "sigmoid_focal_loss", "Lin 2017", "one-vs-all"),
        grid(gamma=GAMMA),
    ),
    Method(
        *("asymmetric", "sigmoid_asymmetric_loss", "Ridnik 2021", "asymmetric"),
        grid(gamma=(1, 0), negatives=(4, 2)),
    ),
    Method("CB-sigmoid", "class_balanced_sigmoid_loss", "Cui 2019", "one-vs-all", grid(beta=BETA)),
    Method(
        *("CB-focal", "class_balanced_focal_loss", "Cui 2019", "one-vs-all"),
        grid(beta=BETA, gamma=(2, 0.5)),
    ),
    Method("LDAM", "ldam_loss", "Cao 2019", "cosine", grid(margin=(0.5, 0.25))),
    Method(
        *("LDAM-DRW", "ldam_loss", "Cao 2019", "cosine"),
        grid(margin=(0.5, 0.25), beta=0.9999, schedule=DEFERRED),
    ),
    Method("AUC-margin", "", "Yuan 2021", "AUC", grid(margin=(1, 0.5))),
    Method(
        *("class-balanced sampling", "sampling.class_power", "Kang 2020", "drawn"),
        grid(class_power=0),
    ),
    Method(
        *("square-root sampling", "sampling.class_power", "Kang 2020", "drawn"),
        grid(class_power=0.5),
    ),
    Method(
        *("progressively balanced", "sampling.mix_uniform", "Kang 2020", "drawn"),
        grid(class_power=0, schedule=PROGRESSIVE),
    ),
    Method(
        *("deferred re-sampling (DRS)", "sampling.mix_uniform", "Cao 2019", "drawn"),
        grid(class_power=0, schedule=DEFERRED),
    ),
    Method(
        *("class-balanced (interpolated)", "sampling.interpolate_within_class", "Chawla 2002"),
        "interpolated",
        grid(class_power=0),
    ),
    Method(
        *("OHEM", "mining.hard_example_weights", "Shrivastava 2016", "mined"),
        grid(keep=(0.5, 0.25, 0.75)),
    ),
    Method(
        *("difficulty", "difficulty", "Yu 2022", "drawn"),
        grid(draw=drawn("difficulty"), pseudocount=(1, 0.1, 10)),
    ),
    Method(
        *("last loss", "difficulty.last_loss", "Loshchilov 2016", "drawn"),
        grid(draw=drawn("last loss")),
    ),
    Method(
        *("forgetting events", "difficulty.forgetting", "Toneva 2019", "drawn"),
        grid(draw=drawn("forgetting")),
    ),
    Method(
        *("data maps (variability)", "difficulty.data_map", "Swayamdipta 2020", "drawn"),
        grid(draw=drawn("variability")),
    ),
    Method(
        *("logit adjustment (post hoc)", "posthoc.adjust_logits", "Menon 2021", "post hoc"),
        grid(tau=TAU),
    ),
    Method(THRESHOLD, "posthoc.choose_threshold", "", "post hoc"),
    Method(MIDWAY, "posthoc.choose_threshold", "", "post hoc"),
)
# Programs: of all that go over the same batches, and of those that have their own.
SHARED: tuple[Family, ...] = ("softmax", "one-vs-all", "asymmetric", "cosine", "AUC", "mined")
OWN: tuple[Family, ...] = ("drawn", "interpolated")


def of_family(family: str) -> tuple[Method, ...]:
    """Its methods, in order."""
    return tuple(method for method in METHODS if method.family == family)


def numbers_of(family: str) -> Numbers:
    """The numbers of all its methods side by side, `[C]` each."""
    rows = [row for method in of_family(family) for row in method.grid]
    return Numbers(*(jnp.asarray(column, jnp.float32) for column in zip(*rows, strict=True)))
