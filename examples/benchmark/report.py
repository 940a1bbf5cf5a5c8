"""What the benchmark found: the page, and the summary. The baseline is the first method."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np

from examples.benchmark.measures import Outcome, difference, differences, measures, recalls
from examples.benchmark.methods import METHODS
from examples.report import files


def table(outcome: Outcome) -> str:
    """Each column in per cent, and the paired difference to CE ± its standard error."""
    columns = measures(outcome)
    baseline = next(iter(outcome.results.values()))
    lines = ["| method | function | paper | " + " | ".join(columns) + " |"]
    lines.append("|---|---|---|" + "---|" * len(columns))
    for method in METHODS:
        if method.name in outcome.left_out:
            cells = ["–"] * len(columns)
        elif method.name in outcome.results:
            result = outcome.results[method.name]
            pairs = ((f(result.confusion), f(baseline.confusion)) for f in columns.values())
            cells = [cell(*difference(*pair), bare=result is baseline) for pair in pairs]
        else:
            continue
        function = f"`{method.functions}`"
        lines.append(f"| {method.name} | {function} | {method.paper} | " + " | ".join(cells) + " |")
    return "\n".join(lines)


def cell(mean: float, moved: float, error: float, *, bare: bool) -> str:
    """`89.5 (+5.0 ± 0.3)`; the baseline has only a mean; a dash where there is none."""
    if np.isnan(mean):
        return "–"
    if bare or np.isnan(error):
        return f"{mean:.1f}"
    return f"{mean:.1f} ({moved:+.1f} ± {error:.1f})"


def class_table(outcome: Outcome) -> str:
    """The mean recall of each class."""
    lines = ["| class | " + " | ".join(map(str, range(len(outcome.counts)))) + " |"]
    lines.append("|---|" + "---|" * len(outcome.counts))
    lines.append("| training examples | " + " | ".join(map(str, outcome.counts.tolist())) + " |")
    for name, result in outcome.results.items():
        means = 100 * recalls(outcome, result.confusion).mean(0)
        lines.append(f"| {name} | " + " | ".join(f"{mean:.1f}" for mean in means) + " |")
    return "\n".join(lines)


INTRODUCTION = """# Methods on every data set

Every method of jimb on every task of `examples/benchmark`, which printed this page. Figures are
per cent of the test examples; in brackets is the paired difference to cross-entropy (CE) ± its
standard error over the trials. A trial has its own training examples, initial weights and keys, and
all methods share them, the number of steps and every setting; none is tuned for any method. The
last epoch counts, never the best one. AdamW, the learning rate falls to 0 along a cosine. Nothing
here is a ranking that holds elsewhere: compare the tables with each other.

Balanced accuracy is the mean recall of all classes. Under "few", "medium" and "many" are classes of
fewer than 20, of up to 100 and of more training examples on digits and CIFAR, and the third of the
smallest, of the middle and of the largest classes elsewhere. A dash: the method has no meaning
there, and the line below the table says why; or nothing was called an event, so there is no
precision. Class-wise difficulty is measured on held-out examples: where the task has none to spare,
that method leaves ten training examples of each class out."""


def page(outcomes: list[Outcome], figure: str = "") -> str:
    """All tables, and what was run."""
    parts = [INTRODUCTION]
    if figure:
        parts.append(f"![Paired difference to CE, by method and task]({Path(figure).name})")
    return "\n\n".join(parts + [section(outcome) for outcome in outcomes])


def section(outcome: Outcome) -> str:
    """One task."""
    spec, sizes = outcome.spec, outcome.counts
    listed = ", ".join(map(str, sizes.tolist()))
    seconds = sum(result.seconds for result in outcome.results.values())
    model = {"mlp": "An MLP with one hidden layer of {}", "bag": "An embedding bag of {}"}
    parts = [
        f"## {spec.title}",
        f"{spec.about} Training examples per class: {listed}. "
        f"{model.get(spec.architecture, spec.architecture).format(spec.hidden)}, batches of "
        f"{spec.batch_size}, {spec.epochs} epochs, learning rate {spec.learning_rate:g}, "
        f"{spec.seeds} trials from seed {outcome.seed}; {seconds / 60:.1f} minutes "
        f"(`--task {outcome.task}`).",
        table(outcome),
    ]
    parts += [f"- {name}: {reason}." for name, reason in outcome.left_out.items()]
    if outcome.task.startswith("fashion"):
        parts += ["Recall of each class:", class_table(outcome)]
    return "\n\n".join(parts)


BEGIN, END = "<!-- results of the benchmark -->", "<!-- end of results -->"


def summary(outcomes: list[Outcome]) -> str:
    """Methods × tasks: the difference of balanced accuracy to CE ± its standard error."""
    lines = ["| method | " + " | ".join(outcome.task for outcome in outcomes) + " |"]
    lines.append("|---|" + "---|" * len(outcomes))
    found = [differences(outcome) for outcome in outcomes]
    for method in METHODS[1:]:
        if not any(method.name in each for each in found):
            continue
        nothing = (np.nan, np.nan, np.nan)
        triples = [each.get(method.name, nothing) for each in found]
        cells = ["–" if np.isnan(e) else f"{moved:+.1f} ± {e:.1f}" for _, moved, e in triples]
        lines.append(f"| {method.name} | " + " | ".join(cells) + " |")
    return "\n".join(lines)


def update_readme(path: Path, outcomes: list[Outcome]) -> None:
    """Puts the summary between the markers, and the effects on digits into the table of methods."""
    before, begin, rest = path.read_text(encoding="utf-8").partition(BEGIN)
    _, end, after = rest.partition(END)
    if not begin or not end:
        raise ValueError(f"{path} has no lines {BEGIN} and {END} for the summary to go between.")
    for outcome in outcomes:
        if outcome.task == "digits":
            for name, (_, moved, error) in differences(outcome).items():
                row = rf"(\| {re.escape(name)} \|.*\| `benchmark` \|)[^|]*\|"
                before = re.sub(row, rf"\1 {moved:+.1f} ± {error:.1f} |", before)
    files.write(path, f"{before}{begin}\n{summary(outcomes)}\n{end}{after}")
