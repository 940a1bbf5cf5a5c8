"""The head of many classes: its glosses, its splits, its steps, and what its page says."""

import dataclasses
import re
import sys
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jimb
from examples.data import sources, wordnet
from examples.large_head import __main__ as large_head
from examples.large_head import epochs, methods, network, report, task, timing, trials
from examples.training import Data

RECIPE = network.Recipe(
    vocabulary=50,
    classes=6,
    hidden=4,
    batch_size=8,
    steps=4,
    learning_rate=0.1,
    head="unstored",
    block_size=4,
)
RNG = np.random.default_rng(0)
WORDS = RNG.integers(0, 50, (20, 5), np.int32)
LABELS = RNG.integers(0, 6, 20, np.int32)


@pytest.fixture(autouse=True)
def _promotion_as_users_have_it():
    """Optax promotes dtypes and ranks; the library is tested strictly elsewhere."""
    with jax.numpy_dtype_promotion("standard"), jax.numpy_rank_promotion("allow"):
        yield


# -------------------------------------------------------------------------------------- glosses


def line(offset, synonyms, pointers, gloss):
    """As in `data.noun`: each synonym with its number, each pointer with where it leads."""
    names = " ".join(f"word{i} 0" for i in range(synonyms))
    leads = " ".join(f"{symbol} {to:08} n 0000" for symbol, to in pointers)
    fields = f"{offset:08} 03 n {synonyms:02x} {names} {len(pointers):03} {leads}"
    return f"{fields} | {gloss}  "


LINES = [
    "  1 This is the licence.",
    line(1740, 1, [("~", 1930)], "the root"),
    line(1930, 12, [("#p", 5), ("@", 1740), ("@", 9)], "of the root, by twelve names"),
    line(2137, 2, [("~", 7), ("@i", 1930)], "an instance"),
    line(4424, 1, [("@", 1740)], "of the root too"),
]


@pytest.fixture
def folder(tmp_path, monkeypatch):
    (tmp_path / "data.noun").write_text("\n".join(LINES) + "\n")
    monkeypatch.setattr(wordnet, "SIZES", {"noun": len(LINES) - 1})
    return tmp_path


def test_a_noun_s_class_is_its_first_hypernym_and_the_root_has_none(folder):
    words, classes = wordnet.read_hypernyms(folder)
    assert classes.tolist() == [0, 1, 0]
    np.testing.assert_array_equal(words[1], wordnet.hashed("an instance"))


@pytest.mark.parametrize("damage", ["cut", "pointers", "short"])
def test_a_damaged_file_of_nouns_is_refused(folder, damage):
    content = {
        "cut": "\n".join(LINES)[:-30],
        "pointers": "\n".join(LINES).replace(" 001 ~ 00001930 n 0000", " 002 ~ 00001930 n 0000"),
        "short": "\n".join(LINES[:-1]),
    }[damage]
    (folder / "data.noun").write_text(content)
    with pytest.raises(ValueError, match=r"data\.noun.*get it again"):
        wordnet.read_hypernyms(folder)


def noun_file():
    try:
        return sources.find_folder("wordnet", None, "data.noun")
    except sources.MissingData as missing:
        pytest.skip(str(missing))


def test_the_nouns_of_wordnet_have_the_classes_that_the_page_says():
    words, classes = wordnet.read_hypernyms(noun_file())
    sizes = np.bincount(classes)
    assert (len(classes), len(sizes), sizes.max(), np.median(sizes)) == (82_114, 16_897, 659, 2)
    assert 0.5 <= (sizes <= 2).mean() < 0.6
    assert (words[:, task.WORDS :] == 0).all(1).mean() >= 0.75


# ---------------------------------------------------------------------------------------- split


def test_a_class_of_one_is_not_tested_and_every_other_is_and_keeps_four_fifths():
    sizes = np.array([0, 1, 2, 3, 7, 8, 100])
    np.testing.assert_array_equal(task.test_sizes(sizes), [0, 0, 1, 1, 1, 2, 20])


def test_a_split_divides_every_class_and_the_seeds_divide_it_differently():
    classes = RNG.permutation(np.repeat(np.arange(4), [1, 2, 9, 30])).astype(np.int32)
    words = np.arange(len(classes))[:, None]
    tested = task.test_sizes(np.bincount(classes))
    one, other = (task.split(words, classes, tested, np.random.default_rng(s)) for s in (0, 1))
    np.testing.assert_array_equal(np.bincount(one.test.labels), tested)
    parts = np.concatenate([one.train.inputs, one.test.inputs])[:, 0]
    np.testing.assert_array_equal(np.sort(parts), words[:, 0])
    assert set(np.asarray(one.sample.inputs[:, 0])) <= set(np.asarray(one.train.inputs[:, 0]))
    assert (np.asarray(one.test.inputs) != np.asarray(other.test.inputs)).any()


