"""Prices with a long tail: how they are read and split, their weights, and what the page says."""

import csv
import re
import sys
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jimb
from examples.data import diamonds, sources
from examples.regression import __main__ as regression
from examples.regression import epochs, figure, methods, network, report, task, trials
from examples.regression.settings import Settings

RNG = np.random.default_rng(0)
RECIPE = network.Recipe(5, 4, 8, 3, 2, 0.01)


@pytest.fixture(autouse=True)
def _promotion_as_users_have_it():
    """Optax and Flax promote dtypes and ranks; the library is tested strictly elsewhere."""
    with jax.numpy_dtype_promotion("standard"), jax.numpy_rank_promotion("allow"):
        yield


# ---------------------------------------------------------------------------------------- prices

HEADER = ["carat", "cut", "color", "clarity", "depth", "table", "price", "x", "y", "z"]
ROWS = [
    [0.23, "Ideal", "E", "SI2", 61.5, 55, 326, 3.95, 3.98, 2.43],
    [0.9, "Fair", "J", "IF", 64.1, 58, 18823, 6.0, 6.1, 3.9],
    [0.23, "Ideal", "E", "SI2", 61.5, 55, 326, 3.95, 3.98, 2.43],  # again
    [0.5, "Good", "D", "I1", 60.0, 57, 900, 5.0, 5.0, 0.0],  # no height
    [0.5, "Good", "D", "I1", 60.0, 57, 901, 5.0, 58.9, 3.0],  # a side of 6 cm
]


def write(folder, header=HEADER, rows=ROWS):
    with (folder / diamonds.FILE).open("w", newline="") as file:
        csv.writer(file).writerows([header, *rows])


def test_rows_that_repeat_and_impossible_lengths_are_left_out(tmp_path, monkeypatch):
    monkeypatch.setattr(diamonds, "ROWS", len(ROWS))
    write(tmp_path)
    table = diamonds.read(tmp_path)
    np.testing.assert_array_equal(table.prices, [326, 18823])
    numbers = [[0.23, 61.5, 55, 3.95, 3.98, 2.43], [0.9, 64.1, 58, 6.0, 6.1, 3.9]]
    np.testing.assert_array_equal(table.numbers, np.array(numbers, np.float32))
    found = [np.flatnonzero(row).tolist() for row in table.grades]
    assert found == [[4, 5 + 1, 12 + 1], [0, 5 + 6, 12 + 7]]


@pytest.mark.parametrize(
    ("header", "rows", "sentence"),
    [
        (HEADER, ROWS[:-1], "has 4 rows, not 5: get it again"),
        (["weight", *HEADER[1:]], ROWS, "is not the table of diamonds .*'carat'.*get it again"),
        (HEADER, [*ROWS[:-1], [0.5, "Best", *ROWS[0][2:]]], "is not the table of diamonds"),
        (HEADER, [*ROWS[:-1], ["nan", *ROWS[0][1:]]], "values that are no numbers"),
        (HEADER, [*ROWS[:-1], ROWS[0][:4]], "is not the table of diamonds"),
    ],
)
def test_a_table_of_another_form_is_refused(tmp_path, monkeypatch, header, rows, sentence):
    monkeypatch.setattr(diamonds, "ROWS", len(ROWS))
    write(tmp_path, header, rows)
    with pytest.raises(ValueError, match=sentence):
        diamonds.read(tmp_path)


@pytest.mark.slow
def test_the_table_has_the_rows_that_the_page_says():
    try:
        table = task.read(None)
    except sources.MissingData as missing:
        pytest.skip(str(missing))
    assert len(table.prices) == 53_772
    assert (table.prices.min(), table.prices.max()) == (326, 18_823)
    assert (table.grades.sum(1) == 3).all()


def tiny(rows):
    """Prices up to 3000 that depend on the first number."""
    numbers = RNG.exponential(1, (rows, 3)).astype(np.float32)
    prices = np.clip(300 + 600 * numbers[:, 0], 0, 2999).round()
    return diamonds.Table(numbers, np.eye(2, dtype=np.float32)[np.arange(rows) % 2], prices)


