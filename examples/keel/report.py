"""The page: what was found, as Markdown. Cross-entropy, the first method, is the baseline."""

import os
from pathlib import Path

import numpy as np
from scipy import stats

from examples.keel.comparison import compare, imbalance, sizes, with_peers
from examples.keel.head import HEAD, TITLE
from examples.keel.jobs import FASTER
from examples.keel.measures import MEASURES
from examples.keel.outcome import ByMethod, Outcome
from examples.keel.peers import Peers
from examples.keel.race import Race
from examples.keel.section import FEWEST_SETS, section, tested
from examples.keel.settings import BEGIN, END, Settings
from examples.report import marked, tables
from examples.report.prose import Took, filled


def page(
    outcome: Outcome,
    settings: Settings,
    command: str,
    took: Took,
    peers: Peers | None = None,
    race: Race | None = None,
) -> str:
    """The whole page."""
    parts = [HEAD.format(command=command).rstrip(), about(outcome, settings)]
    for model in outcome.test:
        title = "Linear model" if model == "linear" else model
        figure = linked(settings, f"keel_{model.lower()}.png")
        parts += [f"## {title}", *section(outcome, model, figure)]
    parts += ["## By imbalance and size", *by_data(outcome, settings)]
    if peers is not None:
        parts += ["## Beside scikit-learn and imbalanced-learn", *beside(outcome, peers.test)]
    parts += ["## Time", *time_of(outcome, peers, took)]
    if race is not None:
        parts.append(raced(race))
    return "\n\n".join(parts)


def linked(settings: Settings, name: str) -> str:
    """A figure's place as seen from the page; nothing if there are none."""
    if not settings.figures:
        return ""
    start = Path(settings.page).parent if settings.page else Path()
    return Path(os.path.relpath(Path(settings.figures) / name, start)).as_posix()


def about(outcome: Outcome, settings: Settings) -> str:
    """What the tables are of."""
    ratio, rows = imbalance(outcome), sizes(outcome)
    first, last = settings.seed, settings.seed + settings.seeds - 1
    seeds = f"seeds {first} to {last}" if last > first else f"seed {first}"
    return filled(
        f"{len(rows)} data sets of {rows.min()} to {rows.max()} rows, with {ratio.min():.1f} to "
        f"{ratio.max():.0f} rows of the larger class for each of the smaller; {seeds}. The MLP has "
        f"{settings.hidden} "
        f"hidden units. {settings.steps} steps of {settings.batch_size} rows, AdamW with Optax's "
        f"weight decay from {settings.learning_rate:g} (the linear model: {FASTER['linear']:g} "
        "times that) to 0 along a cosine."
    )


def by_data(outcome: Outcome, settings: Settings) -> list[str]:
    """Whether effects go with imbalance or size."""
    compared, parts = compare(outcome.test["MLP"]), []
    if settings.figures:
        figure = linked(settings, "keel_effects.png")
        parts.append(f"![Effect by imbalance and by size]({figure})")
    said = "Spearman's correlation of the MLP's effect with the imbalance and the rows of a set:"
    if len(outcome.tables) < FEWEST_SETS:
        return [*parts, f"Correlations need {FEWEST_SETS} data sets."]
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
    return [*parts, said, tables.markdown(["method", *header], rows, lined_up=False)]


def beside(outcome: Outcome, peers: ByMethod) -> list[str]:
    """Peers and some of jimb's: mean ranks among these, and mean measures."""
    compared = with_peers(outcome, peers)
    rows = []
    for k in np.argsort(compared.rankings[MEASURES[0]].ranks, kind="stable"):
        name, cells = compared.names[k], []
        for m, (measure, ranking) in enumerate(compared.rankings.items()):
            mean = 100 * compared.scores[k, :, m].mean()
            cells.append(f"{ranking.ranks[k]:.1f} ({mean:.1f}){compared.star(name, measure)}")
        rows.append([name, *cells])
    said = filled(
        "Peers have the settings that they come with, but for 1000 iterations of logistic "
        "regression, fewer neighbours of SMOTE where there are few rows, and the forest's settings "
        "of its paper; the samplers come before logistic regression. Mean ranks among these rows, "
        "in brackets the mean in per cent; a star: Wilcoxon's test tells it from "
        f"{compared.names[0]}."
    )
    return [said, tables.markdown(["method", *MEASURES], rows, lined_up=False), tested(compared)]


def time_of(outcome: Outcome, peers: Peers | None, took: Took) -> list[str]:
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
    others = []
    if peers is not None:
        minutes = peers.seconds / 60
        others.append(f"The other libraries took {minutes:.1f} minutes, on one thread.")
    if outcome.compiled is None:
        others.append("An earlier run left results, and this one did not run them again.")
    else:
        others += [f"Compilation took {outcome.compiled:.0f} seconds.", took.sentence()]
    return [said, tables.markdown(header, rows, lined_up=False), filled(" ".join(others))]


def raced(race: Race) -> str:
    """Trainings per second."""
    return filled(
        f"On {len(race.sets)} of the data sets, trainings of the MLP per second: "
        f"{race.together:.0f} in one program of cross-entropy and its relatives on "
        f"{os.cpu_count()} cores, {race.loop:.0f} in a loop of calls of one compiled training, "
        f"{race.peer:.1f} by scikit-learn's `MLPClassifier` with as many units, rows a step and "
        f"about as many steps. So the program is {race.together / race.loop:.1f} times as fast as "
        f"the loop, and {race.together / race.peer:.0f} times as fast as scikit-learn. Most of "
        "that comes from sharing: relatives multiply the same batch by their weights. A program of "
        f"cross-entropy alone has {race.alone:.0f}, {race.alone / race.loop:.1f} times the loop's."
    )


def put(path: Path, text: str) -> str:
    """The page: its text goes between the markers of what is there, if anything is."""
    if path.is_file():
        return marked.put(path, text, BEGIN, END)
    return f"{TITLE}\n\n{BEGIN}\n{text}\n{END}\n"
