"""The tasks by name: of which data, and how they are trained.

Digits, odd/even parity, long-tailed Fashion-MNIST in three forms, two rare events in tables,
WordNet's glosses, and long-tailed CIFAR. Training settings are those that suit cross-entropy, the
same for every method.
"""

from collections.abc import Callable

from examples.benchmark.task import Spec, Task, digits, fashion, loaded, parity, rare
from examples.data import subsets, tabular


def _fashion(imbalance: float, order: tuple[int, ...] = tuple(range(10))) -> Callable[..., Task]:
    return lambda seeds, data_dir: fashion(seeds, data_dir, imbalance, order)


def _rare(name: tabular.Name) -> Callable[..., Task]:
    return lambda seeds, data_dir: rare(seeds, data_dir, name)


def _loaded(name: str, imbalance: float | None) -> Callable[..., Task]:
    return lambda seeds, data_dir: loaded(seeds, data_dir, name, imbalance)


FASHION_ABOUT = "Fashion-MNIST with round(6000 · {}^(-k/9)) training images of the k-th class"
TASKS: dict[str, Spec] = {
    "digits": Spec(
        "Digits, imbalance 20",
        "The 8×8 digits of scikit-learn with round(120 · 20^(-k/9)) training images of digit k; "
        "all others but ten held out of each class are tested.",
        digits,
        "shots",
        epochs=30,
        batch_size=64,
        seeds=20,
    ),
    "parity": Spec(
        "Odd or even, digit 8 rare",
        "Digits in two classes: 120 training images each of 0, 2, 4 and 6, ten of 8, and 25 of "
        "each odd digit, as in `examples/parity`. The mean is over the ten digits.",
        parity,
        "parity",
        epochs=15,
        batch_size=64,
        seeds=20,
    ),
    "fashion-100": Spec(
        "Fashion-MNIST, imbalance 100",
        FASHION_ABOUT.format(100) + " in the order of their numbers; the balanced test set.",
        _fashion(100.0),
        "thirds",
        epochs=10,
        batch_size=128,
        learning_rate=1e-3,
    ),
    "fashion-10": Spec(
        "Fashion-MNIST, imbalance 10",
        FASHION_ABOUT.format(10) + " in the order of their numbers; the balanced test set.",
        _fashion(10.0),
        "thirds",
        epochs=10,
        batch_size=128,
        learning_rate=1e-3,
    ),
    "fashion-hard-100": Spec(
        "Fashion-MNIST, hard tail, imbalance 100",
        FASHION_ABOUT.format(100)
        + f" in the order {', '.join(map(str, subsets.HARD_TAIL))}, which puts the confusable "
        "tops into the tail; the balanced test set.",
        _fashion(100.0, subsets.HARD_TAIL),
        "thirds",
        epochs=10,
        batch_size=128,
        learning_rate=1e-3,
    ),
    "shuttle": Spec(
        "Valve faults of the Shuttle",
        "A rare event in a table of nine numbers; stratified 60/20/20 splits, the last part "
        "tested, as in `examples/rare_event`.",
        _rare("shuttle"),
        "event",
        epochs=15,
        batch_size=256,
    ),
    "caravan": Spec(
        "Caravan policies",
        "A noisy event in a table of 132 columns; splits as for the Shuttle.",
        _rare("caravan"),
        "event",
        epochs=15,
        batch_size=256,
        learning_rate=1e-3,
    ),
    "wordnet": Spec(
        "WordNet glosses",
        "Short texts in 45 classes, a natural long tail; a stratified fifth is tested.",
        _loaded("wordnet", None),
        "thirds",
        epochs=6,
        batch_size=512,
        learning_rate=1e-2,
        hidden=32,
        architecture="bag",
    ),
    "cifar-10": Spec(
        "CIFAR-10, imbalance 100",
        "The recipe of Cao 2019; the balanced test set.",
        _loaded("cifar-10", 100.0),
        "shots",
        epochs=10,
        batch_size=128,
        learning_rate=1e-3,
    ),
    "cifar-100": Spec(
        "CIFAR-100, imbalance 100",
        "The recipe of Cao 2019; the balanced test set.",
        _loaded("cifar-100", 100.0),
        "shots",
        epochs=10,
        batch_size=128,
        learning_rate=1e-3,
    ),
}
