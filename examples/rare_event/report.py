"""What was found, as a page: a table for each data set, and the sentences that follow from it.

The first method, CE, is the baseline.
"""

from examples.rare_event.findings import findings, measured
from examples.rare_event.trials import Outcome
from examples.report import paired, tables

POINTS = ("0.5", "prior", "chosen")
TITLE = {"shuttle": "Valve faults of the Shuttle", "caravan": "Caravan policies, the control"}
INTRODUCTION = """\
# Rare events: the ranking and the threshold

Which remedy ranks the events better, and which only moves the threshold? This page was printed by
`python -m examples.rare_event --long --report docs/results/rare_event.md`; without `--long`, which
adds the last table, it takes less than three minutes on two cores.

Each seed has its own stratified split into 60 % training, 20 % validation and 20 % test. All
methods share the splits, the initial weights of an MLP with two hidden layers of 64, AdamW, batches
of 256, and the number of epochs, which CE's PR-AUC on validation chose. Some methods need more: the
Shuttle's two tables differ in nothing but their epochs. Figures are those of the test part, in per
cent: mean over the seeds ± standard error. In brackets: the difference to CE, paired by seed, ± its
standard error. PR-AUC is scikit-learn's average precision, of the log-odds, which unlike
probabilities do not saturate. A dash: no seed calls anything an event, so there is no precision.

The three thresholds on the probability of the event:

- **0.5**;
- **prior**: the share of events in the training part (`jimb.posthoc.move_threshold`). It is meant
  for probabilities that are those of the data, as CE's. Weights, logit adjustment and
  class-balanced sampling have this correction in the training, and 0.5 is their threshold: the
  prior corrects a second time. Focal loss, OHEM and sampling by difficulty or by loss leave
  probabilities that belong to no prior;
- **chosen**: the one with the best F1 on validation (`jimb.posthoc.choose_threshold`).

Logit adjustment after training is, for two classes, the prior threshold: row CE, column prior. The
row "logit adjustment" is the trained one. Weights have mean 1 over the training part; the effective
number has β = 0.9999. Focal is `softmax_focal_loss` with γ = 2; for two classes that is the sigmoid
focal loss of the difference of the logits. OHEM keeps all positives and the hardest quarter of the
negatives of each batch. Difficulty has pseudocount 1.

The tables are files of two R packages: `sh examples/data/get_data.sh r-cran-mlbench r-cran-kernlab`
brings them into `data`, and needs no R and no root. With `--source openml` scikit-learn downloads
the tables instead; that way has been tested with a stand-in for the download only.
"""


def page(outcomes: list[Outcome]) -> str:
    """The whole page (Markdown)."""
    return "\n\n".join([INTRODUCTION.rstrip(), *map(section, outcomes)])


def section(outcome: Outcome) -> str:
    """Heading, table and sentences of one data set."""
    baseline, *_ = outcome.results.values()
    validation = measured(baseline.validation_pr_auc)
    opening = (
        f"{outcome.counts[1]} events in {outcome.counts.sum()} training rows, "
        f"{outcome.counts[1] / outcome.counts.sum():.2%}; "
        f"{len(baseline.pr_auc)} seeds. PR-AUC of CE on validation: {validation}."
    )
    said = "\n".join(f"- {sentence}" for sentence in findings(outcome))
    title = f"## {TITLE[outcome.dataset]}: {outcome.epochs} epochs"
    return "\n\n".join([title, opening, table(outcome), said])


def table(outcome: Outcome) -> str:
    """A row a method (Markdown)."""
    baseline, *_ = outcome.results.values()
    header = ["method", "PR-AUC (difference to CE)"]
    header += [f"{measure}, {point}" for point in POINTS for measure in ("recall", "precision")]
    rows = []
    for name, result in outcome.results.items():
        ranking = paired.cell(result.pr_auc, baseline.pr_auc)
        if result is baseline:
            ranking = measured(result.pr_auc)
        columns = zip(result.recall.T, result.precision.T, strict=True)
        rows.append([name, ranking, *(measured(v) for pair in columns for v in pair)])
    return tables.markdown(header, rows)
