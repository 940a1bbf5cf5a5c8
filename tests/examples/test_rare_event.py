"""The tables with a rare event are read or refused, and their study says what its numbers say."""

import os
import re
import sys
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pandas as pd
import pytest
import rdata
import sklearn.datasets
from sklearn.metrics import f1_score, precision_score, recall_score
from sklearn.utils import Bunch

from examples import training
from examples.data import tabular
from examples.data.sources import MissingData
from examples.rare_event import __main__ as rare_event
from examples.rare_event import epochs as rare_event_epochs
from examples.rare_event import findings, judge, methods, trials
from examples.rare_event import report as rare_event_report
from examples.rare_event import settings as rare_event_settings
from examples.rare_event import task as rare_event_task


@pytest.fixture(autouse=True)
def _promotion_as_users_have_it():
    """Flax promotes dtypes and ranks; the library is tested strictly elsewhere."""
    with jax.numpy_dtype_promotion("standard"), jax.numpy_rank_promotion("allow"):
        yield


# -------------------------------------------------------------------------------------- tables

SHUTTLE_CLASSES = ["Rad.Flow", "Fpv.Close", "Fpv.Open", "High", "Bypass", "Bpv.Close", "Bpv.Open"]
BANDS = ["0%", "1 - 10%", "11 - 23%"]


def tiny_shuttle():
    """300 rows, 20 of them valve faults; the first column tells them apart, but not quite."""
    rng = np.random.default_rng(0)
    classes = rng.permutation([*["Rad.Flow"] * 270, "High", *["Bypass"] * 9, *["Fpv.Open"] * 17,
                               "Fpv.Close", "Bpv.Close", "Bpv.Open"])  # fmt: skip
    frame = pd.DataFrame({f"V{k}": rng.normal(0, 30, 300).round() for k in range(1, 10)})
    frame["V1"] += 60.0 * np.array(["pv" in name for name in classes])
    return frame.assign(Class=pd.Categorical(classes, SHUTTLE_CLASSES))


def tiny_caravan():
    """120 rows, 24 policies, 85 columns: 2 and 3 customer types, bands, and numbers."""
    rng = np.random.default_rng(1)
    columns = {"STYPE": pd.Categorical.from_codes(np.arange(120) % 2, ["Farmers", "Young"])}
    columns |= {f"N{k}": rng.integers(0, 9, 120).astype(float) for k in range(3)}
    columns["MOSHOOFD"] = pd.Categorical.from_codes(np.arange(120) % 3, ["A", "B", "C"])
    for k in range(80):
        codes = rng.integers(0, 3, 120)
        columns[f"B{k}"] = pd.Categorical.from_codes(codes, BANDS, ordered=True)
    policies = pd.Categorical.from_codes(np.repeat([0, 1], [96, 24]), ["noinsurance", "insurance"])
    return pd.DataFrame(columns | {"CARAVAN": policies})


TINY = {"shuttle": (tiny_shuttle, 300, 20), "caravan": (tiny_caravan, 120, 24)}


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """Both tables as `.rda` files, and loaders that expect their sizes."""
    for name, (make, rows, events) in TINY.items():
        frame = make()
        source = tabular.SOURCES[name]._replace(
            rows=rows, num_events=events, columns=tuple(frame.columns[:-1])
        )
        monkeypatch.setitem(tabular.SOURCES, name, source)
        rdata.write_rda(tmp_path / source.file, {source.frame: frame})
    return tmp_path


def test_the_events_of_shuttle_are_its_four_valve_faults(folder):
    table, frame = tabular.load("shuttle", "rda", str(folder)), tiny_shuttle()
    np.testing.assert_array_equal(table.features, frame.iloc[:, :9].to_numpy(np.float32))
    faults = [name[:3] in ("Fpv", "Bpv") for name in frame["Class"]]
    np.testing.assert_array_equal(table.labels, faults)
    assert (table.features.dtype, table.labels.dtype) == (np.float32, np.int32)


