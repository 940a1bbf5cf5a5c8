"""Prices of diamonds: 53 940 rows of ggplot2's table, a number to predict with a long tail.

Six columns are numbers (carat, depth and table in per cent, three lengths in mm), three are grades
(cut, colour, clarity), which become a column for each grade. The price is in US dollars, from 326
to 18 823. Rows that repeat another are left out, and so are those whose lengths no diamond of
this table can have: 0, or above 3 cm.
"""

import csv
from pathlib import Path
from typing import NamedTuple

import numpy as np

FILE = "diamonds.csv"
ROWS = 53_940
NUMBERS = ("carat", "depth", "table", "x", "y", "z")
LENGTHS = slice(3, 6)
GRADES = {
    "cut": ("Fair", "Good", "Very Good", "Premium", "Ideal"),
    "color": ("D", "E", "F", "G", "H", "I", "J"),
    "clarity": ("I1", "SI2", "SI1", "VS2", "VS1", "VVS2", "VVS1", "IF"),
}


class Table(NamedTuple):
    """float32 each."""

    numbers: np.ndarray  # [N, 6]
    grades: np.ndarray  # [N, 20], 1 in the columns of the row's three grades, else 0
    prices: np.ndarray  # [N]


def read(folder: Path) -> Table:
    """The rows that count.

    Raises:
      OSError: the file is not there.
      ValueError: it is not the table that it should be.
    """
    path = folder / FILE
    try:
        with path.open(newline="", encoding="utf-8") as file:
            rows = list(csv.DictReader(file))
        numbers = column_block(rows, NUMBERS)
        prices = column_block(rows, ("price",))[:, 0]
        grades = np.concatenate([one_hot(rows, name) for name in GRADES], axis=1)
    except (KeyError, TypeError, ValueError, csv.Error) as error:
        raise ValueError(f"{path} is not the table of diamonds ({error}): get it again.") from error
    if len(rows) != ROWS:
        raise ValueError(f"{path} has {len(rows)} rows, not {ROWS}: get it again.")
    whole = np.column_stack([numbers, grades, prices])
    if not np.isfinite(whole).all():
        raise ValueError(f"{path} has values that are no numbers: get it again.")
    _, first = np.unique(whole, axis=0, return_index=True)
    kept = np.sort(first)
    lengths = numbers[kept, LENGTHS]
    kept = kept[((lengths > 0) & (lengths <= 30)).all(axis=1)]
    return Table(numbers[kept], grades[kept], prices[kept])


def column_block(rows: list[dict[str, str]], names: tuple[str, ...]) -> np.ndarray:
    """`[N, names]`, float32."""
    return np.array([[float(row[name]) for name in names] for row in rows], np.float32)


def one_hot(rows: list[dict[str, str]], name: str) -> np.ndarray:
    """`[N, grades]`, float32."""
    grades = GRADES[name]
    return np.eye(len(grades), dtype=np.float32)[[grades.index(row[name]) for row in rows]]
