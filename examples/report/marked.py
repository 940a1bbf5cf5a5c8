"""Pages that are written by hand around what a script writes between two markers."""

from pathlib import Path


def around(path: Path, begin: str, end: str) -> tuple[str, str]:
    """What stands before and after the first of these markers.

    Raises:
        ValueError: they are not there.
    """
    before, found, rest = path.read_text(encoding="utf-8").partition(begin)
    _, closed, after = rest.partition(end)
    if not found or not closed:
        raise ValueError(f"{path} has no lines {begin} and {end} for the results to go between.")
    return before, after


def put(path: Path, text: str, begin: str, end: str) -> str:
    """The page with the text between the markers, in place of what was there."""
    before, after = around(path, begin, end)
    return f"{before}{begin}\n{text}\n{end}{after}"
