"""How long others take for what jimb does: the table of why/performance.md as a figure."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from docs.figures.canvas import COLOURS, GREY, canvas

# Those of the table are left out that do less than jimb does, and are there as floors.
FLOORS = (
    *("copy", "elementwise pass", "bare pass", "jimb, plain"),
    *("log-softmax into the store", "on one device", "one matrix product"),
)
PEERS = {"Optax": (COLOURS[0], "o"), "PyTorch": (COLOURS[1], "s"), "NumPy, JAX": (COLOURS[2], "D")}


class Ratio(NamedTuple):
    """The other's time over jimb's: in a process as it comes, and with memory kept."""

    case: str
    against: str
    as_it_comes: float
    memory_kept: float

    @property
    def label(self) -> str:
        """`softmax[focal-(8192, 1000)]` as `softmax, focal (8192, 1000)`."""
        case = self.case.replace("_", " ").replace("-(", " (").replace("[", ", ").replace("]", "")
        return f"{case}: {self.against}"

    @property
    def peer(self) -> str:
        """Whose the other is."""
        if "torch" in self.against:
            return "PyTorch"
        return "Optax" if "Optax" in self.against else "NumPy, JAX"


def ratios(page: str) -> Iterator[Ratio]:
    """The rows of the table, without its floors."""
    case = ""
    for line in page.splitlines():
        cells = [cell.strip() for cell in line.strip("|").split("|")]
        found = re.fullmatch(r"([\d.]+) / ([\d.]+)", cells[4]) if len(cells) == 6 else None
        if found:
            case = cells[0] or case
            if cells[3] not in FLOORS:
                yield Ratio(case, cells[3], float(found[1]), float(found[2]))


def draw(page: str, path: Path) -> None:
    """A row for each comparison; to the right of 1 jimb is faster."""
    rows = list(ratios(page))
    with canvas(path, (7.2, 0.26 * len(rows) + 1.3)) as axes:
        for place, row in enumerate(rows):
            colour, marker = PEERS[row.peer]
            ends = row.as_it_comes, row.memory_kept
            axes.plot(ends, (place, place), color=colour, lw=1.5)
            axes.plot(row.as_it_comes, place, marker, color=colour, mfc="none", ms=6)
            axes.plot(row.memory_kept, place, marker, color=colour, ms=6)
        for peer, (colour, marker) in PEERS.items():
            axes.plot([], [], marker, color=colour, label=peer)
        axes.axvline(1, color=GREY, lw=1)
        axes.set_yticks(range(len(rows)), [row.label for row in rows], fontsize=10)
        axes.set(ylim=(len(rows) - 0.4, -0.6), xscale="log", xlim=(0.5, 30))
        ticks = (0.5, 1, 2, 5, 10, 20)
        axes.set_xticks(ticks, [f"{tick:g}" for tick in ticks])
        axes.minorticks_off()
        axes.grid(axis="x")
        label = "time over jimb's; open: as it comes, filled: memory kept"
        axes.figure.supxlabel(label, color=GREY, fontsize=10)
        axes.figure.legend(loc="outside upper right", ncols=3)
