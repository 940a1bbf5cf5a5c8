"""The options of the benchmark."""

import dataclasses
from pathlib import Path

from examples.benchmark.methods import METHODS, Method
from examples.benchmark.task import Spec
from examples.benchmark.tasks import TASKS


@dataclasses.dataclass(frozen=True)
class Settings:
    """Compare the methods of jimb on every data set."""

    task: str = ""
    """Run only this task; all whose data are here if left out."""
    only: str = ""
    """Run only methods with this in their name, and cross-entropy, which they are compared to."""
    seeds: int | None = None
    """Trials of each method, paired; five, and twenty on digits, if left out."""
    seed: int = 0
    """The first of them."""
    epochs: int | None = None
    """Epochs of as many examples as the training set has; each task's own if left out."""
    data_dir: str | None = None
    """Folder of the data set's files; needs --task."""
    results: str = "out/benchmark"
    """Folder of the results, a small file for each task and method. What is there is not run."""
    page: str = ""
    """File for the tables."""
    readme: str = ""
    """File between whose markers the summary goes, as in README.md."""
    figure: str = ""
    """File for the figure, a PNG."""

    def __post_init__(self) -> None:
        """Numbers that mean nothing are refused."""
        for name, lowest in {"epochs": 1, "seeds": 2, "seed": 0}.items():
            value = getattr(self, name)
            if value is not None and not value >= lowest:
                raise ValueError(f"--{name} must be at least {lowest}, got {value}.")
        if self.task and self.task not in TASKS:
            raise ValueError(f"--task {self.task} is none of {', '.join(TASKS)}.")
        if self.data_dir is not None and not self.task:
            raise ValueError("--data-dir is the folder of one data set: add --task.")
        if not methods(self.only):
            raise ValueError(f"no method has {self.only!r} in its name.")
        for name in ("page", "readme", "figure"):
            path = getattr(self, name)
            if path and not Path(path).parent.is_dir():
                raise ValueError(f"--{name} {path} is in no folder; make the folder first.")
        if self.readme and not Path(self.readme).is_file():
            raise ValueError(f"--readme {self.readme} is not there; the markers must be in it.")

    def spec_of(self, name: str) -> Spec:
        """The task with what the command line changes in it."""
        changed = {key: getattr(self, key) for key in ("seeds", "epochs")}
        given = {key: value for key, value in changed.items() if value is not None}
        return dataclasses.replace(TASKS[name], **given)


def methods(only: str) -> tuple[Method, ...]:
    """Cross-entropy, which all are compared to, and the methods with this in their name."""
    chosen = tuple(m for m in METHODS[1:] if only in m.name)
    return METHODS[:1] + chosen if chosen else ()