# ------------------------------------------------------------------------------------- the model


def random_state(recipe):
    state = network.init_state(jax.random.key(0), recipe)
    params = state.params._replace(
        kernel=jax.random.normal(jax.random.key(1), state.params.kernel.shape),
        bias=jnp.arange(recipe.classes, dtype=jnp.float32),
    )
    return state._replace(params=params)


@pytest.mark.slow
def test_a_gloss_is_the_sum_of_its_words_over_the_root_of_their_number():
    recipe = dataclasses.replace(RECIPE, head="stored")
    vectors, kernel, bias = (np.asarray(x, np.float64) for x in random_state(recipe).params)
    words = np.array([[3, 0, 3, 7], [0, 0, 0, 0]])
    features = np.stack([(2 * vectors[3] + vectors[7]) / np.sqrt(3), np.zeros(4)])
    got = network.logits_of(random_state(recipe).params, words, recipe=recipe)
    np.testing.assert_allclose(got, features @ kernel + bias, rtol=1e-5, atol=1e-5)


@pytest.mark.slow
@pytest.mark.parametrize("name", methods.TRAININGS)
def test_both_heads_take_the_same_steps_and_predict_alike(name):
    training, ends = methods.TRAININGS[name], []
    counts = jnp.asarray(np.bincount(LABELS, minlength=6))
    for head in ("stored", "unstored"):
        recipe = dataclasses.replace(RECIPE, head=head)
        data, key = Data(jnp.asarray(WORDS), jnp.asarray(LABELS)), jax.random.key(2)
        state, losses = epochs.run_epoch(
            key,
            random_state(recipe),
            data,
            counts,
            jnp.float32(training.power),
            loss=training.loss,
            recipe=recipe,
        )
        predictions = epochs.predict(state.params, data.inputs, recipe=recipe)
        ends.append((state.params, losses, predictions))
    for stored, unstored in zip(*map(jax.tree.leaves, ends), strict=True):
        np.testing.assert_allclose(stored, unstored, rtol=1e-4, atol=1e-4)


@pytest.mark.slow
def test_groups_of_classes_are_by_their_training_examples():
    labels = jnp.array([0, 0, 1, 1, 2, 3])
    predictions = jnp.array([0, 1, 1, 1, 2, 0])
    scores = epochs.score(predictions, labels, jnp.array([21, 20, 5, 4]))
    np.testing.assert_allclose(scores, [4 / 6, 2.5 / 4, 0.5, 1.0, 0.0], rtol=1e-6)


def test_a_post_hoc_method_starts_from_cross_entropy_and_balanced_draws_need_none():
    for name, method in methods.METHODS.items():
        assert method.training in methods.TRAININGS
        assert (method.tau > 0) == name.startswith("post-hoc")
        assert method.tau == 0 or method.training == "CE"
    assert {m.training for m in methods.METHODS.values()} == set(methods.TRAININGS)


# ---------------------------------------------------------------------------------------- report


@pytest.fixture
def outcome():
    """Two seeds; one method is 10 ± 1 points above CE in accuracy and as good elsewhere."""
    baseline = np.array([[0.5, 0.4, 0.9, 0.3, 0.2, 1.0], [0.6, 0.4, 0.9, 0.2, 0.1, 1.0]])
    better = baseline + np.array([[0.11, 0, 0, 0, 0, 0], [0.09, 0, 0, 0, 0, 0]])
    measures = {"CE": baseline, "better": better}
    counts, tested = np.array([40, 8, 2, 1]), np.array([10, 2, 1, 0])
    return trials.Outcome(counts, tested, 3, RECIPE, measures)


def test_the_page_pairs_the_seeds_and_says_what_is_told_apart(outcome):
    row = report.table(outcome).splitlines()[-1]
    cells = [cell.strip() for cell in row.strip("|").split("|")]
    assert cells[:3] == ["better", "65.0 (+10.0 ± 1.0)", "40.0 (+0.0 ± 0.0)"]
    accuracy, balanced, *_ = report.findings(outcome)
    assert accuracy == "- Accuracy against CE: higher for better."
    assert balanced == "- Balanced accuracy against CE: not told apart for better."
    assert "51 training and 13 test glosses" in report.sizes(outcome)
    assert "1 many, 1 medium, 1 few" in report.sizes(outcome)


