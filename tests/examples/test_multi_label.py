"""Several labels for a lemma: how they are read and split, its losses, and what its page says."""

import re
import sys
from functools import partial
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from sklearn import metrics

import jimb
from examples.data import sources, wordnet
from examples.multi_label import __main__ as multi_label
from examples.multi_label import epochs, methods, network, report, task, trials
from examples.multi_label.settings import Settings
from examples.training import Data

RNG = np.random.default_rng(0)
LABELS = RNG.random((40, 4)) < [0.6, 0.3, 0.2, 0.15]
LOGITS = RNG.normal(-1, 2, (40, 4)).astype(np.float32)
RECIPE = network.Recipe(50, 4, 6, 8, 4, 0.1)


@pytest.fixture(autouse=True)
def _promotion_as_users_have_it():
    """Optax and Flax promote dtypes and ranks; the library is tested strictly elsewhere."""
    with jax.numpy_dtype_promotion("standard"), jax.numpy_rank_promotion("allow"):
        yield


# --------------------------------------------------------------------------------------- lemmas


def line(file, names, gloss):
    """As in `data.noun`: each synonym with its number."""
    words = " ".join(f"{name} 0" for name in names)
    return f"00001740 {file:02} n {len(names):02x} {words} 000 | {gloss}  "


PARTS = {
    "noun": [line(20, ["oak", "Oak_tree"], 'a tree; "an old oak"'), line(27, ["oak"], "its wood")],
    "verb": [line(29, ["live"], "be alive"), line(42, ["be", "live"], "exist")],
    "adj": [line(0, ["live(p)"], "living"), line(0, ["green"], "like a leaf")],
    "adv": [line(2, ["live"], "not recorded"), line(2, ["well"], "in a good way")],
}


@pytest.fixture
def folder(tmp_path, monkeypatch):
    for part, lines in PARTS.items():
        (tmp_path / f"data.{part}").write_text("\n".join(["  1 This is the licence.", *lines]))
    monkeypatch.setattr(wordnet, "SIZES", dict.fromkeys(PARTS, 2))
    return tmp_path


def test_a_lemma_has_the_files_and_the_definitions_of_all_that_it_means(folder):
    words, labels = wordnet.read_lemmas(folder)
    found = [np.flatnonzero(row).tolist() for row in labels]
    # oak, oak_tree, live, be, green, well
    assert found == [[20, 27], [20], [0, 2, 29, 42], [42], [0], [2]]
    np.testing.assert_array_equal(words[0], wordnet.hashed("a tree its wood", 64))


def test_wordnet_has_the_lemmas_that_the_page_says():
    try:
        words, labels = task.read(None)
    except sources.MissingData as missing:
        pytest.skip(str(missing))
    assert words.shape == (147_306, 64)
    assert (labels.sum(1) > 1).sum() == 17_696
    assert (labels.sum(0).max(), labels.sum(0).min()) == (18_705, 76)


def test_a_split_divides_the_lemmas_and_the_seeds_divide_them_differently():
    words = np.arange(40)[:, None]
    one, other = (task.split(words, LABELS, seed) for seed in (0, 1))
    assert [len(part.labels) for part in one] == [24, 8, 8]
    parts = np.concatenate([np.asarray(part.inputs)[:, 0] for part in one])
    np.testing.assert_array_equal(np.sort(parts), np.arange(40))
    np.testing.assert_array_equal(one.test.labels, LABELS[np.asarray(one.test.inputs)[:, 0]])
    assert (np.asarray(one.test.inputs) != np.asarray(other.test.inputs)).any()


# --------------------------------------------------------------------------------------- methods


