"""WordNet's glosses: short texts whose classes have a natural long tail.

The text is the gloss of a set of synonyms. Its class is its lexicographer file, such as
`noun.artifact` or `verb.weather`: 45 classes of 14 435 to 42 texts. Or, of nouns, what it is a kind
of: its first hypernym, 16 897 classes of 659 texts to one. Or the text is all glosses of a lemma,
which has each of their files as a label. Words become numbers by a hash.
"""

import re
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

import numpy as np

NUM_CLASSES = 45
# Glosses in each file of WordNet 3.0: 117 659 in all.
SIZES = {"noun": 82115, "verb": 13767, "adj": 18156, "adv": 3621}
VOCABULARY = 2**14
LENGTH = 40  # words; of a hundred glosses fewer than one has more, and is cut
WORD = re.compile(r"[a-z0-9']+")
HYPERNYMS = ("@", "@i")  # pointers from a kind, and from an instance: Paris is an instance of city

T = TypeVar("T")


def read(folder: Path) -> tuple[np.ndarray, np.ndarray]:
    """Words `[N, 40]`, 0 where a text has ended, and classes `[N]`, both int32.

    Raises:
      FileNotFoundError: a file is not there.
      ValueError: a file is damaged.
    """
    texts, classes = [], []
    for part in SIZES:
        for number, text in glosses(folder, part, lexicographer):
            texts.append(text)
            classes.append(number)
    return np.stack([hashed(text) for text in texts]), np.array(classes, np.int32)


def read_hypernyms(folder: Path) -> tuple[np.ndarray, np.ndarray]:
    """The nouns that have a hypernym: words `[N, 40]` and its number `[N]`, both int32.

    Raises:
      FileNotFoundError: the file is not there.
      ValueError: it is damaged.
    """
    found = [(of, text) for of, text in glosses(folder, "noun", hypernym) if of is not None]
    _, classes = np.unique([of for of, _ in found], return_inverse=True)
    return np.stack([hashed(text) for _, text in found]), classes.astype(np.int32)


def read_lemmas(folder: Path) -> tuple[np.ndarray, np.ndarray]:
    """Of each lemma, the words of its definitions `[N, 64]` and its labels `[N, 45]`, multi-hot.

    A lemma is in a file for each kind of thing that it means: "oak" is a plant and a substance.

    Raises:
      FileNotFoundError: a file is not there.
      ValueError: a file is damaged.
    """
    texts: dict[str, list[str]] = {}
    labels: dict[str, set[int]] = {}
    for part in SIZES:
        for (label, names), text in glosses(folder, part, synonyms):
            definition = text.split('; "')[0]  # what follows are examples of use
            for name in names:
                texts.setdefault(name, []).append(definition)
                labels.setdefault(name, set()).add(label)
    multi_hot = np.zeros((len(labels), NUM_CLASSES), bool)
    for row, of_lemma in zip(multi_hot, labels.values(), strict=True):
        row[list(of_lemma)] = True
    words = [hashed(" ".join(definitions), 64) for definitions in texts.values()]
    return np.stack(words), multi_hot


def glosses(folder: Path, part: str, class_of: Callable[[list[str]], T]) -> list[tuple[T, str]]:
    """Class and text of each line; the licence at the head is indented by two spaces."""
    path, found = folder / f"data.{part}", []
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
        for line in lines:
            if not line.startswith("  "):
                head, gloss = line.split(" | ", 1)
                found.append((class_of(head.split(" ")), gloss))
    except (ValueError, IndexError):
        raise ValueError(f"{path} is damaged after {len(found)} glosses: get it again.") from None
    if len(found) != SIZES[part]:
        raise ValueError(f"{path} has {len(found)} glosses, not {SIZES[part]}: get it again.")
    return found


def lexicographer(fields: list[str]) -> int:
    """The number of the lexicographer file."""
    number = int(fields[1])
    if not 0 <= number < NUM_CLASSES:
        raise ValueError
    return number


def synonyms(fields: list[str]) -> tuple[int, list[str]]:
    """The number of the lexicographer file, and the lemmas, without the marks of adjectives."""
    names = [fields[4 + 2 * i] for i in range(int(fields[3], 16))]
    return lexicographer(fields), [name.split("(")[0].lower() for name in names]


def hypernym(fields: list[str]) -> int | None:
    """Where the first hypernym lies in the file; None at the root, which has none."""
    pointers = fields[4 + 2 * int(fields[3], 16) :]  # after the synonyms, two fields each
    for i in range(1, 4 * int(pointers[0]), 4):  # four fields each, after their number
        if pointers[i] in HYPERNYMS:
            return int(pointers[i + 1])
    return None


def hashed(text: str, length: int = LENGTH) -> np.ndarray:
    """Its first words as numbers from 1 on."""
    row = np.zeros(length, np.int32)
    words = WORD.findall(text.lower())[:length]
    row[: len(words)] = [1 + zlib.crc32(word.encode()) % (VOCABULARY - 1) for word in words]
    return row
