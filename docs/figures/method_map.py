"""The map of methods: questions one below the other, the first yes leads to a leaf, a link."""

import textwrap
from typing import NamedTuple
from xml.sax.saxutils import escape

WIDTH, ROW, BOX = 360, 92, 72
QUESTION_X, QUESTION_WIDTH, LEAF_X, LEAF_WIDTH = 4, 140, 178, 178


class Leaf(NamedTuple):
    """A question, and where yes leads to."""

    question: str
    title: str
    function: str
    effect: str
    anchor: str


LEAVES = (
    Leaf("Is the model trained, and stays as it is?", "Frozen model", "posthoc.adjust_logits",
         "+6.4 ± 0.5 on digits", "frozen-model"),
    Leaf("Do the probabilities themselves count?", "Probabilities", "posthoc.fit_vector_scaling",
         "Brier back to -0.1 ± 0.1", "probabilities"),
    Leaf("Is the target a number?", "Numbers as targets", "label_density_weights",
         "rare prices -32.7 ± 16.2", "numbers-as-targets"),
    Leaf("Is it a small table of two classes?", "Small table", "balanced_softmax_loss",
         "+8.8 ± 1.0 on 100 tables", "small-tables"),
    Leaf("Is one of two classes a rare event?", "Threshold", "posthoc.choose_threshold",
         "recall 1 % to 34 %", "threshold"),
    Leaf("May several labels be true at once?", "Multi-label", "sigmoid_asymmetric_loss",
         "+1.3 ± 0.2 of mean AP", "multi-label"),
    Leaf("Has every pixel a label?", "Segmentation", "dice_loss", "+2.8 ± 0.6 of mean IoU",
         "segmentation"),
    Leaf("Is nearly all of it background?", "One-vs-all detection", "sigmoid_focal_loss",
         "+6.9 ± 1.0 points of AP", "one-vs-all-detection"),
    Leaf("Is the rare thing inside a frequent class?", "Rare instance", "difficulty",
         "recall +4.1 ± 0.5", "a-rare-instance-in-a-common-class"),
    Leaf("Are some of the labels wrong?", "Noisy labels", "sampling.mix_uniform",
         "not measured", "noisy-labels"),
    Leaf("Are there thousands of classes?", "Many classes", "logit_adjusted_loss",
         "+2.7 ± 0.1 of 16 897", "thousands-of-classes"),
    Leaf("Is a class rare?", "Rare class", "effective_number_weights", "+5.0 ± 0.3 on digits",
         "a-rare-class"),
)  # fmt: skip

STYLE = """
.map-box { fill: var(--color-background-secondary, #f4f4f4); stroke: #808080; }
.map-leaf { fill: var(--color-background-primary, #fff); stroke-width: 1.5;
  stroke: var(--color-brand-content, #0072b2); }
.map a { text-decoration: none; }
.map text { fill: var(--color-foreground-primary, #222); font: 11.5px system-ui, sans-serif; }
.map .title { font-weight: 600; font-size: 13px; }
.map .function { font: 10.5px ui-monospace, monospace; fill: var(--color-brand-content, #0072b2); }
.map .arrow { stroke: #808080; fill: none; }
.map .word { font-size: 10.5px; }
.map a:hover .map-leaf, .map a:focus .map-leaf { stroke-width: 3; }
"""


def text(x: float, y: float, line: str, name: str = "", anchor: str = "start") -> str:
    """A line of text."""
    return f'<text x="{x}" y="{y}" class="{name}" text-anchor="{anchor}">{escape(line)}</text>'


def box(x: float, y: float, width: float, name: str) -> str:
    """A box of a row's height."""
    return f'<rect x="{x}" y="{y}" width="{width}" height="{BOX}" rx="6" class="{name}"/>'


def row(index: int, leaf: Leaf) -> list[str]:
    """A question, the arrow to its leaf and, but for the last, the one to the next question."""
    top = 4 + index * ROW
    middle, right = top + BOX / 2, QUESTION_X + QUESTION_WIDTH
    lines = textwrap.wrap(leaf.question, 20)
    parts = [box(QUESTION_X, top, QUESTION_WIDTH, "map-box")]
    for number, line in enumerate(lines):
        y = middle + 4 + 14 * (number - (len(lines) - 1) / 2)
        parts.append(text(QUESTION_X + 8, y, line))
    parts.append(f'<path d="M{right} {middle}H{LEAF_X - 2}" class="arrow" marker-end="url(#tip)"/>')
    parts.append(text((right + LEAF_X) / 2, middle - 5, "yes", "word", "middle"))
    parts.append(f'<a href="#{leaf.anchor}">{box(LEAF_X, top, LEAF_WIDTH, "map-leaf")}')
    parts.append(text(LEAF_X + 8, top + 20, leaf.title, "title"))
    parts.append(text(LEAF_X + 8, top + 40, leaf.function, "function"))
    parts.append(text(LEAF_X + 8, top + 59, leaf.effect) + "</a>")
    if index < len(LEAVES) - 1:
        x = QUESTION_X + 20
        parts.append(
            f'<path d="M{x} {top + BOX}V{top + ROW - 2}" class="arrow" marker-end="url(#tip)"/>'
        )
        parts.append(text(x + 8, top + BOX + 14, "no", "word"))
    return parts


def draw() -> str:
    """The map, to be placed in the page itself: it takes the colours of the page."""
    height = len(LEAVES) * ROW + 4 - (ROW - BOX) + 4
    tip = (
        '<marker id="tip" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="7" markerHeight="7" '
        'orient="auto"><path d="M0 0L8 4L0 8z" fill="#808080"/></marker>'
    )
    rows = "\n".join(part for index, leaf in enumerate(LEAVES) for part in row(index, leaf))
    return (
        f'<figure class="map">\n<svg xmlns="http://www.w3.org/2000/svg" class="map" role="img" '
        f'viewBox="0 0 {WIDTH} {height}" aria-label="Which method for which problem">\n'
        f"<style>{STYLE}</style>\n<defs>{tip}</defs>\n{rows}\n</svg>\n</figure>\n"
    )
