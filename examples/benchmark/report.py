"""What the benchmark found: the page of all tables. The baseline is the first method."""

from pathlib import Path

from examples.benchmark.measures import Outcome, measures, recalls
from examples.benchmark.methods import METHODS
from examples.report import paired, tables

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


def table(outcome: Outcome) -> str:
    """Each column in per cent, and the paired difference to CE ± its standard error."""
    columns = measures(outcome)
    baseline = next(iter(outcome.results.values()))
    rows = []
    for method in METHODS:
        if method.name in outcome.left_out:
            cells = ["–"] * len(columns)
        elif method.name in outcome.results:
            result = outcome.results[method.name]
            pairs = ((f(result.confusion), f(baseline.confusion)) for f in columns.values())
            cells = [paired.cell(a, None if result is baseline else b) for a, b in pairs]
        else:
            continue
        rows.append([method.name, f"`{method.functions}`", method.paper, *cells])
    return tables.markdown(["method", "function", "paper", *columns], rows, lined_up=False)


def class_table(outcome: Outcome) -> str:
    """The mean recall of each class."""
    rows = [["training examples", *map(str, outcome.counts)]]
    for name, result in outcome.results.items():
        means = 100 * recalls(outcome, result.confusion).mean(0)
        rows.append([name, *(f"{mean:.1f}" for mean in means)])
    header = ["class", *map(str, range(len(outcome.counts)))]
    return tables.markdown(header, rows, lined_up=False)
