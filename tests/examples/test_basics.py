"""Each of the five files stands alone, fits on a page, and prints the effect that it is about."""

import ast
import re
import runpy
from pathlib import Path

import jax
import pytest

FILES = sorted((Path(__file__).parents[2] / "examples" / "basics").glob("*.py"))
NETWORKS = {"equinox", "flax"}
COMMON = {"jax", "jimb", "numpy", "optax", "sklearn", "typing"}


@pytest.fixture(autouse=True)
def _promotion_as_users_have_it():
    """The networks promote dtypes and ranks; the library is tested strictly elsewhere."""
    with jax.numpy_dtype_promotion("standard"), jax.numpy_rank_promotion("allow"):
        yield


def numbers(name, capsys):
    """Of each printed line, those with a decimal point."""
    (file,) = (file for file in FILES if name in file.stem)
    runpy.run_path(str(file), run_name="__main__")
    lines = capsys.readouterr().out.splitlines()
    return [[float(number) for number in re.findall(r"\d+\.\d+", line)] for line in lines]


def imported(file):
    """The names of the packages that it imports."""
    for node in ast.walk(ast.parse(file.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name.split(".")[0] for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield "." if node.level else node.module.split(".")[0]


def test_there_are_five_of_which_each_network_has_one():
    assert [file.name[:3] for file in FILES] == ["01_", "02_", "03_", "04_", "05_"]
    text = [file.read_text() for file in FILES]
    for network in ("from flax import linen", "from flax import nnx", "import equinox"):
        assert sum(network in page for page in text) == 1


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_a_page_without_command_line(file):
    assert len(file.read_text().splitlines()) <= 80
    packages = set(imported(file))
    assert packages <= COMMON | NETWORKS
    assert len(packages & NETWORKS) <= 1
    assert "argv" not in file.read_text()


def test_class_weights(capsys):
    (eights, others, balanced), (weighted_eights, weighted_others, weighted) = numbers("01", capsys)
    assert weighted_eights - eights > 0.15  # measured 0.25
    assert 0.02 < others - weighted_others < 0.12  # its price, 0.07
    assert weighted - balanced > 0.05  # 0.09


@pytest.mark.slow
def test_focal_sweep(capsys):
    _, *rows, (cross_entropy, _, chosen) = numbers("02", capsys)
    assert len(rows) == 4
    assert chosen - cross_entropy > 0.05  # measured 0.073
    gammas = [scores for _, *scores in rows]
    assert all(max(scores) - min(scores) < 0.015 for scores in gammas)  # 0.007
    assert gammas[3][0] - gammas[0][0] > 0.05  # 0.072


@pytest.mark.slow
def test_sampling_plan(capsys):
    pytest.importorskip("equinox")
    (rare, mean), *between, (rare_alike, mean_alike) = numbers("03", capsys)
    assert mean_alike - mean > 0.01  # measured 0.022
    assert rare_alike - rare > 0.04  # 0.09
    assert all(mean < ten for _, ten in between)


@pytest.mark.slow
def test_difficulty(capsys):
    _, alike, default, (_, *sharp) = numbers("04", capsys)
    assert alike[0] == 1 > default[0] > 0.75 > sharp[0] > 0.4  # measured 0.88 and 0.56
    assert default[1] - alike[1] > 0.015  # 0.033
    assert abs(default[2] - alike[2]) < 0.02  # 0.004: all have learnt by then


@pytest.mark.slow
def test_after_training(capsys):
    (half, half_cost), (chosen, chosen_cost), (adjusted, adjusted_cost) = numbers("05", capsys)
    assert adjusted - half > 0.07  # measured 0.11
    assert adjusted > chosen > half
    assert chosen_cost < 0.85 * half_cost  # 0.73
    assert chosen_cost < adjusted_cost