def expected(name):
    """In float64, from the formulas."""
    z, y = LOGITS.astype(np.float64), LABELS
    p, n, number = 1 / (1 + np.exp(-z)), LABELS.sum(0), len(LABELS)
    positive, negative = -np.log(p), -np.log1p(-p)
    if name == "focal (γ=2)":
        return np.where(y, (1 - p) ** 2 * positive, p**2 * negative)
    if name.startswith("asymmetric"):
        shifted = np.maximum(p - 0.05, 0)
        return np.where(y, (1 - p) * positive, shifted**4 * -np.log1p(-shifted))
    if name == "class-balanced":
        weights = (1 - 0.999) / (1 - 0.999**n)
        return np.where(y, positive, negative) * weights * n.sum() / (weights * n).sum()
    if name.endswith("pos_weight"):
        power = 0.5 if name.startswith("√") else 1
        return np.where(y, ((number - n) / n) ** power * positive, negative)
    return np.where(y, positive, negative)


@pytest.mark.parametrize("name", methods.METHODS)
def test_each_method_s_loss_is_its_formula(name):
    tables = methods.tables_of(jnp.asarray(LABELS))
    losses = methods.METHODS[name].loss(jnp.asarray(LOGITS), jnp.asarray(LABELS), tables)
    np.testing.assert_allclose(losses, expected(name), rtol=3e-6, atol=1e-12)


@pytest.mark.slow
def test_labels_start_at_one_in_k_at_their_frequency_or_at_a_half():
    tables = methods.tables_of(jnp.asarray(LABELS))
    starts = {
        "cross-entropy (CE)": 1 / 4,
        "CE (bias from frequencies)": LABELS.mean(0),
        "CE (bias 0)": 1 / 2,
    }
    for name, p in starts.items():
        state = epochs.start(jax.random.key(0), tables, method=methods.METHODS[name], recipe=RECIPE)
        bias = np.asarray(state.params["output"]["bias"][...])
        np.testing.assert_allclose(1 / (1 + np.exp(-bias)), p * np.ones(4), rtol=1e-6)


@pytest.mark.slow
def test_scores_are_scikit_learn_s_at_a_half_and_at_thresholds_of_the_validation_part(monkeypatch):
    monkeypatch.setattr(epochs, "logits_of", lambda params, words, recipe: words)
    known, test = (slice(0, 20), slice(20, 40))
    data = [Data(jnp.asarray(LOGITS[part]), jnp.asarray(LABELS[part])) for part in (known, test)]
    found = epochs.score(None, *data, recipe=RECIPE)
    p = 1 / (1 + np.exp(-LOGITS.astype(np.float64)))
    for k in range(4):
        y, z = LABELS[test, k], p[test, k]
        assert found.at_half[k] == pytest.approx(metrics.f1_score(y, z >= 0.5), rel=1e-6)
        ap = metrics.average_precision_score(y, z)
        assert found.average_precision[k] == pytest.approx(ap, rel=1e-6)
        tried = {t: metrics.f1_score(LABELS[known, k], p[known, k] >= t) for t in p[known, k]}
        best = min(t for t, score in tried.items() if score > max(tried.values()) - 1e-9)
        at_best = metrics.f1_score(y, z >= best - 1e-6)
        assert found.chosen[k] == pytest.approx(at_best, rel=1e-6)


# ---------------------------------------------------------------------------------------- report


@pytest.fixture
def outcome():
    """Two seeds and three labels; focal is 10 ± 1 points above CE in F1 at ½."""
    base = np.array([[0.3, 0.6, 0.9], [0.3, 0.6, 0.9]])
    scores = {name: epochs.Scores(base, base + 0.05, base) for name in methods.METHODS}
    better = base + np.array([[0.11], [0.09]])
    scores["focal (γ=2)"] = epochs.Scores(better, base + 0.05, base)
    counts = np.array([[2, 9, 5], [2, 11, 5]])
    return trials.Outcome(counts, (24, 8, 8), 1.25, 0.12, 4, RECIPE, scores)