def test_the_costs_of_both_heads_stand_in_one_row():
    costs = [
        timing.Cost(1, 512, 16900, "stored", 0.05, 70_000_000),
        timing.Cost(1, 512, 16900, "unstored", 0.04, 20_000_000),
    ]
    row = report.cost_table(costs).splitlines()[-1]
    assert [c.strip() for c in row.strip("|").split("|")] == [
        *("1", "512", "35"),
        *("50", "40"),
        *("70", "20"),
    ]


def test_the_page_in_docs_is_of_this_script():
    page = (Path(__file__).parents[2] / "docs" / "results" / "large_head.md").read_text()
    command = "python -m examples.large_head --report docs/results/large_head.md"
    assert page.startswith(report.HEAD.format(command=command))
    names = re.findall(r"^\| ([^|]*[^| ]) +\| \d\d\.\d", page, re.MULTILINE)
    assert names == list(methods.METHODS)
    for name in re.findall(r"`((?:sampling\.|posthoc\.|jimb\.)?\w+)`", report.HEAD):
        owner = jimb.sampling if name == "epoch_plan" else jimb
        for part in name.removeprefix("jimb.").split("."):
            owner = getattr(owner, part)


# ------------------------------------------------------------------------------------ the command


@pytest.mark.slow
def test_the_example_prints_its_page(tmp_path, monkeypatch, capsys):
    rng = np.random.default_rng(0)
    parents = np.repeat(np.arange(1, 7), [40, 20, 8, 4, 2, 1])
    lines = [
        line(
            100 + i, 1, [("@", parent)], f"kind{parent} of {rng.integers(9)} and {rng.integers(9)}"
        )
        for i, parent in enumerate(parents)
    ]
    (tmp_path / "data.noun").write_text("\n".join(lines) + "\n")
    monkeypatch.setattr(wordnet, "SIZES", {"noun": len(lines)})
    page = tmp_path / "page.md"
    options = ["--seeds", "2", "--hidden", "8", "--batch-size", "8", "--timed-batches", "8"]
    options += [
        "--rounds",
        "1",
        "--block-size",
        "4",
        "--data-dir",
        str(tmp_path),
        "--report",
        str(page),
    ]
    monkeypatch.setattr(sys, "argv", ["examples.large_head", *options])
    large_head.main()
    printed = capsys.readouterr().out
    assert printed == page.read_text()
    assert "59 training and 16 test glosses" in printed
    rows = re.findall(r"^\| ([^|]*[^| ]) +\| \d+\.\d", printed, re.MULTILINE)
    assert rows == list(methods.METHODS)
    assert len(re.findall(r"^\| [18] ", printed, re.MULTILINE)) == 2


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["--seeds", "1"], "--seeds must be at least 2"),
        (["--epochs", "0"], "--epochs must be at least 1"),
        (["--learning-rate", "nan"], "--learning-rate must be above 0"),
        (["--timed-batches", "3"], "--timed-batches must be even"),
        (["--data-dir", "nowhere"], "sh examples/data/get_data.sh wordnet-base"),
    ],
)
def test_a_bad_command_line_is_one_sentence_and_a_failure(monkeypatch, capsys, arguments, sentence):
    monkeypatch.setattr(sys, "argv", ["examples.large_head", *arguments])
    with pytest.raises(SystemExit) as stopped:
        large_head.main()
    said = "".join(capsys.readouterr()) + str(stopped.value)
    assert sentence in " ".join(said.replace("│", " ").split())
    assert stopped.value.code not in (0, None)


def test_a_loss_that_is_not_finite_stops_and_says_what_to_lower(monkeypatch):
    def diverged(key, state, *args, **kwargs):
        return state, np.array([np.inf])

    monkeypatch.setattr(trials, "run_epoch", diverged)
    data = Data(jnp.asarray(WORDS), jnp.asarray(LABELS))
    alone = task.Split(data, data, data)
    one = task.Task([alone], np.bincount(LABELS, minlength=6), np.zeros(6, int))
    bar = trials.tqdm(disable=True)
    with pytest.raises(FloatingPointError, match="epoch 0 of seed 7: lower --learning-rate"):
        trials.train(methods.TRAININGS["CE"], 7, alone, one, RECIPE, 1, bar)
