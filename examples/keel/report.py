"""What was found, as Markdown. Cross-entropy, the first method, is the baseline."""

from pathlib import Path

import numpy as np
from scipy import stats

from examples.keel.comparison import Compared, compare, imbalance, sizes, with_peers
from examples.keel.head import HEAD, TITLE
from examples.keel.measures import MEASURES
from examples.keel.methods import METHODS, Method
from examples.keel.outcome import ByMethod, Outcome
from examples.keel.race import Race
from examples.keel.settings import Settings
from examples.report import tables
from examples.report.prose import Took, filled

BEGIN, END = "<!-- results of keel -->", "<!-- end of results -->"
OF_NAME = {method.name: method for method in METHODS}


def page(
    outcome: Outcome,
    settings: Settings,
    command: str,
    took: Took,
    peers: ByMethod | None = None,
    race: Race | None = None,
) -> str:
    """The whole page."""
    parts = [HEAD.format(command=command).rstrip(), about(outcome, settings)]
    for model, test in outcome.test.items():
        parts += [f"## {titled(model)}", *section(compare(test), model, settings)]
        parts += ["How often each number was chosen, in per cent of the folds:"]
        parts += [chosen(outcome.chosen[model])]
    parts += ["## By imbalance and size", *by_data(outcome, settings)]
    if peers is not None:
        parts += ["## Beside scikit-learn and imbalanced-learn", *beside(outcome, peers)]
    parts += ["## Time", *time_of(outcome)]
    if race is not None:
        parts.append(raced(race))
    if outcome.kept:
        parts.append(
            "Trainings were kept from an earlier run, and this one did not run them again."
        )
    return "\n\n".join([*parts, took.sentence()])


def titled(model: str) -> str:
    """A heading."""
    return "Linear model" if model == "linear" else model


def about(outcome: Outcome, settings: Settings) -> str:
    """What the tables are of."""
    ratio, rows = imbalance(outcome), sizes(outcome)
    return filled(
        f"{len(rows)} data sets of {rows.min()} to {rows.max()} rows, with {ratio.min():.1f} to "
        f"{ratio.max():.0f} rows of the larger class for each of the smaller; {settings.seeds} "
        f"seeds from {settings.seed}. The MLP has {settings.hidden} hidden units. "
        f"{settings.steps} steps of {settings.batch_size} rows, AdamW from "
        f"{settings.learning_rate:g} (the linear model: three times that) to 0 along a cosine."
    )


def section(compared: Compared, model: str, settings: Settings) -> list[str]:
    """Ranks, tests and effects of one model."""
    parts = ["Mean ranks, 1 is best:", ranks(compared), tested(compared)]
    if settings.figures:
        parts.append(f"![Critical-difference diagrams, {model}](keel_{model.lower()}.png)")
    parts.append(
        filled(
            "Points from cross-entropy ± the standard error over the data sets; a star: told apart "
            "by Wilcoxon's test."
        )
    )
    return [*parts, effects(compared), "\n".join(findings(compared))]


def ranks(compared: Compared) -> str:
    """A row a method, in the order of the first measure."""
    columns = [compared.rankings[name].ranks for name in MEASURES]
    rows = []
    for k in np.argsort(columns[0], kind="stable"):
        name = compared.names[k]
        rows.append([name, *described(OF_NAME.get(name)), *(f"{each[k]:.1f}" for each in columns)])
    header = ["method", "function", "paper", *MEASURES]
    return tables.markdown(header, rows, lined_up=False)


def described(method: Method | None) -> tuple[str, str]:
    """Function and paper."""
    if method is None:
        return "", ""
    return f"`{method.functions}`" if method.functions else "", method.paper


def tested(compared: Compared) -> str:
    """Friedman's test, and the difference that tells two ranks apart."""
    p = {name: compared.rankings[name].friedman for name in MEASURES}
    tests = ", ".join(f"{name} {chance(each)}" for name, each in p.items())
    difference = compared.rankings[MEASURES[0]].difference
    return filled(
        f"Friedman's test that all {len(compared.names)} are alike, p: {tests}. Two mean ranks "
        f"are told apart by Nemenyi's test at 0.05 if they differ by {difference:.1f}."
    )


def chance(p: float) -> str:
    """To one digit."""
    return "below 1e-16" if p < 1e-16 else f"{p:.0e}"


def effects(compared: Compared) -> str:
    """A row a method, in the order of METHODS."""
    rows = []
    for k, name in enumerate(compared.names):
        if k == 0:
            cells = [f"{100 * each:.1f} %" for each in compared.scores[0].mean(0)]
        else:
            cells = []
            for measure in MEASURES:
                mean, error = compared.moved(name, measure)
                star = "*" if compared.rankings[measure].p[k] < 0.05 else ""
                cells.append(f"{mean:+.1f} ± {error:.1f}{star}")
        rows.append([name, *cells])
    return tables.markdown(["method", *MEASURES], rows, lined_up=False)