def test_the_page_pairs_the_seeds_and_says_what_is_told_apart(outcome):
    measures = report.measures_of(outcome)
    np.testing.assert_allclose(measures["cross-entropy (CE)"][0], [0.6, 0.65, 0.6, 0.6, 0.9, 0.3])
    thresholds, half, *_, rare = report.findings(outcome)
    assert thresholds == "- Thresholds by label change the macro-F1 of CE by +5.0 ± 0.0 points."
    assert half.startswith("- Macro-F1 at ½: higher for focal (γ=2); not told apart for CE (bias")
    assert rare.startswith("- Mean AP, rare: not told apart for CE (bias")
    assert "10 training lemmas, the rarest of 2" in " ".join(report.sizes(outcome).split())


def test_the_page_in_docs_is_of_this_script():
    page = (Path(__file__).parents[2] / "docs" / "results" / "multi_label.md").read_text()
    command = "python -m examples.multi_label --report docs/results/multi_label.md"
    assert page.startswith(report.head(Settings(), command))
    names = re.findall(r"^\| ([^|]*[^| ]) +\| \d\d\.\d", page, re.MULTILINE)
    assert names == list(methods.METHODS)
    for name in re.findall(r"`((?:sampling\.|posthoc\.|metrics\.)?[a-z_]+)[`(]", report.HEAD):
        if name not in ("vmap", "focus_gradient"):
            owner = jimb
            for part in name.split("."):
                owner = getattr(owner, part)


# ------------------------------------------------------------------------------------ the command


@pytest.mark.slow
def test_the_example_prints_its_page(tmp_path, monkeypatch, capsys):
    words = RNG.integers(0, 50, (200, 5), np.int32)
    labels = RNG.random((200, 5)) < [0.5, 0.4, 0.3, 0.3, 0.2]
    monkeypatch.setattr(trials, "read", lambda data_dir: (words, labels))
    page = tmp_path / "page.md"
    options = "--seeds 2 --epochs 1 --hidden 4 --batch-size 16 --report"
    monkeypatch.setattr(sys, "argv", ["examples.multi_label", *options.split(), str(page)])
    some = {name: methods.METHODS[name] for name in ("cross-entropy (CE)", "repeat factors")}
    for module in (trials, report):
        monkeypatch.setattr(module, "METHODS", some)
    multi_label.main()
    printed = capsys.readouterr().out
    assert printed == page.read_text()
    rows = re.findall(r"^\| ([^|]*[^| ]) +\| \d+\.\d", printed, re.MULTILINE)
    assert rows == list(some)


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["--seeds", "1"], "--seeds must be at least 2"),
        (["--epochs", "0"], "--epochs must be at least 1"),
        (["--learning-rate", "nan"], "--learning-rate must be above 0"),
        (["--threshold", "2"], "--threshold must be between 0 and 1"),
        (["--data-dir", "nowhere"], "sh examples/data/get_data.sh wordnet-base"),
    ],
)
def test_a_bad_command_line_is_one_sentence_and_a_failure(monkeypatch, capsys, arguments, sentence):
    monkeypatch.setattr(sys, "argv", ["examples.multi_label", *arguments])
    with pytest.raises(SystemExit) as stopped:
        multi_label.main()
    said = "".join(capsys.readouterr()) + str(stopped.value)
    assert sentence in " ".join(said.replace("│", " ").split())
    assert stopped.value.code not in (0, None)


def test_a_loss_that_is_not_finite_stops_and_says_what_to_lower(monkeypatch):
    monkeypatch.setattr(trials, "start", lambda *args, **options: None)
    monkeypatch.setattr(
        trials, "run_epoch", lambda key, state, *args, **options: (state, np.array([np.inf]))
    )
    parts = task.split(np.arange(40)[:, None], LABELS, 0)
    training = partial(trials.train, methods.METHODS["cross-entropy (CE)"], 7, parts)
    with pytest.raises(FloatingPointError, match="epoch 0 of seed 7: lower --learning-rate"):
        training(methods.tables_of(parts.train.labels), RECIPE, Settings())
