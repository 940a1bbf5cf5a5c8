"""What was found, as Markdown. The first method, cross-entropy, is the baseline."""

import numpy as np

from examples.dense import CLASSES, SIDE, STRIDE
from examples.report import paired, tables
from examples.report.prose import Took, filled
from examples.segmentation.epochs import Scores
from examples.segmentation.settings import Settings
from examples.segmentation.trials import Outcome

COLUMNS = (
    *("mIoU", "mIoU of objects", "Dice of objects"),
    *("IoU, frequent", "IoU, medium", "IoU, rare", "mean recall", "pixel accuracy"),
)
BY_CLASS = (
    *("cross-entropy (CE)", "median-frequency CE", "OHEM (¼ of the pixels)"),
    *("Dice", "CE + Dice"),
)


HEAD = f"""# Segmentation: pixels of rare classes against background

What do class weights, hard pixels and losses of overlap change, where nine pixels of ten are
background and most classes are rare? This page is what

```sh
sh examples/data/get_data.sh dataset-fashion-mnist
{{command}}
```

wrote. A canvas of {SIDE}×{SIDE} pixels has one to four objects, 16 to 44 pixels long, of
{len(CLASSES)} classes: garments of Fashion-MNIST and scikit-learn's digits, real images on a
composed canvas, among pieces that were cut from others and are background. In training the most
frequent class has {{imbalance:g}} objects for one of the rarest, garments and digits in turn; in
the test all classes are alike. Training and test canvases have no image in common.

The network adds features of strides 4, 8 and 16 at stride {STRIDE} and normalises them; a linear
layer makes of each the K + 1 logits of the pixels around it, background the last, for {{every}}
pixel of a mask in both directions. All methods share canvases, initial weights, batches and the
number of steps.

The rows:

- **cross-entropy (CE)** and **focal (γ=2)**: `softmax_cross_entropy_loss` and `softmax_focal_loss`,
  the mean over all pixels;
- **median-frequency CE** (SegNet) and **log-frequency CE** (ENet): each pixel weighs as
  `median_frequency_weights`, from pixels and images of each class, or `log_frequency_weights` has
  it, and `weighted_mean` divides by the sum of the weights;
- **OHEM**: CE of the quarter of the batch's pixels that has the largest
  (`mining.hard_example_weights`);
- **Dice**: `dice_loss` over all pixels of the batch, `smooth=1`: one loss a class, and their mean
  over the classes that the batch has (`present_regions`), background among them;
- **Dice with absent classes**: the mean over all K + 1; a class that the batch does not have asks
  that nothing of it is predicted;
- **Tversky**: `tversky_loss` with α = 0.3 on false alarms and β = 0.7 on misses (Salehi et al.),
  where Dice has ½ and ½; **focal Tversky** raises it to γ = ¾, which Abraham and Khan write as 4/3;
  both over the classes that are present;
- **CE + Dice**: the sum of the first and of Dice, as nnU-Net has it.

Not here is `lovasz_softmax_loss`: it sorts all pixels of every class, and a step of it takes many
times as long as one of the others on a CPU.

The papers of Dice (V-Net), Tversky and focal Tversky have one kind of object, and say nothing of
absent ones; the mean over the present is that of Lovász-softmax. All methods have one learning
rate: of 0.0025, 0.005 and 0.01, tried on another seed, CE is best with the second and Dice with the
first; with the larger ones Dice predicts only background on some seeds.

*IoU* is intersection over union of all test pixels together, from one confusion matrix
(`metrics.per_class_iou`), *mIoU* its mean over the K + 1 classes, or over the K of objects; *Dice*
is that of the K (`metrics.per_class_f_beta`). Frequent, medium and rare are thirds of the classes
by their objects in training. *Mean recall* is over the K + 1 classes (SegNet's class average
accuracy), *pixel accuracy* the share of all pixels. Below, "higher" and "lower" mean by more than
two standard errors of the paired difference.
"""


def head(command: str, settings: Settings) -> str:
    """What was done."""
    every = {1: "every", 2: "every second", 4: "every fourth"}[settings.stride]
    return HEAD.rstrip().format(command=command, imbalance=settings.imbalance, every=every)


def page(outcome: Outcome, settings: Settings, command: str, took: Took) -> str:
    """The whole page."""
    return "\n\n".join(
        [
            head(command, settings),
            sizes(outcome, settings),
            table(outcome),
            "\n".join(findings(outcome)),
            "![IoU of each class, and the masks of test canvases](segmentation.png)",
            "## IoU of each class",
            by_class(outcome),
            took.sentence(),
        ]
    )


def sizes(outcome: Outcome, settings: Settings) -> str:
    """What the table is of."""
    counts, recipe = outcome.objects, outcome.recipe
    pixels, rarest = outcome.frequencies.pixels, counts[:, -1]
    foreground = 1 - pixels[:, -1].sum() / pixels.sum()
    return filled(
        f"{settings.canvases} canvases to train on, with {counts.sum(1).mean():.0f} objects that "
        f"cover {100 * foreground:.1f}% of the pixels; {counts[:, 0].mean():.0f} objects of the "
        f"most frequent class, {rarest.min()} to {rarest.max()} of the rarest. {settings.tested} "
        f"test canvases. {settings.steps} steps of {settings.batch_size} canvases, AdamW from "
        f"{recipe.learning_rate:g} to 0, {recipe.width} features. In per cent, mean of "
        f"{len(counts)} seeds; in brackets the paired difference to the first row ± its standard "
        "error."
    )


def thirds(outcome: Outcome) -> list[np.ndarray]:
    """The objects' classes by their number in training: frequent, medium, rare."""
    order = np.argsort(-outcome.objects.sum(0), kind="stable")
    return np.array_split(order, 3)


def measures_of(scores: Scores, groups: list[np.ndarray]) -> np.ndarray:
    """Shares `[S, columns]`."""
    parts = [
        scores.iou,
        scores.iou[:, :-1],
        scores.dice[:, :-1],
        *(scores.iou[:, group] for group in groups),
        scores.recall,
    ]
    return np.stack([*(mean_of(part, 1) for part in parts), scores.accuracy], 1)


def mean_of(values: np.ndarray, axis: int) -> np.ndarray:
    """Without NaN, a class that no canvas has; NaN where nothing is left."""
    return np.ma.filled(np.ma.masked_invalid(values).mean(axis), np.nan)


def measures(outcome: Outcome) -> dict[str, np.ndarray]:
    """Of every method."""
    groups = thirds(outcome)
    return {name: measures_of(scores, groups) for name, scores in outcome.scores.items()}


def table(outcome: Outcome) -> str:
    """A row a method."""
    return paired.table(measures(outcome), COLUMNS)


def findings(outcome: Outcome) -> list[str]:
    """A sentence a column: which methods are told apart from CE by two standard errors."""
    return paired.findings(measures(outcome), [f"*{title}*" for title in COLUMNS])


def by_class(outcome: Outcome) -> str:
    """A row a class and the background, in the order of the tail; means over the seeds."""
    objects, pixels = outcome.objects.mean(0), outcome.frequencies.pixels.sum(0)
    rows = []
    for k, name in enumerate((*CLASSES, "background")):
        number = f"{objects[k]:.0f}" if k < len(objects) else "–"
        found = (100 * mean_of(outcome.scores[method].iou[:, k], 0) for method in BY_CLASS)
        share = f"{100 * pixels[k] / pixels.sum():.2f}"
        rows.append([name, number, share, *(f"{iou:.1f}" for iou in found)])
    header = ["class", "objects in training", "% of the pixels", *BY_CLASS]
    return tables.markdown(header, rows)
