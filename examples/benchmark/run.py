"""Every method on every task; what is kept is not run again."""

import hashlib
import time
from pathlib import Path
from typing import Any

import jax
import numpy as np
from tqdm import tqdm

import jimb
from examples.benchmark import results as benchmark_results
from examples.benchmark.measures import Outcome
from examples.benchmark.methods import Method, misfit
from examples.benchmark.results import Result
from examples.benchmark.settings import Settings, methods
from examples.benchmark.task import Spec, Task
from examples.benchmark.tasks import TASKS
from examples.benchmark.trials import run_method
from examples.data import sources


def fingerprint(task: Task) -> str:
    """A hash of what is trained on and tested."""
    digest = hashlib.sha256()
    for part in (*task.train, *task.held_out, task.spared, task.pool, task.tested, task.groups):
        digest.update(np.ascontiguousarray(part).tobytes())
    return digest.hexdigest()[:16]


def settings_of(method: Method, name: str, spec: Spec, seed: int, data: str) -> dict[str, Any]:
    """All that a result depends on."""
    fields = ("loss", "gamma", "weights", "rebalance", "keep", "adjust")
    recipe = ("epochs", "batch_size", "learning_rate", "hidden", "architecture", "seeds")
    return {
        "task": name,
        "method": method.name,
        **{field: getattr(method, field) for field in fields},
        **{field: getattr(spec, field) for field in recipe},
        "seed": seed,
        "data": data,
        "jimb": jimb.__version__,
        "jax": jax.__version__,
        "device": jax.default_backend(),
    }


def run_task(name: str, settings: Settings, bar: tqdm) -> Outcome:
    """Every method on one task; what is kept is not run again."""
    spec = settings.spec_of(name)
    task = spec.make(np.arange(settings.seed, settings.seed + spec.seeds), settings.data_dir)
    data, folder = fingerprint(task), Path(settings.results)
    results: dict[str, Result] = {}
    left_out: dict[str, str] = {}
    for method in methods(settings.only):
        bar.set_description(f"{name}, {method.name}")
        if reason := misfit(method, len(task.counts), task.vocabulary):
            left_out[method.name] = reason
            bar.update(spec.epochs)
            continue
        key = settings_of(method, name, spec, settings.seed, data)
        kept = benchmark_results.read(folder, key)
        if kept is None:
            began = time.perf_counter()
            confusion = run_method(method, task, spec, settings.seed, bar)
            kept = Result(confusion, time.perf_counter() - began)
            benchmark_results.write(folder, key, kept)
        else:
            bar.update(spec.epochs)
        results[method.name] = kept
    return Outcome(name, spec, task.counts, task.class_of_group, results, left_out, settings.seed)


def run(settings: Settings) -> tuple[list[Outcome], list[str]]:
    """Every task, and a sentence for each whose data are not here."""
    names = [settings.task] if settings.task else list(TASKS)
    outcomes, skipped = [], []
    total = len(methods(settings.only)) * sum(settings.spec_of(name).epochs for name in names)
    with tqdm(total=total, unit="epoch", disable=None, leave=False) as bar:
        for name in names:
            try:
                outcomes.append(run_task(name, settings, bar))
            except sources.MissingData as missing:
                if settings.task:
                    raise
                skipped.append(f"{name} is skipped: {missing}")
            # All programs of all tasks are more than a process may map.
            jax.clear_caches()
    return outcomes, skipped
