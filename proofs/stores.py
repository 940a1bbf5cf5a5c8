"""What the difficulty's store, its pseudocount and its predictions do to the sampling weights.

Trains the odd/even task of `examples/parity` on digits by difficulty sampling, and gives the
logits of the pass after each epoch to each store of `jimb.difficulty` and to a float64 NumPy
reference. Prints how far the sampling weights lie from the reference's; how few examples a small
pseudocount leaves; and how far the difficulty from logits seen in training lies from that of the
passes.

    python -m proofs.stores
"""

import dataclasses

import jax.numpy as jnp
import numpy as np
import tyro
from scipy.stats import spearmanr

from examples.report.tables import markdown
from proofs import reference
from proofs.along import (
    STORES,
    distances,
    initial_state,
    total_variation,
    weights_along,
    weights_of,
)
from proofs.trials import Both, Trials, make_trials, online_epoch, recorded_logits

PSEUDOCOUNTS = (1.0, 0.3, 0.1, 0.03, 0.01, 0.001)
READ_OUTS = (1.0, 0.1)


@dataclasses.dataclass(frozen=True)
class Settings:
    """What store, pseudocount and predictions do to the sampling weights."""

    seeds: int = 10
    """Trials, each with its own images and initial weights."""
    seed: int = 0
    """The first of them."""
    epochs: tuple[int, ...] = (1, 5, 15, 60)
    """Epochs after which to look; the last ends the training."""
    learning_rates: tuple[float, ...] = (3e-3, 3e-2)
    """Those of the first table; the others take the first of them."""

    def __post_init__(self) -> None:
        """What leaves nothing to measure is refused."""
        if self.seeds < 2 or self.seed < 0:
            raise ValueError("--seeds must be at least 2 and --seed not negative.")
        if not self.epochs or min(self.epochs) < 1 or list(self.epochs) != sorted({*self.epochs}):
            raise ValueError("--epochs must be one or more increasing numbers from 1 up.")
        if not self.learning_rates or min(self.learning_rates) <= 0:
            raise ValueError("--learning-rates must be one or more numbers above 0.")

    @property
    def when(self) -> str:
        """The epochs in words."""
        return " / ".join(map(str, self.epochs))

    def trials(self, learning_rate: float, *, each_once: bool = False) -> Trials:
        """The trainings before their first epoch."""
        seeds = range(self.seed, self.seed + self.seeds)
        return make_trials(seeds, self.epochs[-1], learning_rate, each_once=each_once)


def store_rows(
    learning_rate: float, records: dict[float, np.ndarray], labels: np.ndarray
) -> list[list[str]]:
    """Each store along the same trainings."""
    rows = []
    for store in STORES:
        along = [distances(store, records[c], labels, c) for c in READ_OUTS]
        cells = [f"{x:.1e}" for d in along for x in (d.max(), d[-1])]
        rows.append([f"{learning_rate:g}", store, *cells])
    return rows


def underflow_note(learning_rate: float, record: np.ndarray, epochs: tuple[int, ...]) -> str:
    """How many predictions float16 cannot hold as probabilities."""
    p = np.exp(reference.log_softmax(record)).min(axis=-1)
    shares = (100 * np.mean(p[epoch - 1] < 2.0**-24) for epoch in epochs)
    return " / ".join(f"{share:.1f}" for share in shares) + f" at {learning_rate:g}"


def collapse_row(
    pseudocount: float, record: np.ndarray, trials: Trials, epochs: tuple[int, ...]
) -> list[str]:
    """How evenly the weights lie on the examples after these epochs; means over the seeds."""
    every = list(weights_along("float32", record, trials.labels, pseudocount))
    w = np.stack([np.asarray(every[epoch - 1], np.float64) for epoch in epochs])  # [epochs, S, N]
    num = w.shape[-1]
    figures = (
        100 * (w.sum(-1) ** 2 / (w**2).sum(-1)) / num,
        num * w.max(-1),
        100 * (w * (trials.labels == 1)).sum(-1),
        100 * (w * (trials.digits == 8)).sum(-1),
    )
    return [f"{pseudocount:g}", *(" / ".join(f"{x:.1f}" for x in f.mean(1)) for f in figures)]