def test_caravan_has_a_column_for_each_type_and_numbers_for_bands(folder):
    table, frame = tabular.load("caravan", "rda", str(folder)), tiny_caravan()
    expected = np.concatenate(
        [
            np.stack([frame["STYPE"] == kind for kind in ("Farmers", "Young")], axis=1),
            frame[["N0", "N1", "N2"]].to_numpy(),
            np.stack([frame["MOSHOOFD"] == kind for kind in "ABC"], axis=1),
            np.stack([[BANDS.index(band) for band in frame[f"B{k}"]] for k in range(80)], axis=1),
        ],
        axis=1,
    )
    np.testing.assert_array_equal(table.features, expected)
    assert table.labels.sum() == 24


@pytest.mark.parametrize(
    ("damage", "sentence"),
    [
        (lambda frame: frame.iloc[:-1], r"has shape \(299, 9\), not \(300, 9\)"),
        (lambda frame: frame.rename(columns={"V3": "W3"}), "has the column W3, not V3"),
        (lambda frame: frame.drop(columns="Class"), "is damaged, get it again"),
        (
            lambda frame: frame.assign(Class=frame["Class"].cat.rename_categories({"High": "Low"})),
            "has the classes .*'Low'",
        ),
        (lambda frame: frame.assign(V2=np.where(frame["V2"] > 0, np.nan, 1.0)), "missing values"),
        (
            lambda frame: frame.assign(Class=frame["Class"].where(frame.index != 0, "Fpv.Open")),
            "has 21 events, not 20",
        ),
    ],
)
def test_a_table_of_another_form_is_refused(folder, damage, sentence):
    frame = damage(tiny_shuttle().sort_values("Class", ascending=True, ignore_index=True))
    rdata.write_rda(folder / "Shuttle.rda", {"Shuttle": frame})
    with pytest.raises(ValueError, match=sentence):
        tabular.load("shuttle", "rda", str(folder))


@pytest.mark.parametrize("keep", [0, 11, 1000, -20])
def test_a_damaged_file_is_refused_in_one_sentence(folder, keep):
    path = folder / "Shuttle.rda"
    path.write_bytes(path.read_bytes()[:keep])
    with pytest.raises(ValueError, match=r"^[^\n]*Shuttle.rda is not [^\n]*get it again[^\n]*$"):
        tabular.load("shuttle", "rda", str(folder))


def test_a_file_of_another_object_is_refused(folder):
    rdata.write_rda(folder / "ticdata.rda", {"Shuttle": tiny_shuttle()})
    with pytest.raises(ValueError, match="is not kernlab's file"):
        tabular.load("caravan", "rda", str(folder))


@pytest.mark.parametrize(("name", "package"), [("shuttle", "mlbench"), ("caravan", "kernlab")])
def test_a_missing_file_is_one_sentence_with_the_command(tmp_path, name, package):
    with pytest.raises(MissingData, match=f"`sh examples/data/get_data.sh r-cran-{package}`"):
        tabular.load(name, "rda", str(tmp_path))


def test_the_unpacked_package_is_found_in_the_folder_and_under_data(folder, monkeypatch):
    for root in ("elsewhere", "data"):
        package = folder / root / "usr/lib/R/site-library/mlbench/data"
        package.mkdir(parents=True)
        (package / "Shuttle.rda").write_bytes((folder / "Shuttle.rda").read_bytes())
    assert len(tabular.load("shuttle", "rda", str(folder / "elsewhere")).labels) == 300
    monkeypatch.chdir(folder)
    monkeypatch.setattr(tabular, "ROOT", folder / "nowhere")
    assert len(tabular.load("shuttle", "rda", None).labels) == 300


def as_openml(frame, target, classes):
    """All in numbers, some of them as text, as OpenML has them."""
    features = frame.drop(columns=target)
    coded = {
        name: (column.cat.codes + 1).astype(str) if hasattr(column, "cat") else column
        for name, column in features.items()
    }
    data = pd.DataFrame(coded).astype(dict.fromkeys(features.select_dtypes("category"), "category"))
    return Bunch(data=data, target=pd.Categorical(frame[target].map(classes)))


