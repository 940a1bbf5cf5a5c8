"""Settings: what the options may be, and which of them go together."""

import dataclasses
from typing import Literal

from examples.training import WEIGHTED, Architecture, Loss, Rebalance, Sampler, Weights


@dataclasses.dataclass(frozen=True)
class Settings:
    """Train on imbalanced data; with none of loss, weights and sampler, compare two recipes."""

    loss: Loss | None = None
    """Loss: softmax cross-entropy (ce), with label smoothing (smoothed) or focal; sigmoid losses,
    one question per class (sigmoid, sigmoid-focal, asymmetric); the class-balanced trio (cb-*);
    losses that know the class prior which the sampler draws (balanced-softmax, logit-adjusted, vs);
    ldam on a cosine head; losses that learn from the classes seen so far (seesaw) or from their
    gradients (equalization and equalized-focal, one question per class)."""
    gamma: float | None = None
    """Focusing exponent of the focal losses; 2 if left out."""
    weights: Weights | None = None
    """Class weights on ce, smoothed, focal or ldam, from the training counts; none if left out."""
    beta: float | None = None
    """β of the effective number, for cb-* losses and effective weights; 0.9999 if left out."""
    sampler: Sampler | None = None
    """How each epoch draws its examples; uniform if left out. The last three draw in proportion to
    the difficulty, to the current loss, and to the prediction delta du + dl of the last epoch."""
    rebalance: Rebalance | None = None
    """When class weights and sampler act: always (if left out), deferred to the last fifth of the
    training, or progressive, from nothing at the start to all at the end."""
    keep: float | None = None
    """Hard-example mining: the share of each batch, the hardest, that is trained on."""
    pseudocount: float | None = None
    """Pseudocount c of the difficulty sampler, smaller is sharper; 1 if left out."""
    dataset: Literal[
        "digits",
        "mnist",
        "fashion-mnist",
        "cifar-10",
        "cifar-100",
        "shuttle",
        "caravan",
        "wordnet",
    ] = "digits"
    """Data set. The images are made long-tailed; the others are as they are: two tables with a rare
    event, and texts in 45 classes."""
    data_dir: str | None = None
    """Folder of the data set's files."""
    imbalance: float | None = None
    """Images of the largest class per image of the smallest; 20 if left out."""
    model: Architecture | None = None
    """Network; if left out, an MLP, or the embedding bag (bag) for texts. cnn and resnet-32 need
    images."""
    hidden: int = 64
    """Hidden units of the MLP and the small CNN, size of the bag's embeddings."""
    dtype: Literal["float32", "bfloat16"] = "float32"
    """Of the network's computation; parameters, logits and losses are float32 in any case."""
    augment: bool = False
    """Shift each training image at random, and flip it if it has colours."""
    epochs: int = 30
    """Passes of as many examples as the training set has."""
    batch_size: int = 64
    """Examples a step."""
    learning_rate: float = 3e-3
    """AdamW's peak; falls to 0 along a cosine."""
    seed: int = 0
    """Seed of data, initial weights, plans and augmentation."""
    feed: Literal["device", "grain"] = "device"
    """Where the training set lies: on every device, or with the host, and read by Grain."""
    out: str | None = None
    """Folder of checkpoints, log, figure and results; if left out, a new one: out/train, …-2, ….
    With several processes it must be named, and all of them must reach it."""
    save_minutes: float = 1.0
    """Minutes between checkpoints; 0 saves as often as can be. The last two are kept."""
    resume: bool = False
    """Go on with the run in --out from its last checkpoint, bit by bit as if it had not stopped."""
    cpu_devices: int | None = None
    """Run on so many devices of the CPU: to try a mesh without having one."""
    distributed: bool = False
    """Join other processes. On a TPU pod slice or under SLURM no more is needed; elsewhere give
    the three options below."""
    coordinator: str | None = None
    """Address and port of process 0."""
    num_processes: int | None = None
    """Number of processes."""
    process_id: int | None = None
    """Which of them this one is."""

    def check(self) -> None:
        """Combinations that mean nothing are refused, not ignored: a ValueError of a sentence."""
        self._check_combinations()
        self._check_ranges()
        self._check_processes()

    def _check_combinations(self) -> None:
        """Options that need another one, or exclude it."""
        weighs, samples = self.weights not in (None, "none"), self.sampler not in (None, "uniform")
        balanced = self.loss is not None and self.loss.startswith("cb-")
        if weighs and self.loss not in (None, *WEIGHTED):
            raise ValueError(f"--weights needs --loss ce or focal: leave it out of {self.loss}.")
        if self.gamma is not None and "focal" not in (self.loss or ""):
            raise ValueError("--gamma needs a focal loss: add --loss focal or --loss cb-focal.")
        if self.loss == "ldam" and self.sampler in ("difficulty", "loss", "delta"):
            raise ValueError(f"--sampler {self.sampler} needs logits, and ldam has cosines.")
        if self.rebalance not in (None, "always") and not (weighs or samples):
            raise ValueError("--rebalance needs --weights or --sampler, which it turns on.")
        if self.beta is not None and not balanced and self.weights != "effective":
            raise ValueError("--beta needs a cb-* loss or --weights effective.")
        if self.pseudocount is not None and self.sampler != "difficulty":
            raise ValueError("--pseudocount needs --sampler difficulty.")
        if self.resume and self.out is None:
            raise ValueError("--resume needs --out, the folder of the run to go on with.")

    def _check_ranges(self) -> None:
        """Numbers that are too small or too large; NaN is both."""
        for name, lowest in LOWEST.items():
            value = getattr(self, name)
            if value is not None and not value >= lowest:
                raise ValueError(f"{option(name)} must be at least {lowest}, got {value}.")
        for name in ("pseudocount", "learning_rate"):
            value = getattr(self, name)
            if value is not None and not value > 0:
                raise ValueError(f"{option(name)} must be above 0, got {value}.")
        if self.keep is not None and not 0 < self.keep <= 1:
            raise ValueError(f"--keep must lie in (0, 1], got {self.keep}.")
        if self.beta is not None and not 0 <= self.beta <= 1:
            raise ValueError(f"--beta must lie in [0, 1], got {self.beta}.")

    def _check_processes(self) -> None:
        """Options of several processes."""
        if self.distributed and self.out is None:
            raise ValueError("--distributed needs --out, a folder that all processes reach.")
        if not self.distributed and (self.coordinator or self.num_processes or self.process_id):
            raise ValueError("--coordinator, --num-processes and --process-id need --distributed.")


LOWEST = {
    **dict.fromkeys(("epochs", "batch_size", "hidden", "cpu_devices"), 1),
    **dict.fromkeys(("gamma", "seed", "save_minutes"), 0),
}

# What may differ between a run and the one that goes on with it.
ELSEWHERE = (
    *("data_dir", "out", "save_minutes", "resume"),
    *("cpu_devices", "distributed", "coordinator", "num_processes", "process_id"),
)


def option(name: str) -> str:
    """`batch_size` as it stands on the command line."""
    return "--" + name.replace("_", "-")


def describe(settings: Settings) -> str:
    """`cb-focal, difficulty sampling`."""
    words: list[str] = [settings.loss or "ce"]
    if settings.weights not in (None, "none"):
        words.append(f"{settings.weights} weights")
    if settings.sampler not in (None, "uniform"):
        words.append(f"{settings.sampler} sampling")
    if settings.rebalance not in (None, "always"):
        words.append(str(settings.rebalance))
    if settings.keep is not None:
        words.append(f"hardest {settings.keep:.0%}")
    return ", ".join(words)
