"""scikit-learn's and imbalanced-learn's methods as a user would call them, on the same folds."""

import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import sklearn
from sklearn import metrics
from threadpoolctl import threadpool_limits
from tqdm import tqdm

from examples.data.keel import Table
from examples.keel import groups, jobs, results
from examples.keel.folds import FOLDS, OUTER
from examples.keel.groups import Group
from examples.keel.results import Result
from examples.keel.settings import Settings

Make = Callable[[int, int], Any]  # (seed, rows of the rarer class) -> a classifier


def logistic(**given: Any) -> Any:
    """scikit-learn's, with its own settings."""
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


def run(settings: Settings, tables: dict[str, Table]) -> dict[str, np.ndarray]:
    """Measures `[S, T, FOLDS, M]` of each, kept by group and seed."""
    seeds = range(settings.seed, settings.seed + settings.seeds)
    found = []
    # On tables as small as these one thread is several times as fast as two.
    with (
        threadpool_limits(1),
        tqdm(total=len(seeds) * len(tables), disable=None, leave=False) as bar,
    ):
        for seed in seeds:
            parts = []
            for group in groups.grouped(tables):
                parts.append(of_group(group, seed, Path(settings.results), bar))
            found.append(np.concatenate(parts))
    stacked = np.stack(found)  # [S, T, FOLDS, P, M]
    return {name: stacked[..., k, :] for k, name in enumerate(PEERS)}


def of_group(tables: dict[str, Table], seed: int, folder: Path, bar: tqdm) -> np.ndarray:
    """`[T, FOLDS, P, M]`."""
    parts = []
    for name, table in tables.items():
        bar.set_description(f"peers, {name}")
        group = groups.pad({name: table}, seed)
        key = key_of(name, group, seed)
        kept = results.read(folder / "peers", key)
        if kept is None:
            measures = np.stack([of_fold(group, fold, seed) for fold in range(FOLDS)])
            kept = Result(measures, 0.0)
            results.write(folder / "peers", key, kept)
        parts.append(kept.measures)
        bar.update()
    return np.stack(parts)


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
    """The six MEASURES, by scikit-learn."""
    recalls = metrics.recall_score(labels, predicted, average=None, labels=[0, 1])
    return np.array(
        [
            recalls.mean(),
            np.sqrt(recalls.prod()),
            metrics.f1_score(labels, predicted, zero_division=0),
            metrics.matthews_corrcoef(labels, predicted),
            metrics.average_precision_score(labels, scores),
            metrics.roc_auc_score(labels, scores),
        ]
    )


def key_of(name: str, group: Group, seed: int) -> dict[str, Any]:
    """All that a result depends on."""
    import imblearn

    return {
        "name": name,
        "seed": seed,
        "peers": list(PEERS),
        "data": jobs.fingerprint(group),
        "scikit-learn": sklearn.__version__,
        "imbalanced-learn": imblearn.__version__,
    }
