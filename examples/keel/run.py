"""Runs all programs; what is kept is not run again."""

import os
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
from tqdm import tqdm

from examples.keel import programs, results
from examples.keel.jobs import Job, Trial, jobs_of, load, methods_of
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
    all_trials = [trial for job in jobs for trial in job.trials]
    total = sum(trial.result is None for trial in all_trials)
    start = time.perf_counter()
    with tqdm(total=total, disable=None, leave=False) as bar:
        bar.set_description("compiles")
        to_run = [job for job in jobs if any(trial.result is None for trial in job.trials)]
        with ThreadPoolExecutor(os.cpu_count()) as pool:
            built = list(pool.map(build, to_run))
        compiled = time.perf_counter() - start
        for job, program in zip(to_run, built, strict=True):
            bar.set_description(f"{job.recipe.model}, {len(job.tables)} data sets")
            for trial in job.trials:
                if trial.result is None:
                    trial.result = run_one(program, job, trial, settings)
                    bar.update()
    return join(tables, methods, jobs, compiled if total == len(all_trials) else None)


def build(job: Job) -> programs.Compiled:
    """Its program."""
    return programs.build(job.trials[0].group, job.recipe)


def run_one(program: programs.Compiled, job: Job, trial: Trial, settings: Settings) -> Result:
    """One program with one seed, kept."""
    start = time.perf_counter()
    measures = programs.run(program, trial.group, trial.seed, job.recipe)
    result = Result(measures, time.perf_counter() - start)
    if not np.isfinite(measures).all():
        raise FloatingPointError(f"{trial.key['name']} found a NaN: lower --learning-rate.")
    results.write(Path(settings.results), trial.key, result)
    return result
