"""What was found, as Markdown. The first method, cross-entropy with π, is the baseline."""

import numpy as np

from examples.dense import CLASSES, SIDE, STRIDE
from examples.detection.easy import CANVASES, POINTS, TRAINED
from examples.detection.settings import Settings
from examples.detection.trials import Outcome, Result
from examples.report import paired, tables
from examples.report.prose import Took, filled

COLUMNS = ("AP", "AP50", "AP frequent", "AP medium", "AP rare")
HEAD = f"""# Detection: where focal loss was made

Focal loss, the prior π and hard example mining were made for detectors that ask every location of
an image for an object: nearly all answers are no, and nearly all of these are easy. What are they
worth there? This page is what

```sh
sh examples/data/get_data.sh dataset-fashion-mnist
{{command}}
```

wrote. A canvas of {SIDE}×{SIDE} pixels has one to four objects, 16 to 44 pixels long, of
{len(CLASSES)} classes: the garments of Fashion-MNIST and the digits of scikit-learn, real images on
a composed canvas. Among them lie four to ten pieces that were cut from other images: these are the
hard negatives. In training the most frequent class has {{imbalance:g}} objects for one of the
rarest, garments and digits in turn; in the test all classes are alike. Training and test canvases
have no image in common.

The detector is fully convolutional and has no anchors. Strides 4, 8 and 16 are added at stride
{STRIDE}; each location there has one logit a class (one-vs-all) and the distances to the four sides
of a box. An object belongs to the location that has its centre; the eight around it are asked
nothing. The loss is that of the class logits plus generalised IoU of the boxes, both over the
number of objects in the batch (`weighted_mean(..., normalizer=objects, min_normalizer=1)`).

![Test canvases: true boxes, and those found](detection.png)

Of each method as many boxes are drawn as there are objects, those of the highest scores.

The rows:

- **BCE (π)**: `sigmoid_cross_entropy_loss`; the bias starts each class at π = {{prior:g}}
  (`one_vs_all_bias_init`);
- **BCE (bias 0)**: the same, but each class starts at ½, as a bias of 0 has it. All other rows
  start at π;
- **α-balanced BCE**: objects weigh α, all else 1 - α: `sigmoid_focal_loss(..., gamma=0)`;
- **OHEM 1:3**: BCE of all locations with an object and of the three hardest others for each of them
  (`mining.hard_example_weights`);
- **focal**: `sigmoid_focal_loss`, each γ with the α that RetinaNet found best for it;
- **class-balanced focal**: γ = 2; the object's own term weighs as its class does
  (`effective_number_weights`, β = 0.999, `mean_one` over the objects).

All have the same canvases, initial weights, batches, number of steps and learning rate. Of 0.002,
0.004, 0.008 and 0.016, the second and third were best, on two other seeds, for BCE with π, OHEM and
focal loss with γ = 2; with 0.016 focal loss collapsed. The default lies between them.

*AP* is COCO's, by pycocotools: the mean over classes and over overlaps of 0.5 to 0.95; *AP50* that
at an overlap of 0.5. Frequent, medium and rare classes are the first {{thirds[0]}}, the next
{{thirds[1]}} and the last {{thirds[2]}} by objects in training.
"""
# Of each claim: ours, theirs, and what RetinaNet's paper (Lin et al., ICCV 2017) reports on COCO.
CLAIMS = (
    (
        "π at the start, against a bias of 0",
        "BCE (π)",
        "BCE (bias 0)",
        "30.2 AP; without, diverged",
    ),
    ("α-balanced against plain BCE", "α-balanced BCE (α=0.75)", "BCE (π)", "+0.9"),
    ("focal γ=2 against α-balanced", "focal γ=2 (α=0.25)", "α-balanced BCE (α=0.75)", "+2.9"),
    ("focal γ=2 against γ=0.5", "focal γ=2 (α=0.25)", "focal γ=0.5 (α=0.5)", "+1.1"),
    ("focal γ=2 against γ=1", "focal γ=2 (α=0.25)", "focal γ=1 (α=0.25)", "+0.3"),
    ("focal γ=2 against γ=5", "focal γ=2 (α=0.25)", "focal γ=5 (α=0.25)", "+1.8"),
    ("focal γ=2 against OHEM", "focal γ=2 (α=0.25)", "OHEM 1:3", "+3.2, best of each"),
    ("class-balanced against plain focal", "class-balanced focal (γ=2)", "focal γ=2 (α=0.25)", "–"),
)


def page(outcome: Outcome, settings: Settings, command: str, took: Took) -> str:
    """The whole page."""
    return "\n\n".join(
        [
            head(settings, command, [len(part) for part in groups(outcome)]),
            sizes(outcome, settings),
            table(outcome),
            "## What RetinaNet reports, and what is seen here",
            filled(
                "Differences in points of AP, here ± the standard error over the seeds. Of more "
                "than two standard errors is said to be told apart."
            ),
            claims(outcome),
            "\n".join(findings(outcome)),
            "## The loss of easy negatives",
            "![Cumulative loss over sorted objects and negatives](detection_loss.png)",
            easy_negatives(outcome),
            "## AP of each class",
            by_class(outcome),
            took.sentence(),
        ]
    )


