"""Tables in Markdown."""

from collections.abc import Iterable, Sequence


def markdown(header: Sequence[str], rows: Iterable[Sequence[str]], *, lined_up: bool = True) -> str:
    """A table; its columns are padded for the terminal, or as narrow as can be for a page."""
    lines = [list(header), *(list(row) for row in rows)]
    columns = zip(*lines, strict=True)
    widths = [max(map(len, column)) if lined_up else 0 for column in columns]
    texts = [
        "| " + " | ".join(f"{c:<{w}}" for c, w in zip(line, widths, strict=True)) + " |"
        for line in lines
    ]
    rule = "|" + "|".join("-" * max(width + 2, 3) for width in widths) + "|"
    return "\n".join([texts[0], rule, *texts[1:]])
