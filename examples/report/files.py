"""Files that are written whole or not at all.

A file is written under another name and then renamed: a program that is killed, or a disk that is
full, leaves what was there before.
"""

from __future__ import annotations

import contextlib
import io
import os
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def write(path: Path, content: str | bytes) -> None:
    """Puts a file in the place of an earlier one, at once.

    Raises:
        OSError: it could not be written; the earlier one is as it was.
    """
    part = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        part.write_bytes(content.encode() if isinstance(content, str) else content)
        part.replace(path)
    except OSError as error:
        with contextlib.suppress(OSError):
            part.unlink()
        raise OSError(f"{path} could not be written: {error.strerror or error}.") from error


def write_figure(path: Path, figure: Figure) -> None:
    """Writes a PNG, as `write` does, and closes the figure."""
    import matplotlib.pyplot as plt

    png = io.BytesIO()
    figure.savefig(png, format="png", dpi=130)
    plt.close(figure)
    write(path, png.getvalue())