@pytest.mark.parametrize("name", ["shuttle", "caravan"])
def test_openml_gives_the_same_table(folder, monkeypatch, name):
    source, asked = tabular.SOURCES[name], []
    classes = dict(zip(source.classes, source.openml_classes, strict=True))
    bunch = as_openml(TINY[name][0](), source.target, classes)

    def fetch_openml(**arguments):
        asked.append(arguments)
        return bunch

    monkeypatch.setattr(sklearn.datasets, "fetch_openml", fetch_openml)
    downloaded, read = (tabular.load(name, route, str(folder)) for route in ("openml", "rda"))
    assert asked[0]["data_id"] == {"shuttle": 40685, "caravan": 298}[name]
    np.testing.assert_array_equal(downloaded.labels, read.labels)
    bands = 80 if name == "caravan" else 0  # of which OpenML numbers the first 1 here
    offset = np.repeat([0, 1], [read.features.shape[1] - bands, bands])
    np.testing.assert_array_equal(downloaded.features - offset, read.features)


def test_openml_out_of_reach_is_one_sentence(folder, monkeypatch):
    def fetch_openml(**arguments):
        raise OSError("no route to host")

    monkeypatch.setattr(sklearn.datasets, "fetch_openml", fetch_openml)
    with pytest.raises(MissingData, match=r"data set 298 \(no route to host\).*--source rda"):
        tabular.load("caravan", "openml", None)


# ------------------------------------------------------------------------------- task and training


def task_of(folder, **options):
    settings = rare_event_settings.Settings(seeds=2, **options)
    return rare_event_task.make_task(tabular.load("shuttle", "rda", str(folder)), settings)


def test_features_are_standardised_by_the_training_part(folder):
    task = task_of(folder)
    np.testing.assert_allclose(task.train.features.mean(1), 0, atol=1e-5)
    np.testing.assert_allclose(task.train.features.std(1), 1, rtol=1e-4)
    assert np.abs(task.test.features.mean(1)).max() > 1e-2
    assert not np.array_equal(task.train.features[0], task.train.features[1])


def test_mining_trains_on_the_hardest_quarter_of_the_negatives_and_all_positives(folder):
    task = task_of(folder)
    recipe = rare_event_epochs.Recipe(9, 2, "ce", batch_size=180, steps=1, mining=True)
    data = training.Data(task.train.features[0], jnp.asarray(task.train.labels[0]))
    state = training.init_state(jax.random.key(0), recipe, 180)
    hyper = training.hyper_of(np.ones(2))
    logits = np.asarray(training.predict(state, data.inputs, recipe=recipe), np.float64)
    odds = (logits[:, 1] - logits[:, 0]) * np.where(data.labels == 1, 1, -1)
    losses = np.log1p(np.exp(-odds))
    positive = np.asarray(data.labels) == 1
    hardest = np.sort(losses[~positive])[-42:]  # of 168
    expected = np.concatenate([losses[positive], hardest]).mean()
    _, (loss,) = training.run_epoch(state, data, jnp.arange(180), hyper, recipe=recipe)
    np.testing.assert_allclose(loss, expected, rtol=1e-5)


@pytest.mark.parametrize("method", methods.METHODS, ids=lambda method: method.name)
def test_an_epoch_of_every_method_keeps_the_form_of_its_state(method):
    recipe = rare_event_epochs.Recipe(
        9, 2, method.loss, batch_size=256, sampler=method.sampler, mining=method.mined
    )
    init_keys, keys = training.keys_of(jnp.arange(2))
    start = jax.eval_shape(lambda: training.init_trials(init_keys, recipe, 300))
    rows = jnp.ones((2, 300))
    data = training.Data(jnp.ones((2, 300, 9)), jnp.zeros((2, 300), jnp.int32))
    hyper = training.hyper_of(np.ones(2))

    def epoch(states, keys, last):
        return rare_event_epochs.epoch_of_trials(keys, 0, states, last, data, hyper, recipe=recipe)

    state, _, losses = jax.eval_shape(epoch, start, keys, training.Pass(rows, rows))
    assert jax.tree.map(jnp.shape, state) == jax.tree.map(jnp.shape, start)
    assert losses.shape == (2,)


# -------------------------------------------------------------------------------------- judging


