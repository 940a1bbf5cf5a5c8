"""Draws the figures of the guides anew: `python -m docs.figures`."""

from pathlib import Path

from docs.figures import curves, method_map, speed

FOLDER = Path(__file__).parent
ROOT = FOLDER.parent

curves.focal(ROOT / "guides" / "focal.svg")
curves.effective_number(ROOT / "guides" / "effective_number.svg")
(ROOT / "which_method.svg").write_text(method_map.draw())
speed.draw((ROOT / "why" / "performance.md").read_text(), ROOT / "why" / "speed.svg")
