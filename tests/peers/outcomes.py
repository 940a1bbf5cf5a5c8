"""What became of each test, counted honestly."""

from typing import NamedTuple

PASSED = "passed"
BLIND = "blind"  # passes with wrong answers, too
ON_PURPOSE = "on purpose"
NOT_APPLICABLE = "not applicable"
UNEXPECTED = "unexpected"
UNTOUCHED = "untouched"  # never reached jimb, or the peer itself skips it


class Outcome(NamedTuple):
    """One test: what it counts as, why, and how often it asked jimb."""

    kind: str
    why: str = ""
    calls: int = 0


def of(peer, records, spoiled):
    """Outcomes by test, from the records of a run and of one with wrong answers."""
    return {test: _outcome(peer, test, record, spoiled) for test, record in records.items()}


def _outcome(peer, test, record, spoiled):
    reason, calls = peer.reason(test), record["calls"]
    if record["missing"]:
        return Outcome(NOT_APPLICABLE, record["missing"][0], calls)
    if record["outcome"] == "skipped":
        return Outcome(UNTOUCHED)
    if record["outcome"] == "failed":
        if reason:
            return Outcome(ON_PURPOSE, reason, calls)
        return Outcome(UNEXPECTED, record["error"], calls)
    if not calls:
        return Outcome(UNTOUCHED)
    if reason:
        return Outcome(UNEXPECTED, "passes, and is said to differ on purpose", calls)
    if spoiled.get(test, {}).get("outcome") != "failed":
        return Outcome(BLIND, "", calls)
    return Outcome(PASSED, "", calls)
