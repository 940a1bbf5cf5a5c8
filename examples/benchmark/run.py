"""Every method on every task; what is kept is not run again."""

import dataclasses
import hashlib
import time
from pathlib import Path
from typing import Any

import jax
import numpy as np
from tqdm import tqdm

import jimb
from examples.benchmark import results
from examples.benchmark.measures import Outcome
from examples.benchmark.methods import METHODS, Method, misfit
from examples.benchmark.results import Result
from examples.benchmark.settings import Settings
from examples.benchmark.task import Spec, Task
from examples.benchmark.tasks import TASKS
from examples.benchmark.trials import run_method
from examples.data import sources


def run(settings: Settings) -> tuple[list[Outcome], list[str]]:
    """Every task, and a sentence for each whose data are not here."""
    methods, specs = methods_of(settings), specs_of(settings)
    outcomes, skipped = [], []
    total = len(methods) * sum(spec.epochs for spec in specs.values())
    with tqdm(total=total, unit="epoch", disable=None, leave=False) as bar:
        for name, spec in specs.items():
            try:
                outcomes.append(run_task(name, spec, methods, settings, bar))
            except sources.MissingData as missing:
                if settings.task:
                    raise
                skipped.append(f"{name} is skipped: {missing}")
            # All programs of all tasks are more than a process may map.
            jax.clear_caches()
    return outcomes, skipped


def methods_of(settings: Settings) -> tuple[Method, ...]:
    """Cross-entropy, which all are compared to, and the methods that were asked for."""
    chosen = tuple(method for method in METHODS[1:] if settings.only in method.name)
    if not chosen:
        raise ValueError(f"no method has {settings.only!r} in its name.")
    return METHODS[:1] + chosen


def specs_of(settings: Settings) -> dict[str, Spec]:
    """The tasks that were asked for, with what the command line changes in them."""
    if settings.task and settings.task not in TASKS:
        raise ValueError(f"--task {settings.task} is none of {', '.join(TASKS)}.")
    changed = {key: getattr(settings, key) for key in ("seeds", "epochs")}
    given = {key: value for key, value in changed.items() if value is not None}
    names = [settings.task] if settings.task else list(TASKS)
    return {name: dataclasses.replace(TASKS[name], **given) for name in names}


def run_task(
    name: str, spec: Spec, methods: tuple[Method, ...], settings: Settings, bar: tqdm
) -> Outcome:
    """Every method on one task."""
    task = spec.make(np.arange(settings.seed, settings.seed + spec.seeds), settings.data_dir)
    data, folder = fingerprint(task), Path(settings.results)
    found: dict[str, Result] = {}
    left_out: dict[str, str] = {}
    for method in methods:
        bar.set_description(f"{name}, {method.name}")
        if reason := misfit(method, len(task.counts), task.vocabulary):
            left_out[method.name] = reason
            bar.update(spec.epochs)
            continue
        key = key_of(method, name, spec, settings.seed, data)
        kept = results.read(folder, key)
        if kept is None:
            began = time.perf_counter()
            confusion, calibration = run_method(method, task, spec, settings.seed, bar)
            kept = Result(confusion, calibration, time.perf_counter() - began)
            results.write(folder, key, kept)
        else:
            bar.update(spec.epochs)
        found[method.name] = kept
    return Outcome(name, spec, task.counts, task.class_of_group, found, left_out, settings.seed)


def key_of(method: Method, name: str, spec: Spec, seed: int, data: str) -> dict[str, Any]:
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
        "measures": ["confusion", "calibration"],
    }


def fingerprint(task: Task) -> str:
    """A hash of what is trained on and tested."""
    digest = hashlib.sha256()
    for part in (*task.train, *task.held_out, task.spared, task.pool, task.tested, task.groups):
        digest.update(np.ascontiguousarray(part).tobytes())
    return digest.hexdigest()[:16]
