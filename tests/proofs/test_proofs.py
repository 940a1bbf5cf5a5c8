"""The proofs run, and docs/why/proofs.md holds tables of the form that they print."""

import re
import sys
from pathlib import Path

import jax
import pytest

from proofs import along, memory, plans, stores

PAGE = (Path(__file__).parents[2] / "docs" / "why" / "proofs.md").read_text()


@pytest.fixture(autouse=True)
def _promotion_as_users_have_it():
    """Flax promotes dtypes and ranks; the library is tested strictly elsewhere."""
    with jax.numpy_dtype_promotion("standard"), jax.numpy_rank_promotion("allow"):
        yield


def printed(module, arguments, monkeypatch, capsys):
    """The tables that a script prints, each as rows of cells."""
    monkeypatch.setattr(sys, "argv", [f"{module.__name__}.py", *arguments])
    module.main()
    return tables_of(capsys.readouterr().out)


def tables_of(text):
    blocks = re.findall(r"(?:^\|.*\|\n?)+", text, re.MULTILINE)
    return [
        [[cell.strip() for cell in line.strip("|").split(" | ")] for line in block.splitlines()]
        for block in blocks
    ]


def assert_on_the_page(tables):
    headers = [table[0] for table in tables_of(PAGE)]
    for table in tables:
        assert table[0] in headers


@pytest.mark.slow
def test_plans(monkeypatch, capsys):
    arguments = ["--sizes", "2000", "--draws", "4000", "--rounds", "1"]
    tables = printed(plans, arguments, monkeypatch, capsys)
    assert_on_the_page(tables)
    means, drawn, times = (table[2:] for table in tables)
    assert len(means) == len(drawn) == 9
    assert len(times) == 3
    by_case = {(kind, sampler): cells for _, kind, sampler, *cells in means}
    in_per_cent = [float(by_case["six decades", s][1].split()[0]) for s in plans.SAMPLERS]
    assert in_per_cent[0] < 1e-2 < 1 < in_per_cent[1]  # measured 2.4e-4 and 203
    assert by_case["six decades", "epoch_plan"][-1] == "0 %"


@pytest.mark.slow
def test_stores(monkeypatch, capsys):
    arguments = ["--seeds", "2", "--epochs", "1", "3", "--learning-rates", "0.003"]
    tables = printed(stores, arguments, monkeypatch, capsys)
    assert_on_the_page(tables)
    distances = {(rate, store): cells for rate, store, *cells in tables[0][2:]}
    assert len(distances) == len(along.STORES)
    largest = {"float32": 1e-6, "snapshot": 1e-6, "float16": 1e-3}
    for (_, store), cells in distances.items():
        assert all(0 < float(cell) < largest.get(store, 1) for cell in cells)
    assert all(float(row[-1]) > 1e-3 for row in tables[-1][2:])  # online is another method


@pytest.mark.slow
@pytest.mark.skipif(not memory.STATUS.exists(), reason="reads Linux's /proc")
def test_memory(monkeypatch, capsys):
    # Hands back all that is freed; by default glibc keeps some, and how much is chance.
    monkeypatch.setenv("MALLOC_MMAP_THRESHOLD_", "131072")
    arguments = ["--examples", "40000", "--chunks", "200", "--snapshot-examples", "10000"]
    (table,) = tables = printed(memory, arguments, monkeypatch, capsys)
    assert_on_the_page(tables)
    rows = [dict(zip(table[0], cells, strict=True)) for cells in table[2:]]
    assert [row["donated"] for row in rows] == ["yes", "no", "yes", "yes"]
    assert [row["state"] for row in rows] == ["0.080", "0.080", "0.000", "0.001"]
    in_place, copied = (float(row["peak / state"]) for row in rows[:2])
    assert in_place < 1.5 < 2 <= copied  # measured 1.15 and 2.1


@pytest.mark.parametrize(
    ("settings", "sentence"),
    [
        (lambda: plans.Settings(draws=10_000), "two plans"),
        (lambda: plans.Settings(sizes=(5,)), "at least 10"),
        (lambda: memory.Settings(sweeps=0), "at least 1"),
        (lambda: memory.Settings(chunks=()), "one or more"),
        (lambda: stores.Settings(seeds=1), "at least 2"),
        (lambda: stores.Settings(epochs=(5, 1)), "increasing"),
        (lambda: stores.Settings(learning_rates=()), "above 0"),
    ],
)
def test_settings_that_measure_nothing_are_refused(settings, sentence):
    with pytest.raises(ValueError, match=sentence):
        settings()
