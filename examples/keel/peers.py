"""scikit-learn's and imbalanced-learn's methods as a user would call them, on the same folds."""

import time
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from tqdm import tqdm

from examples.data.keel import Table
from examples.keel import groups, jobs, results
from examples.keel.folds import FOLDS, OUTER
from examples.keel.groups import Group
from examples.keel.measures import MEASURES, RATES
from examples.keel.results import Result
from examples.keel.settings import Settings

Make = Callable[[int, int], Any]  # (seed, rows of the rarer class) -> a classifier


def logistic(**given: Any) -> Any:
    """scikit-learn's; its own 100 iterations are too few for some of the data sets."""
    from sklearn.linear_model import LogisticRegression

    return LogisticRegression(max_iter=1000, **given)


def boosting(seed: int, **given: Any) -> Any:
    """scikit-learn's histogram gradient boosting."""
    from sklearn.ensemble import HistGradientBoostingClassifier

    return HistGradientBoostingClassifier(random_state=seed, **given)


def resampled(sampler: str, **given: Any) -> Any:
    """Logistic regression on rows that imbalanced-learn has resampled."""
    from imblearn import over_sampling, pipeline, under_sampling

    places = vars(over_sampling) | vars(under_sampling)
    return pipeline.make_pipeline(places[sampler](**given), logistic())


def forest(seed: int) -> Any:
    """imbalanced-learn's balanced random forest, with the settings of its paper."""
    from imblearn.ensemble import BalancedRandomForestClassifier

    return BalancedRandomForestClassifier(
        sampling_strategy="all", replacement=True, bootstrap=False, random_state=seed
    )


PEERS: dict[str, Make] = {
    "logistic regression": lambda seed, rare: logistic(),
    "logistic regression, balanced": lambda seed, rare: logistic(class_weight="balanced"),
    "gradient boosting": lambda seed, rare: boosting(seed),
    "gradient boosting, balanced": lambda seed, rare: boosting(seed, class_weight="balanced"),
    "RandomOverSampler": lambda seed, rare: resampled("RandomOverSampler", random_state=seed),
    "RandomUnderSampler": lambda seed, rare: resampled("RandomUnderSampler", random_state=seed),
    "SMOTE": lambda seed, rare: resampled(
        "SMOTE", random_state=seed, k_neighbors=max(1, min(5, rare - 1))
    ),
    "BalancedRandomForest": lambda seed, rare: forest(seed),
}


class Peers(NamedTuple):
    """What other libraries found."""

    test: dict[str, np.ndarray]  # [S, T, FOLDS, M]
    seconds: float


def versions() -> dict[str, str]:
    """Of the other libraries.

    Raises:
      ImportError: one of them is not installed.
    """
    try:
        import imblearn
        import sklearn
    except ImportError as error:
        raise ImportError("--peers needs more packages: pip install -e '.[examples]'.") from error
    return {"scikit-learn": sklearn.__version__, "imbalanced-learn": imblearn.__version__}


def run(settings: Settings, tables: dict[str, Table]) -> Peers:
    """Fits all on every fold; kept by data set and seed."""
    from threadpoolctl import threadpool_limits

    seeds = range(settings.seed, settings.seed + settings.seeds)
    found, seconds = [], 0.0
    # On tables as small as these one thread is several times as fast as two.
    with (
        threadpool_limits(1),
        tqdm(total=len(seeds) * len(tables), disable=None, leave=False) as bar,
    ):
        for seed in seeds:
            parts = []
            for name, table in tables.items():
                bar.set_description(f"peers, {name}")
                kept = of_set(name, table, seed, Path(settings.results) / "peers")
                parts.append(kept.measures)
                seconds += kept.seconds
                bar.update()
            found.append(np.stack(parts))
    stacked = np.stack(found)  # [S, T, FOLDS, P, M]
    return Peers({name: stacked[..., k, :] for k, name in enumerate(PEERS)}, seconds)


def of_set(name: str, table: Table, seed: int, folder: Path) -> Result:
    """Measures `[FOLDS, P, M]` of one data set, kept."""
    group = groups.pad({name: table}, seed)
    key = key_of(name, group, seed)
    kept = results.read(folder, key, (FOLDS, len(PEERS), len(MEASURES + RATES)))
    if kept is None:
        start = time.perf_counter()
        measures = np.stack([of_fold(group, fold, seed) for fold in range(FOLDS)])
        kept = Result(measures, time.perf_counter() - start)
        results.write(folder, key, kept)
    return kept


def of_fold(group: Group, fold: int, seed: int) -> np.ndarray:
    """`[P, M]` of one data set's fold."""
    place = 0, fold, OUTER
    inputs = (group.features[0] - group.mean[place]) * group.scale[place]
    labels, trained, judged = group.labels[0], group.trained[place], group.judged[place]
    rows = []
    for make in PEERS.values():
        classifier = make(seed, int(labels[trained].sum()))
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of what does not converge in its own settings
            classifier.fit(inputs[trained], labels[trained])
            predicted = classifier.predict(inputs[judged])
            scores = classifier.predict_proba(inputs[judged])[:, 1]
        rows.append(measure(predicted, scores, labels[judged]))
    return np.stack(rows)


def measure(predicted: np.ndarray, scores: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """The MEASURES and RATES, by scikit-learn."""
    from sklearn import metrics

    recalls = metrics.recall_score(labels, predicted, average=None, labels=[0, 1])
    return np.array(
        [
            recalls.mean(),
            np.sqrt(recalls.prod()),
            metrics.f1_score(labels, predicted, zero_division=0),
            metrics.matthews_corrcoef(labels, predicted),
            metrics.average_precision_score(labels, scores),
            metrics.roc_auc_score(labels, scores),
            *recalls[::-1],
        ]
    )


def key_of(name: str, group: Group, seed: int) -> dict[str, Any]:
    """All that a result depends on."""
    return {
        "name": name,
        "seed": seed,
        "peers": list(PEERS),
        "data": jobs.fingerprint(group),
        "code": jobs.CODE,
    } | versions()
