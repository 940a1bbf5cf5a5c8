"""What was found, as Markdown. The first method, cross-entropy, is the baseline."""

import os
from typing import NamedTuple

from examples.large_head.epochs import FEW_BELOW, MANY_ABOVE
from examples.large_head.timing import Cost
from examples.large_head.trials import Outcome
from examples.report import paired, tables
from examples.report.prose import filled

COLUMNS = ("accuracy", "balanced accuracy", "many-shot", "medium-shot", "few-shot", "in training")
HEAD = f"""# Many classes: a head of 16 897

What do the softmax losses change where classes are counted in thousands, and most have a handful of
examples? The data are the 82 114 nouns of WordNet that have a hypernym. The text is the gloss, of
"oak" for instance "a deciduous tree of the genus Quercus"; the class is what the noun is a kind of,
here "tree". That makes 16 897 classes, the largest of 659 glosses, half of them of one or two. This
page is what

```sh
sh examples/data/get_data.sh wordnet-base
{{command}}
```

wrote. Each seed has its own random split. A fifth of each class is for the test, and at least one
gloss; a class of one is trained on only, but stays in the head, where a test gloss may be taken for
it. All methods share the splits, the initial weights and the number of steps, and all but
class-balanced sampling the order of the glosses. The network is a vector for each hashed word,
their sum over the root of their number, and a linear head with all classes, whose logits are never
stored (`jimb.LinearLogits`).

The rows:

- **cross-entropy (CE)** and **focal (γ=2)**: `softmax_cross_entropy_loss`, `softmax_focal_loss`;
- **class-balanced sampling**: CE, each class drawn alike (`sampling.class_power`, `epoch_plan`);
- **logit adjustment**: trained by `logit_adjusted_loss`; with τ = 1 it is **balanced softmax**;
- **post-hoc adjustment**: the model of row CE with `posthoc.adjust_logits` on the bias of its head;
  it costs no training.

*Accuracy* is that of the glosses, *balanced accuracy* the mean recall of the tested classes, and
the next columns that of a part of them: many-shot classes have more than {MANY_ABOVE} training
glosses, few-shot ones fewer than {FEW_BELOW}. *In training* is the accuracy on training glosses:
how far each has come in the same number of steps. Below, "higher" and "lower" mean by more than two
standard errors of the paired difference.
"""
STEPS = (
    "One step of the training above: word vectors, head, cross-entropy, gradients, Adam. *Stored* "
    "keeps an array of all logits, *unstored* computes those of {block} classes at a time. On 8 "
    "devices the batch is divided by two and the classes by four. They are CPU devices that share "
    "the same cores: they show what one of eight has to hold, not how much faster eight are. Times "
    "are medians of {rounds} rounds, in which the kinds of steps take turns. MB are those of one "
    "device; temporaries are what XLA's `memory_analysis` says that it needs beside arguments and "
    "results. The head has {columns} columns here, as many on each device."
)


class Took(NamedTuple):
    """The whole command, in minutes; other work on the machine lengthens the first much more."""

    minutes: float
    processor: float  # of all cores together


def page(outcome: Outcome, costs: list[Cost], rounds: int, command: str, took: Took) -> str:
    """The whole page."""
    columns = f"{costs[0].columns:,}".replace(",", " ")
    steps = STEPS.format(block=outcome.recipe.block_size, rounds=rounds, columns=columns)
    return "\n\n".join(
        [
            HEAD.rstrip().format(command=command),
            sizes(outcome),
            table(outcome),
            "\n".join(findings(outcome)),
            "## What a step takes",
            filled(steps),
            cost_table(costs),
            f"The whole command took {took.minutes:.1f} minutes on {os.cpu_count()} cores, and "
            f"{took.processor:.1f} minutes of processor time.",
        ]
    )


def sizes(outcome: Outcome) -> str:
    """What the table is of."""
    counts, tested = outcome.counts, outcome.tested > 0
    groups = (counts > MANY_ABOVE, (counts <= MANY_ABOVE) & (counts >= FEW_BELOW))
    many, medium = (int((group & tested).sum()) for group in groups)
    few = int((tested & (counts < FEW_BELOW)).sum())
    baseline, *_ = outcome.measures.values()
    recipe = outcome.recipe
    return filled(
        f"{counts.sum()} training and {outcome.tested.sum()} test glosses; tested classes: {many} "
        f"many, {medium} medium, {few} few. In per cent, mean of {len(baseline)} seeds; in "
        "brackets the paired difference to the first row ± its standard error. "
        f"{outcome.epochs} epochs in batches of {recipe.batch_size}, {recipe.hidden} numbers in a "
        f"vector, Adam from {recipe.learning_rate:g} to 0."
    )


def table(outcome: Outcome) -> str:
    """A row a method."""
    return paired.table(outcome.measures, COLUMNS)


def findings(outcome: Outcome) -> list[str]:
    """A sentence a column: which methods are told apart from CE by two standard errors."""
    measures = {name: ours[:, :-1] for name, ours in outcome.measures.items()}
    return paired.findings(measures, [f"{title.capitalize()} against CE" for title in COLUMNS[:-1]])


def cost_table(costs: list[Cost]) -> str:
    """A row for each number of devices and batch size, stored beside unstored."""
    kinds: dict[tuple[int, int], dict[str, Cost]] = {}
    for cost in costs:
        kinds.setdefault((cost.devices, cost.batch_size), {})[cost.head] = cost
    header = ["devices", "glosses a step", "MB of logits", "ms, stored", "ms, unstored"]
    header += ["MB of temporaries, stored", "MB of temporaries, unstored"]
    rows = []
    for (devices, size), heads in kinds.items():
        first, *_ = heads.values()
        logits = 4e-6 * size * first.columns / devices
        times = (f"{1000 * cost.seconds:.0f}" for cost in heads.values())
        held = (f"{cost.temporaries / 1e6:.0f}" for cost in heads.values())
        rows.append([str(devices), str(size), f"{logits:.0f}", *times, *held])
    return tables.markdown(header, rows)