def test_thresholds_recalls_and_precisions_are_those_of_scikit_learn():
    rng = np.random.default_rng(0)
    labels = np.stack([rng.permutation(np.repeat([0, 1], [80, 12])) for _ in range(4)])
    margins = (rng.normal(size=(4, 92)) + 1.5 * labels - 1).astype(np.float32)
    parts = [rare_event_task.Part(None, pair) for pair in np.split(labels, 2)]
    task = rare_event_task.Task(None, *parts, None)
    validation, test = np.split(margins, 2)
    result = judge.judge(task, jnp.array([80, 12]), jnp.asarray(validation), jnp.asarray(test))
    for s in range(2):
        every = [f1_score(labels[s], validation[s] >= m, zero_division=0) for m in validation[s]]
        best = np.max(every)
        chosen = np.log(result.threshold[s] / (1 - result.threshold[s])) - 1e-5
        assert f1_score(labels[s], validation[s] >= chosen) == pytest.approx(best, abs=1e-12)
        for point, margin in enumerate((0.0, np.log(12 / 80), chosen)):
            alarms, truth = test[s] >= margin, labels[2 + s]
            assert result.recall[s, point] == pytest.approx(recall_score(truth, alarms))
            assert result.precision[s, point] == pytest.approx(precision_score(truth, alarms))


def test_without_an_alarm_there_is_no_precision():
    labels = np.array([[0, 0, 1], [0, 0, 1]])
    part = rare_event_task.Part(None, labels)
    margins = jnp.array([[-9.0, -8.0, -7.0], [-9.0, -8.0, 1.0]])
    result = judge.judge(rare_event_task.Task(None, part, part, None), jnp.array([2, 1]), margins,
                              margins)  # fmt: skip
    np.testing.assert_array_equal(result.precision[:, 0], [np.nan, 1])
    np.testing.assert_array_equal(result.recall, [[0, 0, 1], [1, 1, 1]])


# --------------------------------------------------------------------------------------- report


def outcome_of(**pr_aucs):
    """Methods with these PR-AUCs; at 0.5 the first seed calls nothing an event."""
    recall = np.array([[0.0, 0.8, 0.5], [0.4, 1.0, 0.5], [0.2, 0.9, 0.5]])
    precision = np.array([[np.nan, 0.3, 0.6], [0.9, 0.3, 0.7], [0.7, 0.3, 0.5]])
    results = {
        name.replace("_", " "): judge.Result(
            np.array(values), np.array(values), recall, precision, np.array([0.1, 0.2, 0.3])
        )
        for name, values in pr_aucs.items()
    }
    return trials.Outcome("shuttle", np.array([990, 10]), 7, results)


def test_a_method_is_called_better_or_worse_only_beyond_two_standard_errors():
    outcome = outcome_of(
        CE=[0.50, 0.60, 0.70],
        better=[0.54, 0.65, 0.76],  # +5 ± 0.6
        worse=[0.46, 0.55, 0.64],
        noisy=[0.60, 0.70, 0.66],  # +5.3 ± 4.7, a larger mean
        equal=[0.50, 0.60, 0.70],
    )
    above, below, neither, chance = findings.ranking_sentences(outcome)
    assert above == "PR-AUC more than two standard errors above that of CE: better (+5.0 ± 0.6)."
    assert below == "PR-AUC more than two standard errors below that of CE: worse (-5.0 ± 0.6)."
    assert neither == "Not told apart from CE in PR-AUC: noisy, equal."
    assert "18% of comparisons, and there are 4 here" in chance  # Student's t, 2 degrees


def test_where_no_method_is_better_the_page_says_none():
    said = rare_event_report.page([outcome_of(CE=[0.5, 0.6, 0.7], weights=[0.4, 0.6, 0.8])])
    assert "above that of CE: none." in said
    assert "below that of CE: none." in said


def test_the_cost_of_the_threshold_is_over_the_seeds_that_have_a_precision():
    prior, chosen = findings.threshold_sentences(outcome_of(CE=[0.5, 0.6, 0.7]))
    assert prior == (
        "CE, threshold moved from 0.5 to the prior, 0.0100: 70.0 ± 5.8 points of recall gained, "
        "50.0 ± 10.0 points of precision lost (in the 2 of 3 seeds that have any at both). "
        "Precision is then 30.0 ± 0.0 %."
    )
    assert "chosen on validation, 0.200 on average: 30.0 ± 11.5 points of recall gained" in chosen


