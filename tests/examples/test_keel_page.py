"""A hundred data sets: how methods are compared, results kept, and the page and figures made."""

import re
import sys

import jax
import numpy as np
import pytest
from scipy import stats

from examples.data import keel as data
from examples.keel import __main__ as keel
from examples.keel import (
    choice,
    comparison,
    diagram,
    folds,
    groups,
    head,
    jobs,
    measures,
    methods,
    outcome,
    peers,
    programs,
    report,
    results,
    run,
    section,
    settings,
    statistics,
)
from examples.keel.folds import OUTER
from examples.keel.methods import METHODS
from examples.keel.settings import Settings
from examples.report import style
from examples.report.prose import Took
from tests.helpers import pages
from tests.helpers.keel import table


@pytest.fixture(autouse=True)
def _promotion_as_users_have_it():
    """Optax promotes, in the threads that compile, too."""
    pages.begin({})
    yield
    pages.end({})


# ------------------------------------------------------------------------------------- statistics


def test_the_critical_difference_is_that_of_the_example_of_demsar():
    assert round(statistics.critical_difference(4, 14), 2) == 1.25


def test_ranks_and_tests_against_the_first():
    rng = np.random.default_rng(1)
    scores = rng.random((4, 30)) + np.array([0, 0.5, 0, -0.2])[:, None]
    found = statistics.rank(scores)
    assert found.ranks.argmin() == 1
    np.testing.assert_allclose(found.ranks.sum(), 10)
    assert found.friedman == stats.friedmanchisquare(*scores).pvalue
    raw = np.array([stats.wilcoxon(each, scores[0]).pvalue for each in scores[1:]])
    smallest = raw.argmin()
    np.testing.assert_allclose(found.p[1:][smallest], 3 * raw[smallest])
    assert (found.p[1:] >= raw).all()
    assert statistics.wilcoxon(scores[0], scores[0]) == 1


def test_holm_multiplies_the_smallest_by_all_and_never_falls():
    np.testing.assert_allclose(statistics.holm(np.array([0.04, 0.01, 0.03])), [0.06, 0.03, 0.06])


def test_cliques_are_the_largest_runs_within_the_difference():
    ranks = np.array([1.0, 1.5, 2.2, 5.0, 5.1, 9.0])
    assert statistics.cliques(ranks, 1.0) == [(0, 1), (1, 2), (3, 4)]


# ---------------------------------------------------------------------------------------- results


KEY = {"name": "mlp-shared-2-sets", "seed": 3, "methods": [["focal", [1.0, 2.0]]]}


def test_a_result_is_kept_by_its_settings(tmp_path):
    kept = results.Result(np.float32([[0.5, 0.25]]), 12.5)
    results.write(tmp_path, KEY, kept)
    found = results.read(tmp_path, KEY, (1, 2))
    np.testing.assert_array_equal(found.measures, kept.measures)
    assert found.seconds == 12.5
    assert results.read(tmp_path, KEY | {"seed": 4}, (1, 2)) is None


