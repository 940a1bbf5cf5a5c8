"""IDX files, the format of MNIST and Fashion-MNIST, read with every byte accounted for."""

import gzip
import math
import zlib
from pathlib import Path

import numpy as np


def read(folder: Path, name: str, rank: int) -> np.ndarray:
    """An array of unsigned bytes of this rank, from a file that may be gzipped.

    Raises:
      FileNotFoundError: there is no such file.
      ValueError: it is damaged.
    """
    path = find(folder, name)
    if path is None:
        raise FileNotFoundError(
            f"{name} is missing in {folder}; the other files of the set are there."
        )
    try:
        content = gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes()
    except (OSError, EOFError, zlib.error) as error:
        raise ValueError(f"{path} cannot be read ({error}); get it again.") from None
    start = 4 + 4 * rank
    if content[:4] != bytes([0, 0, 8, rank]) or len(content) < start:
        raise ValueError(
            f"{path} is no IDX file of unsigned bytes with {rank} dimensions; get it again."
        )
    shape = [int(n) for n in np.frombuffer(content, ">u4", rank, offset=4)]
    if len(content) != start + math.prod(shape):
        raise ValueError(
            f"{path} has {len(content)} bytes, but its header says {shape}; get it again."
        )
    return np.frombuffer(content, np.uint8, offset=start).reshape(shape)


def find(folder: Path, name: str) -> Path | None:
    """The file, gzipped or not."""
    found = [path for path in (folder / name, folder / f"{name}.gz") if path.is_file()]
    return found[0] if found else None
