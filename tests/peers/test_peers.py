"""The machinery that runs other libraries' tests on jimb, on a few tests of scikit-learn."""

import sys

import numpy as np
import pytest

from tests.peers import (
    calls,
    optax_losses,
    outcomes,
    report,
    run,
    sklearn_metrics,
    sklearn_weights,
)
from tests.peers.outcomes import BLIND, NOT_APPLICABLE, ON_PURPOSE, PASSED, UNEXPECTED, UNTOUCHED
from tests.peers.peer import Peer, install, resolve
from tests.peers.run import Result
from tests.peers.spoil import spoiled

PEER = Peer(
    package="scikit-learn",
    floor="0.1",
    what="weights",
    differs={"differs": "a reason"},
    replace=sklearn_weights.PEER.replace,
    peer_checks_input=True,
)


def record(outcome="passed", calls=1, missing=()):
    return {"outcome": outcome, "calls": calls, "missing": list(missing), "error": "assert"}


@pytest.mark.parametrize(
    ("test", "plain", "wrong", "kind"),
    [
        ("test", record(), "failed", PASSED),
        ("test", record(), "passed", BLIND),
        ("test", record(calls=0), None, UNTOUCHED),
        ("test", record("skipped"), None, UNTOUCHED),
        ("test", record("failed"), None, UNEXPECTED),
        ("test", record("failed", calls=0), None, UNEXPECTED),
        ("test", record("failed", missing=["it"]), None, NOT_APPLICABLE),
        ("test", record("passed", missing=["it"]), None, NOT_APPLICABLE),
        ("test_differs", record("failed"), None, ON_PURPOSE),
        ("test_differs", record(), "failed", UNEXPECTED),
    ],
)
def test_what_a_test_counts_as(test, plain, wrong, kind):
    spoiled_records = {test: {"outcome": wrong}} if wrong else {}
    assert outcomes.of(PEER, {test: plain}, spoiled_records)[test].kind == kind


def test_the_table_counts_only_what_was_tried():
    kinds = (PASSED, PASSED, ON_PURPOSE, UNEXPECTED, BLIND, NOT_APPLICABLE, UNTOUCHED)
    tests = {str(i): outcomes.Outcome(kind, "why", 2) for i, kind in enumerate(kinds)}
    results = [(PEER, Result("1.0", tests))]
    assert report.row(*results[0]) == ("scikit-learn", "1.0", "weights", 4, 2, 1, 1, 1, 1, 14)
    assert report.unexpected(results) == 1
    assert "- scikit-learn, 1: 3: why." in report.tables(results)


def test_a_peer_that_is_not_installed_is_left_out():
    peer = Peer("not-a-package-of-any-kind", "1", "nothing")
    result = run.run("absent", peer, sys.executable)
    assert result.tests is None
    assert "- not-a-package-of-any-kind, nothing: not" in report.tables([(peer, result)])


def test_calls_are_counted_and_what_is_missing_is_kept():
    calls.CALLS.clear()
    assert int(calls.jimb.metrics.init(2).counts.sum()) == 0
    calls.jimb.class_counts([0, 1], 2)
    with pytest.raises(calls.NotApplicable, match="a moon"):
        calls.missing("a moon")
    assert (calls.CALLS.number, calls.CALLS.missing) == (2, ["a moon"])


def test_two_wrong_answers_are_wrong_in_different_ways():
    right = (np.float64(0.5), 3, np.array([1.0]), "a", True)
    first, second = spoiled(right), spoiled(right)
    for wrong in (first, second):
        assert wrong[3:] == ("a", True)
        assert wrong[1] != 3
        assert isinstance(wrong[1], int)
        assert wrong[0] != 0.5
    assert not np.array_equal(first[2], second[2])


def test_a_peer_checks_its_input_itself(monkeypatch):
    """Its errors do not count as calls of jimb, and its answer is not the one that is returned."""
    from sklearn.utils import class_weight

    monkeypatch.setattr(class_weight, "compute_class_weight", class_weight.compute_class_weight)
    install(PEER, spoil=True)
    calls.CALLS.clear()
    classes, y = np.array([0, 1]), np.array([0, 0, 1])
    with pytest.raises(ValueError, match="classes should include"):
        class_weight.compute_class_weight("balanced", classes=classes, y=np.array([2]))
    assert calls.CALLS.number == 0
    assert np.isnan(class_weight.compute_class_weight("balanced", classes=classes, y=y)).all()
    assert calls.CALLS.number > 0


def test_what_jimb_replaces_exists():
    for name in optax_losses.PEER.replace | sklearn_metrics.PEER.replace:
        path, attribute = name.rsplit(".", 1)
        assert callable(getattr(resolve(path), attribute))


@pytest.mark.slow
def test_tests_of_scikit_learn_pass_on_jimb(tmp_path, monkeypatch):
    monkeypatch.setattr(run, "FOLDER", tmp_path)
    result = run.run("sklearn_weights", sklearn_weights.PEER, sys.executable)
    kinds = [outcome.kind for outcome in result.tests.values()]
    assert kinds.count(PASSED) >= 9
    assert set(kinds) == {PASSED, UNTOUCHED}