@pytest.mark.parametrize("damage", ["cut", "flipped", "shape", "nan", "other settings"])
def test_a_kept_result_that_is_not_whole_is_refused(tmp_path, damage):
    """A file of zeros, which are compressed, has its numbers in a few bytes."""
    measures = np.zeros((40, 50), np.float32)
    measures[0] = np.random.default_rng(0).random(50)
    if damage == "nan":
        measures[3] = np.nan
    results.write(tmp_path, KEY, results.Result(measures, 1.0))
    path = results.path_of(tmp_path, KEY)
    content = bytearray(path.read_bytes())
    if damage == "cut":
        path.write_bytes(content[: len(content) // 2])
    elif damage == "flipped":
        place = content.index(b"measures.npy") + 30
        content[place : place + 40] = bytes(255 - each for each in content[place : place + 40])
        path.write_bytes(content)
    elif damage == "other settings":
        path.rename(results.path_of(tmp_path, KEY | {"seed": 4}))
    key = KEY | {"seed": 4} if damage == "other settings" else KEY
    shape = (50, 40) if damage == "shape" else (40, 50)
    why = damage if damage == "other settings" else "damaged"
    with pytest.raises(ValueError, match=f"{why}; remove it"):
        results.read(tmp_path, key, shape)


def jobs_of(monkeypatch, folder, **options):
    """Of two groups, with results that say which data set, seed and number they are of."""
    tables = {"small": table(20, 5), "wide": table(20, 6, features=22), "third": table(30, 5)}
    own = Settings(results=str(folder), only="focal", **options)
    monkeypatch.setattr(jobs, "load", lambda _: tables)
    tables = {name: each for group in groups.grouped(tables) for name, each in group.items()}
    return own, tables, list(jobs.jobs_of(own, tables, jobs.methods_of(own)))


def made_up_run(compiled, group, seed, recipe):
    """Every measure is the rows of the data set, and a hundredth of the seed."""
    number = sum(len(method.grid) for method in jobs.trained_by(recipe))
    rows = group.judged[:, :, OUTER].sum((1, 2))
    value = (rows + seed / 100).astype(np.float32)[:, None, None, None, None]
    width = len(measures.MEASURES + measures.RATES)
    return np.broadcast_to(value, (len(rows), folds.FOLDS, 2, number, width))


def test_data_sets_seeds_and_measures_stay_together(tmp_path, monkeypatch):
    monkeypatch.setattr(programs, "build", lambda group, recipe: None)
    monkeypatch.setattr(programs, "run", made_up_run)
    own, tables, _ = jobs_of(monkeypatch, tmp_path, seeds=2, seed=3)
    monkeypatch.setattr(run, "load", lambda _: tables)
    found = run.run(own)
    assert list(found.tables) == ["small", "third", "wide"]
    rows = np.array([20, 30, 20])
    for model in jobs.MODELS:
        test = found.test[model]["focal"]
        expected = np.broadcast_to([rows + 0.03, rows + 0.04], (6, 5, 2, 3)).T
        np.testing.assert_allclose(test.transpose(1, 0, 2, 3)[..., :6], expected, rtol=1e-6)
    np.testing.assert_array_equal(comparison.sizes(found), rows)
    np.testing.assert_allclose(comparison.imbalance(found), [3, 5, 14 / 6])
    grid = sum(
        len(m.grid) for family in ("softmax", "one-vs-all") for m in methods.of_family(family)
    )
    assert found.spent["MLP, shared batches"].trainings == 2 * 3 * folds.FOLDS * 2 * grid
    assert found.compiled is not None
    again = run.run(own)
    assert again.compiled is None


def test_a_seed_is_kept_whatever_the_first_one_was(tmp_path, monkeypatch):
    _, _, both = jobs_of(monkeypatch, tmp_path, seeds=2)
    _, _, second = jobs_of(monkeypatch, tmp_path, seed=1)
    assert [job.trials[1].key for job in both] == [job.trials[0].key for job in second]


@pytest.mark.parametrize(
    "option", [{"steps": 200}, {"learning_rate": 0.1}, {"hidden": 8}, {"batch_size": 32}]
)
def test_other_settings_are_other_results(tmp_path, monkeypatch, option):
    _, _, ours = jobs_of(monkeypatch, tmp_path)
    _, _, other = jobs_of(monkeypatch, tmp_path, **option)
    paths = [
        {results.path_of(tmp_path, job.trials[0].key) for job in each} for each in (ours, other)
    ]
    assert len(paths[0]) == len(paths[1]) == 4
    assert not paths[0] & paths[1]


class Recorder:
    """A classifier that remembers its rows."""

    def fit(self, inputs, labels):
        self.fitted = inputs, labels
        return self

    def predict(self, inputs):
        self.judged = inputs
        return np.arange(len(inputs)) % 2

    def predict_proba(self, inputs):
        return np.linspace(0, 1, 2 * len(inputs)).reshape(-1, 2)


def test_peers_are_fitted_on_the_training_rows_and_judged_on_the_others(monkeypatch):
    recorder, own = Recorder(), table(40, 8)
    monkeypatch.setattr(peers, "PEERS", {"recorder": lambda seed, rare: recorder})
    group = groups.pad({"one": own}, 0)
    found = peers.of_fold(group, 2, 0)
    mean, scale = group.mean[0, 2, OUTER], group.scale[0, 2, OUTER]
    trained, judged = group.trained[0, 2, OUTER], group.judged[0, 2, OUTER]
    np.testing.assert_array_equal(recorder.fitted[0], (own.features[trained] - mean) * scale)
    np.testing.assert_array_equal(recorder.fitted[1], own.labels[trained])
    np.testing.assert_array_equal(recorder.judged, (own.features[judged] - mean) * scale)
    assert found.shape == (1, len(measures.MEASURES + measures.RATES))


@pytest.mark.parametrize(
    ("option", "sentence"),
    [
        ({"seeds": 0}, "--seeds must be at least 1"),
        ({"steps": 25}, "--steps must be a multiple of 10"),
        ({"learning_rate": float("nan")}, "--learning-rate must be above 0"),
        ({"page": "none/page.md"}, "is in no folder"),
        ({"figures": "none"}, "is no folder"),
        ({"page": "docs"}, "is a folder; add the name"),
        ({"page": "README.md"}, "README.md has no lines .* for the results to go between"),
        ({"effects": "none.md"}, "none.md is not there"),
        ({"results": "README.md"}, "is a file; name a folder"),
    ],
)
def test_an_option_that_cannot_be_is_refused(option, sentence, monkeypatch):
    monkeypatch.chdir(pages.ROOT)
    with pytest.raises(ValueError, match=sentence):
        Settings(**option)


# --------------------------------------------------------------------------------------- the page


SETS = 16  # of fewer SciPy enumerates all signs


@pytest.fixture(scope="module")
def made_up():
    """Of all methods only inverse frequency is better on all data sets, and OHEM worse."""
    rng = np.random.default_rng(2)
    tables = {f"set {k}": table(40 + 10 * k, 8, seed=k) for k in range(SETS)}
    shape = 2, len(tables), folds.FOLDS, len(measures.MEASURES + measures.RATES)
    base = rng.uniform(0.4, 0.6, shape)
    shift = {"inverse frequency": 0.2, "OHEM": -0.2}
    chosen = {
        m.name: choice.Chosen(
            rng.integers(len(m.grid), size=shape[:3]),
            np.ones(shape[:3], bool),
            base + shift.get(m.name, 0),
        )
        for m in METHODS
    }
    spent = {"MLP, shared batches": outcome.Spent(1000, 60.0)}
    return outcome.Outcome(tables, dict.fromkeys(jobs.MODELS, chosen), spent, 12, 10.0)


def rows_of(text):
    """The cells of a table's rows."""
    return [line.strip("| ").split(" | ") for line in text.splitlines()[2:]]


def test_the_page_says_what_is_told_apart(made_up):
    compared = comparison.compare(made_up.test["MLP"])
    both = made_up.test["MLP"]["OHEM"].astype(np.float64)
    np.testing.assert_allclose(
        compared.scores[compared.names.index("OHEM")], (both[0] + both[1]).mean(1) / 2, atol=1e-6
    )
    lines = section.findings(compared)
    assert len(lines) == len(measures.MEASURES)
    for line in lines:
        rest = len(METHODS) - 3
        assert line.endswith(f": 1 higher, 1 lower (OHEM), {rest} neither.")
    for name, *cells in rows_of(section.effects(compared))[1:]:
        changed = {"inverse frequency": "+20.0 ± 0.0*", "OHEM": "-20.0 ± 0.0*"}
        assert cells == [changed.get(name, "+0.0 ± 0.0")] * len(measures.MEASURES)


def test_rows_found_and_false_alarms_are_counts(made_up):
    compared = comparison.compare(made_up.test["MLP"])
    rows = {name: cells for name, *cells in rows_of(section.calls(compared, made_up))}
    recall, specificity = made_up.test["MLP"][methods.CE].mean((0, 2))[:, -2:].T
    others = np.array([32 + 10 * k for k in range(SETS)])
    alarms = ((1 - specificity) * others).sum()
    assert rows[methods.CE] == [
        f"{8 * recall.sum():.0f} of {8 * SETS}",
        f"{alarms:.0f} of {others.sum()}",
    ]
    assert rows["inverse frequency"] == [f"{0.2 * 8 * SETS:+.0f}", f"{-0.2 * others.sum():+.0f}"]


def test_each_name_in_the_diagram_has_its_rank(made_up):
    compared = comparison.compare(made_up.test["MLP"])
    figure, axes = style.pyplot().subplots()
    diagram.draw_diagram(axes, compared.names, compared.rankings["F1"])
    texts = [text.get_text().strip() for text in axes.texts]
    assert "inverse frequency  1.0" in texts
    assert f"{len(METHODS)}.0  OHEM" in texts
    style.pyplot().close(figure)


def test_two_data_sets_are_too_few_for_tests(made_up):
    few = made_up._replace(
        tables=dict(list(made_up.tables.items())[:2]),
        chosen={
            model: {
                name: choice.Chosen(*(part[:, :2] for part in each)) for name, each in own.items()
            }
            for model, own in made_up.chosen.items()
        },
    )
    own = Settings(seeds=2, only="")
    text = report.page(few, own, "command", Took(1.0, 1.0, 1.0))
    assert "Correlations need 5 data sets." in text
    assert "nan" not in text


def test_figures_are_linked_from_where_the_page_is(tmp_path):
    (tmp_path / "figures").mkdir()
    own = Settings(page=f"{tmp_path}/page.md", figures=f"{tmp_path}/figures")
    assert report.linked(own, "keel_mlp.png") == "figures/keel_mlp.png"
    assert not report.linked(Settings(), "keel_mlp.png")


def test_what_stands_around_the_markers_stays(tmp_path):
    path = tmp_path / "page.md"
    begin, end = settings.BEGIN, settings.END
    assert report.put(path, "text").endswith(f"\n\n{begin}\ntext\n{end}\n")
    path.write_text(f"before\n{begin}\nold\n{end}\nafter\n")
    assert report.put(path, "new") == f"before\n{begin}\nnew\n{end}\nafter\n"
    path.write_text("notes")
    with pytest.raises(ValueError, match=r"page\.md has no lines"):
        report.put(path, "new")


def test_the_page_in_docs_is_of_this_script():
    reading, _, found = (pages.ROOT / "docs/results/keel.md").read_text().partition(settings.BEGIN)
    for part in head.HEAD.split("{command}"):
        assert part.strip() in found
    for method in METHODS:
        assert f"\n| {method.name} | " in found
    said = re.findall(r"\d+\.\d ± \d\.\d|\d{3,4}\b", " ".join(reading.split()))
    assert len(said) >= 10
    for figure in said:
        assert figure in found


# ------------------------------------------------------------------------------------ the command


def as_file(path, own):
    lines = [
        ",".join([*map(str, x), "positive" if y else "negative"])
        for x, y in zip(own.features, own.labels, strict=True)
    ]
    path.write_text("\n".join(lines))


@pytest.mark.slow
def test_the_command_writes_page_and_figures_and_goes_on_where_it_was(tmp_path, monkeypatch):
    for k, name in enumerate([data.ANY, "b", "c"]):
        as_file(tmp_path / f"{name}.dat", table(40, 8, seed=k))
    options = f"--data-dir {tmp_path} --results {tmp_path}/out --steps 10 --batch-size 8 --seeds 2"
    outputs = f"--peers --race --page {tmp_path}/page.md --figures {tmp_path} --only focal"
    monkeypatch.setattr(sys, "argv", ["keel", *options.split(), *outputs.split()])
    monkeypatch.setattr(jax.config, "update", lambda *_: None)  # the devices are there
    keel.main()
    page = (tmp_path / "page.md").read_text()
    for part in ("\n| focal | ", "BalancedRandomForest", "as fast as scikit-learn", "3 data sets"):
        assert part in page
    for name in ("keel_mlp.png", "keel_linear.png", "keel_effects.png"):
        assert (tmp_path / name).read_bytes().startswith(b"\x89PNG")

    def not_again(*_):
        raise AssertionError("compiled or ran again")

    monkeypatch.setattr(programs, "build", not_again)
    monkeypatch.setattr(peers, "of_fold", not_again)
    again = ["keel", *options.split(), "--peers", "--only", "focal"]
    monkeypatch.setattr(sys, "argv", again)
    keel.main()


def test_ctrl_c_is_one_sentence(monkeypatch):
    def interrupted(_):
        raise KeyboardInterrupt

    monkeypatch.setattr(jax.config, "update", lambda *_: None)
    monkeypatch.setattr(run, "run", interrupted)
    monkeypatch.setattr(sys, "argv", ["keel"])
    with pytest.raises(SystemExit, match="interrupted; the same command goes on"):
        keel.main()


def test_other_libraries_that_are_missing_are_said_before_anything_is_trained(monkeypatch):
    monkeypatch.setitem(sys.modules, "imblearn", None)
    monkeypatch.setattr(run, "run", None)
    monkeypatch.setattr(sys, "argv", ["keel", "--peers"])
    with pytest.raises(SystemExit, match="--peers needs more packages: pip install"):
        keel.main()


def test_a_name_that_is_not_there_is_one_sentence(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(jax.config, "update", lambda *_: None)
    as_file(tmp_path / f"{data.ANY}.dat", table(20, 5))
    monkeypatch.setattr(sys, "argv", ["keel", "--sets", "nothing", "--data-dir", str(tmp_path)])
    with pytest.raises(SystemExit, match=r"nothing\.dat is not there"):
        keel.main()
    monkeypatch.setattr(sys, "argv", ["keel", "--only", "nothing", "--data-dir", str(tmp_path)])
    with pytest.raises(SystemExit, match="--only nothing is in no method's name; there are: label"):
        keel.main()