def findings(compared: Compared) -> list[str]:
    """A line a measure: which methods Wilcoxon's test tells apart from cross-entropy."""
    lines = []
    for measure in MEASURES:
        groups = compared.told_apart(measure)
        said = (f"{group} for {', '.join(names)}" for group, names in groups.items() if names)
        rest = len(compared.names) - 1 - sum(map(len, groups.values()))
        text = "; ".join([*said, f"{rest} not told apart"])
        lines.append(filled(f"- {measure}: {text}.", "  "))
    return lines


def chosen(positions: ByMethod) -> str:
    """How often each tuned method took each of its numbers."""
    lines = []
    for name, found in positions.items():
        method = OF_NAME[name]
        if method.tuned:
            fields = [field for field in SHOWN if len({getattr(n, field) for n in method.grid}) > 1]
            shares = np.bincount(found.ravel(), minlength=len(method.grid)) / found.size
            each = (
                f"{'/'.join(f'{getattr(row, field):g}' for field in fields)} {100 * share:.0f}"
                for row, share in zip(method.grid, shares, strict=True)
            )
            names = "/".join(SHOWN[field] for field in fields)
            lines.append(filled(f"- {name} ({names}): {', '.join(each)}.", "  "))
    return "\n".join(lines)


SHOWN = {
    "gamma": "γ",
    "negatives": "γ of negatives",
    "beta": "β",
    "tau": "τ",
    "exponent": "exponent",
    "margin": "margin",
    "keep": "share",
    "pseudocount": "c",
}


def by_data(outcome: Outcome, settings: Settings) -> list[str]:
    """Whether effects go with imbalance or size."""
    compared, parts = compare(outcome.test["MLP"]), []
    if settings.figures:
        parts.append("![Effect by imbalance and by size](keel_effects.png)")
    rows = []
    for name in compared.names[1:]:
        cells = []
        for measure in (MEASURES[0], "PR-AUC"):
            moved = compared.effects(name, measure)
            for of_set in (imbalance(outcome), sizes(outcome)):
                varied = len(set(moved)) > 1 and len(set(of_set)) > 1
                cells.append(f"{stats.spearmanr(of_set, moved).statistic:+.2f}" if varied else "–")
        rows.append([name, *cells])
    header = [f"{m}, {of}" for m in (MEASURES[0], "PR-AUC") for of in ("imbalance", "rows")]
    said = "Spearman's correlation of the MLP's effect with the imbalance and the rows of a set:"
    return [*parts, said, tables.markdown(["method", *header], rows, lined_up=False)]


def beside(outcome: Outcome, peers: ByMethod) -> list[str]:
    """Peers and some of jimb's: mean ranks among these, and mean measures."""
    compared = with_peers(outcome, peers)
    rows = []
    for k in np.argsort(compared.rankings[MEASURES[0]].ranks, kind="stable"):
        cells = (
            f"{compared.rankings[name].ranks[k]:.1f} ({100 * compared.scores[k, :, m].mean():.1f})"
            for m, name in enumerate(MEASURES)
        )
        rows.append([compared.names[k], *cells])
    said = filled(
        "Peers have their own settings, nothing is chosen for them but SMOTE's neighbours where "
        "there are few. Mean ranks among these rows, and in brackets the mean in per cent."
    )
    return [said, tables.markdown(["method", *MEASURES], rows, lined_up=False), tested(compared)]


def time_of(outcome: Outcome) -> list[str]:
    """What the programs took, also those whose results were kept."""
    rows = []
    for name, (trainings, seconds) in outcome.spent.items():
        each = f"{trainings / seconds:.0f}"
        rows.append([name, str(trainings), f"{seconds / 60:.1f}", each])
    said = filled(
        f"{outcome.programs} compiled programs, one for each group of data sets, model and kind of "
        "epoch: all trainings over the same batches, or each over batches of its own. A method's "
        "numbers are all trained on both parts of every fold. Minutes without compilation:"
    )
    header = ["programs", "trainings", "minutes", "trainings a second"]
    return [said, tables.markdown(header, rows, lined_up=False)]


def raced(race: Race) -> str:
    """Trainings per second."""
    return filled(
        f"On {len(race.sets)} of the data sets, trainings of the MLP per second: "
        f"{race.together:.0f} in one program with all of cross-entropy's relatives, "
        f"{race.loop:.0f} in a loop of calls of one compiled training, {race.peer:.1f} by "
        "scikit-learn's `MLPClassifier` with as many units, rows a step and about as many steps. "
        f"So the program is {race.together / race.loop:.1f} times as fast as the loop, and "
        f"{race.together / race.peer:.0f} times as fast as scikit-learn."
    )


def put(path: Path, text: str) -> str:
    """The page: its text is between the markers of what is there, where there are such."""
    if path.is_file():
        before, begin, rest = path.read_text(encoding="utf-8").partition(BEGIN)
        _, end, after = rest.partition(END)
        if begin and end:
            return f"{before}{begin}\n{text}\n{end}{after}"
    return f"{TITLE}\n\n{BEGIN}\n{text}\n{END}\n"
