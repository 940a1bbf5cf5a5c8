"""What the examples share for their reports: numbers over trials, tables in Markdown."""

import numpy as np
import pytest

from examples.report import paired, tables

# The differences are 10, 20 and 30 points: mean 20, deviation 10, error 10 / √3.
OURS, THEIRS = np.array([0.5, 0.8, 0.8]), np.array([0.4, 0.6, 0.5])


def test_a_cell_is_the_mean_and_the_paired_difference_with_its_standard_error():
    assert paired.cell(OURS, THEIRS) == "70.0 (+20.0 ± 5.8)"
    assert paired.cell(THEIRS) == "50.0"
    assert paired.cell(np.full(3, np.nan), THEIRS) == "–"


def test_a_trial_without_a_value_is_left_out_on_both_sides():
    ours = np.array([0.5, np.nan, 0.8, 0.8])
    theirs = np.array([0.4, 0.1, 0.6, 0.5])
    np.testing.assert_allclose(paired.difference(ours, theirs), [20, 10 / np.sqrt(3)])
    assert paired.cell(ours, theirs) == "70.0 (+20.0 ± 5.8)"
    only_one = np.array([0.5, np.nan, np.nan, np.nan])
    assert paired.cell(only_one, theirs) == "50.0"
    assert paired.signed(*paired.difference(only_one, theirs)) == "–"


@pytest.mark.parametrize(("mean", "told"), [(2.0, False), (2.1, True), (-2.0, False), (-2.1, True)])
def test_two_standard_errors_tell_apart(mean, told):
    assert paired.told_apart(mean, 1.0) == told


def test_nothing_is_told_apart_without_an_error():
    assert not paired.told_apart(5.0, np.nan)


def test_a_table_is_lined_up_for_the_terminal_or_narrow_for_a_page():
    header, rows = ["a", "long name"], [["wide cell", "1"], ["", "2"]]
    assert tables.markdown(header, rows).splitlines() == [
        "| a         | long name |",
        "|-----------|-----------|",
        "| wide cell | 1         |",
        "|           | 2         |",
    ]
    assert tables.markdown(header, rows, lined_up=False).splitlines() == [
        "| a | long name |",
        "|---|---|",
        "| wide cell | 1 |",
        "|  | 2 |",
    ]