def test_a_method_without_any_alarm_has_a_dash_and_its_cost_is_not_made_up():
    outcome = outcome_of(CE=[0.5, 0.6, 0.7])
    outcome.results["CE"].precision[:, 0] = np.nan
    assert "| – " in rare_event_report.table(outcome)
    prior, _ = findings.threshold_sentences(outcome)
    assert "precision cannot be compared, because at 0.5 no seed calls anything an event" in prior
    assert "nan" not in rare_event_report.page([outcome])


def test_the_page_in_docs_is_what_the_example_prints_today():
    page = (Path(__file__).parents[2] / "docs" / "results" / "rare_event.md").read_text()
    assert page.startswith(rare_event_report.INTRODUCTION)
    names = re.findall(r"^\| ([^|]*[^| ]) +\| \d", page, re.MULTILINE)
    assert names == 3 * [method.name for method in methods.METHODS]
    epochs = [int(number) for number in re.findall(r"^## .*: (\d+) epochs$", page, re.MULTILINE)]
    assert epochs == [*methods.EPOCHS.values(), methods.LONG]


# --------------------------------------------------------------------------------- the command line


@pytest.mark.slow
def test_the_example_prints_its_tables_and_writes_its_page(folder, monkeypatch, capsys):
    monkeypatch.setattr(trials, "METHODS", methods.METHODS[:2])  # which compile once
    monkeypatch.setattr(trials, "LONG", 2)
    report = folder / "out" / "page.md"
    options = ["--long", "--epochs", "1", "--seeds", "2", "--data-dir", str(folder)]
    monkeypatch.setattr(sys, "argv", ["examples.rare_event", *options, "--report", str(report)])
    rare_event.main()
    said = capsys.readouterr().out
    assert said == report.read_text()
    assert "12 events in 180 training rows, 6.67%; 2 seeds." in said
    assert "14 events in 72 training rows, 19.44%" in said
    assert len(re.findall(r"^\| ", said, re.MULTILINE)) == 3 * (1 + 2)
    assert re.findall(r"^## .*: (\d+) epochs$", said, re.MULTILINE) == ["1", "1", "2"]


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["--seeds", "1"], "--seeds must be at least 2"),
        (["--seed", "-1"], "--seed must not be negative"),
        (["--epochs", "0"], "--epochs must be at least 1"),
        (["--data-dir", "nowhere"], "sh examples/data/get_data.sh r-cran-mlbench"),
        (
            ["--dataset", "caravan", "--data-dir", "nowhere"],
            "sh examples/data/get_data.sh r-cran-kernlab",
        ),
    ],
)
def test_a_bad_command_line_is_one_sentence_and_a_failure(monkeypatch, capsys, arguments, sentence):
    monkeypatch.setattr(sys, "argv", ["examples.rare_event", *arguments])
    with pytest.raises(SystemExit) as stopped:
        rare_event.main()
    said = "".join(capsys.readouterr()) + str(stopped.value)
    assert sentence in " ".join(said.replace("│", " ").split())
    assert stopped.value.code not in (0, None)


# ------------------------------------------------------------------------------------ the real data


def real(name):
    """The real table from $JIMB_DATA_DIR or the usual places."""
    try:
        return tabular.load(name, "rda", os.environ.get("JIMB_DATA_DIR"))
    except MissingData as missing:
        pytest.skip(str(missing))


def test_the_real_tables_have_their_sizes():
    shuttle, caravan = real("shuttle"), real("caravan")
    assert (shuttle.features.shape, caravan.features.shape) == ((58000, 9), (9822, 132))
    assert (shuttle.labels.sum(), caravan.labels.sum()) == (244, 586)
    assert np.isfinite(shuttle.features).all()
    assert np.isfinite(caravan.features).all()


def test_on_the_real_shuttle_the_prior_threshold_buys_recall_with_precision():
    settings = rare_event_settings.Settings(seeds=2)
    task = rare_event_task.make_task(real("shuttle"), settings)
    bar = trials.tqdm(disable=True)
    result = trials.run_method(methods.METHODS[0], "shuttle", task, 8, bar)
    assert (result.pr_auc > 0.8).all()
    assert (result.recall[:, 1] >= result.recall[:, 0]).all()
    assert (result.precision[:, 1] < result.precision[:, 0]).all()
