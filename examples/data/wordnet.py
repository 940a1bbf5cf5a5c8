"""WordNet's glosses: short texts whose 45 classes have a natural long tail, 14 435 to 42.

The text is the gloss of a set of synonyms; the class is its lexicographer file, such as
`noun.artifact` or `verb.weather`. Words become numbers by a hash.
"""

import re
import zlib
from pathlib import Path

import numpy as np

NUM_CLASSES = 45
# Glosses in each file of WordNet 3.0: 117 659 in all.
SIZES = {"noun": 82115, "verb": 13767, "adj": 18156, "adv": 3621}
VOCABULARY = 2**14
LENGTH = 40  # words; of a hundred glosses fewer than one has more, and is cut
WORD = re.compile(r"[a-z0-9']+")


def read(folder: Path) -> tuple[np.ndarray, np.ndarray]:
    """Words `[N, 40]`, 0 where a text has ended, and classes `[N]`, both int32.

    Raises:
      FileNotFoundError: a file is not there.
      ValueError: a file is damaged.
    """
    texts, classes = [], []
    for part, size in SIZES.items():
        path = folder / f"data.{part}"
        own = list(glosses(path))
        if len(own) != size:
            raise ValueError(f"{path} has {len(own)} glosses, not {size}: get it again.")
        texts += [text for _, text in own]
        classes += [number for number, _ in own]
    return np.stack([hashed(text) for text in texts]), np.array(classes, np.int32)


def glosses(path: Path) -> list[tuple[int, str]]:
    """Class and text of each line; the licence at the head is indented by two spaces."""
    found = []
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
        for line in lines:
            if not line.startswith("  "):
                head, gloss = line.split(" | ", 1)
                number = int(head.split(" ")[1])
                if not 0 <= number < NUM_CLASSES:
                    raise ValueError
                found.append((number, gloss))
    except (ValueError, IndexError):
        raise ValueError(f"{path} is damaged after {len(found)} glosses: get it again.") from None
    return found


def hashed(text: str) -> np.ndarray:
    """Its first words as numbers from 1 on."""
    row = np.zeros(LENGTH, np.int32)
    words = WORD.findall(text.lower())[:LENGTH]
    row[: len(words)] = [1 + zlib.crc32(word.encode()) % (VOCABULARY - 1) for word in words]
    return row
