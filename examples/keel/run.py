"""Runs all programs; what is kept is not run again."""

import os
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
from tqdm import tqdm

from examples.keel import programs, results
from examples.keel.jobs import Job, jobs_of, load, methods_of
from examples.keel.outcome import Outcome, join
from examples.keel.results import Result
from examples.keel.settings import Settings


def run(settings: Settings) -> Outcome:
    """Trains and judges all; keeps each program's result of a seed when it is there.

    Raises:
      MissingData: the data sets are not here.
      ValueError: an option names nothing, or a kept result is damaged.
      FloatingPointError: a measure is not a number.
    """
    methods, tables = methods_of(settings), load(settings)
    jobs = list(jobs_of(settings, tables, methods))
    missing = [job for job in jobs if None in job.kept]
    kept_before = sum(each is not None for job in jobs for each in job.kept)
    with tqdm(total=sum(job.kept.count(None) for job in jobs), disable=None, leave=False) as bar:
        bar.set_description("compiles")
        with ThreadPoolExecutor(os.cpu_count()) as pool:
            ready = list(pool.map(lambda job: programs.build(job.groups[0], job.recipe), missing))
        for job, compiled in zip(missing, ready, strict=True):
            bar.set_description(f"{job.recipe.model}, {len(job.tables)} data sets")
            for position, kept in enumerate(job.kept):
                if kept is None:
                    job.kept[position] = run_one(compiled, job, position, settings)
                    bar.update()
    return join(tables, methods, jobs, kept_before)


def run_one(compiled: programs.Compiled, job: Job, position: int, settings: Settings) -> Result:
    """One program with one seed, kept."""
    key, start = job.settings[position], time.perf_counter()
    measures = programs.run(compiled, job.groups[position], key["seed"], job.recipe)
    result = Result(measures, time.perf_counter() - start)
    if np.isnan(measures).any():
        raise FloatingPointError(f"{key['name']} found a NaN: lower --learning-rate.")
    results.write(Path(settings.results), key, result)
    return result