def online_rows(settings: Settings) -> list[list[str]]:
    """The difficulty of logits seen in training against that of the passes."""
    trials = settings.trials(settings.learning_rates[0], each_once=True)
    states: Both = trials.state, initial_state(trials.labels, "float32")
    rows = []
    for epoch in range(settings.epochs[-1]):
        keys, data, hyper = trials.plan_keys, trials.data, trials.hyper
        states = online_epoch(keys, epoch, states, data, hyper, recipe=trials.recipe)
        if epoch + 1 in settings.epochs:
            rows += [online_row(c, epoch + 1, states) for c in READ_OUTS]
    return rows


def online_row(pseudocount: float, epochs: int, states: Both) -> list[str]:
    """Rank correlation of D, which is that of w, and total variation of w."""
    state, online = states
    c = jnp.float32(pseudocount)
    passes, seen = (np.asarray(weights_of(s, c)) for s in (state.difficulty, online))
    ranks = [spearmanr(w, v).statistic for w, v in zip(passes, seen, strict=True)]
    return [
        str(epochs),
        f"{pseudocount:g}",
        f"{np.mean(ranks):.2f} ({min(ranks):.2f} to {max(ranks):.2f})",
        f"{total_variation(passes, seen).mean():.3f}",
    ]


Records = dict[float, np.ndarray]  # logits after each epoch, by the pseudocount of the training


def store_section(trials: Trials, records: Records, settings: Settings) -> str:
    """The first table, for every learning rate; these trainings are of the first."""
    first, *others = settings.learning_rates
    rows = store_rows(first, records, trials.labels)
    notes = [underflow_note(first, records[1.0], settings.epochs)]
    for rate in others:
        again = settings.trials(rate)
        by_c = {c: recorded_logits(again, c, settings.epochs[-1]) for c in READ_OUTS}
        rows += store_rows(rate, by_c, again.labels)
        notes.append(underflow_note(rate, by_c[1.0], settings.epochs))
    columns = [f"c = {c:g}, {moment}" for c in READ_OUTS for moment in ("worst", "last epoch")]
    return (
        "Total variation of the sampling weights from those of float64 in trainings of "
        f"{settings.epochs[-1]} epochs, the largest of {settings.seeds} seeds:\n\n"
        f"{markdown(['learning rate', 'store', *columns], rows)}\n\n"
        "Images with a p below 2⁻²⁴, the smallest of float16, after "
        f"{settings.when} epochs with c = 1, in per cent: {'; '.join(notes)}."
    )


def collapse_section(trials: Trials, records: Records, settings: Settings) -> str:
    """Two tables: the weights read out of one training, and of trainings that draw by them."""
    header = ["c", "effective size, % of N", "N × largest w", "w of the odd, %", "w of the 8s, %"]
    one = [collapse_row(c, records[1.0], trials, settings.epochs) for c in PSEUDOCOUNTS]
    own = [collapse_row(c, records[c], trials, settings.epochs) for c in PSEUDOCOUNTS]
    odd, eights = 100 * (trials.labels == 1).mean(), 100 * (trials.digits == 8).mean()
    means = (
        f"means of {settings.seeds} seeds (uniform weights: 100, 1, {odd:.1f}, {eights:.1f}):\n\n"
    )
    return (
        f"How evenly weights of each pseudocount lie on the images after {settings.when} epochs of "
        f"one and the same training, which draws by c = 1, {means}{markdown(header, one)}\n\n"
        f"The same after {settings.when} epochs of trainings that draw by these weights, "
        f"{means}{markdown(header, own)}"
    )


def online_section(settings: Settings) -> str:
    """The last table."""
    header = ["epochs", "c", "rank correlation (of the seeds)", "total variation of w"]
    return (
        "Difficulty from the logits seen in training against that from a pass after each epoch "
        f"of the same training, means of {settings.seeds} seeds:\n\n"
        f"{markdown(header, online_rows(settings))}"
    )


def run(settings: Settings) -> str:
    """All tables."""
    trials = settings.trials(settings.learning_rates[0])
    records = {c: recorded_logits(trials, c, settings.epochs[-1]) for c in PSEUDOCOUNTS}
    sections = (
        store_section(trials, records, settings),
        collapse_section(trials, records, settings),
        online_section(settings),
    )
    return "\n\n".join(sections)


def main() -> None:
    """Reads the command line, trains, compares, prints."""
    print(run(tyro.cli(Settings, description=__doc__)))


if __name__ == "__main__":
    main()