def head(settings: Settings, command: str, thirds: list[int]) -> str:
    """What is compared, and on what."""
    numbers = {"imbalance": settings.imbalance, "prior": settings.prior, "thirds": thirds}
    return HEAD.format(command=command, **numbers).rstrip()


def groups(outcome: Outcome) -> list[np.ndarray]:
    """Classes by the order of the tail: frequent, medium, rare."""
    return np.array_split(np.arange(outcome.counts.shape[1]), 3)


def measures_of(result: Result, outcome: Outcome) -> np.ndarray:
    """Shares `[S, columns]`."""
    thirds = [of_classes(result.ap[:, part]) for part in groups(outcome)]
    return np.stack([of_classes(result.ap), of_classes(result.ap50), *thirds], 1)


def of_classes(ap: np.ndarray) -> np.ndarray:
    """The mean `[S]` of `[S, K]` over the classes that have objects; NaN where none has."""
    found = np.isfinite(ap)
    number = found.sum(1)
    return np.where(number > 0, np.where(found, ap, 0).sum(1) / np.maximum(number, 1), np.nan)


def sizes(outcome: Outcome, settings: Settings) -> str:
    """What the table is of."""
    objects, recipe = outcome.counts.sum(1).mean(), outcome.recipe
    rarest = outcome.counts[:, -1]
    return filled(
        f"{settings.canvases} canvases to train on, with {objects:.0f} objects, one in "
        f"{outcome.locations:.0f} locations and {outcome.locations * recipe.classes:.0f} logits; "
        f"{outcome.counts[:, 0].mean():.0f} of the most frequent class, {rarest.min()} to "
        f"{rarest.max()} of the rarest. {settings.tested} test canvases. {settings.steps} steps of "
        f"{settings.batch_size}, AdamW from {recipe.learning_rate:g} to 0, {recipe.width} "
        f"features. In per cent, mean of {len(outcome.counts)} seeds; in brackets the paired "
        "difference to the first row ± its standard error. The last column is the loss of the "
        "first step, of classes and boxes."
    )


def table(outcome: Outcome) -> str:
    """A row a method."""
    measures = {name: measures_of(result, outcome) for name, result in outcome.results.items()}
    header, rule, *rows = paired.table(measures, COLUMNS).splitlines()
    first = [f"{result.losses[:, 0].mean():.3g}" for result in outcome.results.values()]
    cells = [f"{header} loss at first |", f"{rule}---------------|"]
    cells += [f"{row} {loss:<13} |" for row, loss in zip(rows, first, strict=True)]
    return "\n".join(cells)


def difference(outcome: Outcome, ours: str, theirs: str) -> tuple[float, float]:
    """Of AP, in points."""
    pair = (of_classes(outcome.results[name].ap) for name in (ours, theirs))
    return paired.difference(*pair)


def claims(outcome: Outcome) -> str:
    """A row for each comparison of the paper."""
    rows = []
    for title, ours, theirs, paper in CLAIMS:
        mean, error = difference(outcome, ours, theirs)
        seen = "told apart" if paired.told_apart(mean, error) else "not told apart"
        rows.append([title, paper, f"{paired.signed(mean, error)}, {seen}"])
    return tables.markdown(["comparison", "RetinaNet on COCO", "here"], rows)


def findings(outcome: Outcome) -> list[str]:
    """Sentences that follow from the numbers."""
    ap = {name: of_classes(result.ap).mean() for name, result in outcome.results.items()}
    best = max(ap, key=lambda name: ap[name])
    rest = [n for n in ap if n != best and not told(outcome, best, n)]
    alike = f"; not told apart from it: {', '.join(rest)}" if rest else ", by more than any other"
    return [filled(f"- The highest AP has {best}{alike}.", "  ")]


def told(outcome: Outcome, ours: str, theirs: str) -> bool:
    """Whether two methods' AP differ by more than two standard errors."""
    return paired.told_apart(*difference(outcome, ours, theirs))


def easy_negatives(outcome: Outcome) -> str:
    """What the figure shows."""
    negatives = outcome.last.curves.negatives
    place = round(0.99 * POINTS)
    said = ", ".join(f"{100 * c[place]:.1f} % at γ = {gamma:g}" for gamma, c in negatives.items())
    return filled(
        f"The figure of the paper: every logit of {CANVASES} test canvases gives a loss, by one "
        f"detector (the last seed's {TRAINED}) for every γ. Sorted from the easiest to the "
        "hardest, they add up to the whole. The easiest 99 % of the negatives have of their loss: "
        f"{said}."
    )


def by_class(outcome: Outcome) -> str:
    """A row a class, in the order of the tail; mean AP over the seeds."""
    counts = outcome.counts.mean(0)
    rows = [
        [CLASSES[k], f"{counts[k]:.0f}"]
        + [f"{100 * of_classes(result.ap.T)[k]:.1f}" for result in outcome.results.values()]
        for k in range(len(counts))
    ]
    return tables.markdown(["class", "objects", *outcome.results], rows)