def test_a_split_divides_the_rows_and_standardises_by_the_training_part():
    table = tiny(50)
    made = task.make_task(table, range(2))
    both = np.concatenate([made.train.prices, made.test.prices], axis=1)
    assert made.test.prices.shape == (2, 10)
    np.testing.assert_array_equal(np.sort(both), np.sort([table.prices] * 2))
    assert (both[0] != both[1]).any()
    numbers = np.asarray(made.train.inputs)[..., :3]
    np.testing.assert_allclose(numbers.mean(1), 0, atol=1e-6)
    np.testing.assert_allclose(numbers.std(1), 1, rtol=1e-5)
    # Inputs and price are of the same row.
    raw = (made.test.prices[0] - 300) / 600
    inside = (raw < 4.4) & (raw > 0)
    slope = np.polyfit(np.asarray(made.test.inputs)[0, inside, 0], raw[inside], 1)
    fitted = np.polyval(slope, np.asarray(made.test.inputs)[0, inside, 0])
    np.testing.assert_allclose(fitted, raw[inside], atol=2e-3)


# --------------------------------------------------------------------------------------- methods


@pytest.mark.slow
@pytest.mark.parametrize("name", methods.METHODS)
def test_each_method_s_weights_are_a_power_of_the_density(name):
    method, prices, bins = methods.METHODS[name], tiny(60).prices, 40
    width = (prices.max() - prices.min()) / (bins // method.wider)
    place = np.minimum((prices - prices.min()) // width, bins // method.wider - 1).astype(int)
    counts = np.bincount(place, minlength=bins // method.wider)
    reach = 2 if "smoothed" in name else 0
    kernel = np.exp(-(np.arange(-reach, reach + 1) ** 2) / 8)
    power = {"plain": 0, "logarithm of the price": 0, "smoothed root (LDS)": 0.5}.get(name, 1)
    expected = np.convolve(counts, kernel, "same")[place] ** -float(power)
    got = method.weights(jnp.asarray(prices), bins)
    np.testing.assert_allclose(got, expected / expected.mean(), rtol=1e-5)
    np.testing.assert_allclose(method.prices(np.asarray(method.targets(prices))), prices, rtol=1e-5)


@pytest.mark.slow
def test_one_program_trains_each_seed_and_method_as_if_alone():
    made = task.make_task(tiny(40), range(2))
    keys = trials.keys_of(made.trials)
    standard = (made.train.prices - 900) / 500
    targets = np.stack([standard, standard], 1)
    weights = np.stack([np.ones_like(standard), RNG.exponential(1, standard.shape)], 1)
    rows = network.Rows(made.train.inputs, jnp.asarray(targets), jnp.asarray(weights, jnp.float32))
    found = epochs.train_all(keys, rows, made.test.inputs, recipe=RECIPE)
    assert found.shape == (2, 2, 8)
    assert (found[:, 0] != found[:, 1]).any()
    alone = network.Rows(rows.inputs[1], rows.targets[1, 1], rows.weights[1, 1])
    params = epochs.train(keys[0][1], keys[1][1], alone, RECIPE)
    expected = network.predict(params, made.test.inputs[1], RECIPE)
    np.testing.assert_allclose(found[1, 1], expected, rtol=1e-4, atol=1e-5)


# ---------------------------------------------------------------------------------------- report


@pytest.fixture
def outcome():
    """Two seeds; three bins of three, two and one training rows; two methods differ from plain."""
    train = np.array([[100.0, 200, 300, 600, 700, 1200]] * 2)
    test = np.array([[100.0, 300, 600, 1200]] * 2)
    plain = np.array([[10.0, -20, 30, -300], [10, -20, 30, -300]])
    errors = dict.fromkeys(methods.METHODS, plain)
    errors["smoothed root (LDS)"] = plain + np.array([[3.0, -3, 3, 29], [3, -3, 3, 31]])
    weights = dict.fromkeys(methods.METHODS, np.array([[0.0, 0, 0, 2, 2, 2]] * 2))
    return trials.Outcome(train, test, weights, errors, RECIPE)


def test_errors_are_over_rows_over_bins_and_by_how_rare_prices_are(outcome):
    errors = report.errors_of(outcome)
    np.testing.assert_allclose(100 * errors["plain"][0], [90, 115, 15, 30, 300, -70])
    geometric = report.geometric_of(outcome)["plain"][0]
    in_order = [1.8e6**0.25, (200**0.5 * 30 * 300) ** (1 / 3), 200**0.5, 30, 300]
    np.testing.assert_allclose(100 * geometric, in_order, rtol=1e-6)


def test_the_page_pairs_the_seeds_and_says_what_is_gained_and_what_it_costs(outcome):
    smoothed, root = (" ".join(line.split()) for line in report.gains(outcome))
    assert smoothed.endswith("the few moves by +0.0 %, that over all rows by +0.0 %.")
    assert root.startswith(
        "- After 2 epochs, smoothed root (LDS): the error of the few moves by -10"
    )
    everywhere, even, many, _, few, sign = report.findings(report.errors_of(outcome))
    assert everywhere.startswith(
        "- All rows: lower for smoothed root (LDS); not told apart for inv"
    )
    assert even.startswith("- Even over prices: lower for smoothed root")
    assert many.startswith("- Many: higher for smoothed root")
    assert few.startswith("- Few: lower for smoothed root")
    assert sign.startswith("- Mean error: higher for smoothed root")
    said = " ".join(report.sizes(outcome).split())
    assert "Of 3 bins the fullest has 3 training rows, the emptiest 1." in said
    assert "50 % (smoothed root (LDS))" in said
    assert "(plain)" not in said


def test_the_page_in_docs_is_of_this_script():
    docs = Path(__file__).parents[2] / "docs" / "results"
    page = (docs / "regression.md").read_text()
    command = "python -m examples.regression --report docs/results/regression.md"
    assert page.startswith(report.head(Settings(), command))
    names = re.findall(r"^\| ([^|]*[^| ]) +\| \d+\.\d", page, re.MULTILINE)
    assert names == [*methods.METHODS] * 2
    assert "(regression.png)" in page
    assert (docs / "regression.png").is_file()
    for name in ("weighted_mean", "label_density_weights"):
        assert f"`{name}(" in report.HEAD
        assert hasattr(jimb, name)


def test_the_figure_shows_methods_that_there_are():
    assert set(figure.SHOWN) <= set(methods.METHODS)
    assert figure.middles(3).tolist() == [0.25, 0.75, 1.25]


# ------------------------------------------------------------------------------------ the command


@pytest.mark.slow
def test_the_example_prints_its_page_and_draws(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(trials, "read", lambda data_dir: tiny(200))
    page = tmp_path / "page.md"
    options = "--seeds 2 --epochs 1 --hidden 4 --batch-size 16 --bins 40 --report"
    monkeypatch.setattr(sys, "argv", ["examples.regression", *options.split(), str(page)])
    regression.main()
    printed = capsys.readouterr().out
    assert printed == page.read_text()
    rows = re.findall(r"^\| ([^|]*[^| ]) +\| \d+\.\d", printed, re.MULTILINE)
    assert rows == [*methods.METHODS] * 2
    assert page.with_suffix(".png").read_bytes().startswith(b"\x89PNG")


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["--seeds", "1"], "--seeds must be at least 2"),
        (["--epochs", "0"], "--epochs must be at least 1"),
        (["--bins", "9"], "--bins must be at least 10"),
        (["--learning-rate", "nan"], "--learning-rate must be above 0"),
        (["--data-dir", "nowhere"], "sh examples/data/get_wheel.sh plotnine"),
    ],
)
def test_a_bad_command_line_is_one_sentence_and_a_failure(monkeypatch, capsys, arguments, sentence):
    monkeypatch.setattr(sys, "argv", ["examples.regression", *arguments])
    with pytest.raises(SystemExit) as stopped:
        regression.main()
    said = "".join(capsys.readouterr()) + str(stopped.value)
    assert sentence in " ".join(said.replace("│", " ").split())
    assert stopped.value.code not in (0, None)


def test_a_batch_larger_than_the_training_set_is_refused(monkeypatch):
    monkeypatch.setattr(trials, "read", lambda data_dir: tiny(50))
    with pytest.raises(ValueError, match="--batch-size must be at most 40"):
        trials.run(Settings(bins=40))


@pytest.mark.slow
def test_a_price_that_is_not_finite_stops_and_says_what_to_lower(monkeypatch):
    monkeypatch.setattr(trials, "read", lambda data_dir: tiny(50))
    nothing = jnp.full((5, len(methods.METHODS), 10), jnp.nan)
    monkeypatch.setattr(trials, "train_all", lambda *args, **options: nothing)
    with pytest.raises(FloatingPointError, match="plain predicts no finite price: lower --learn"):
        trials.run(Settings(bins=40, batch_size=8))
