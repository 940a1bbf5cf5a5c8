"""The tables of docs/why/peers.md."""

import collections
from pathlib import Path

from tests.peers import outcomes
from tests.peers.outcomes import BLIND, NOT_APPLICABLE, ON_PURPOSE, PASSED, UNEXPECTED

PAGE = Path(__file__).parents[2] / "docs" / "why" / "peers.md"
BEGIN, END = "<!-- printed by tests.peers -->", "<!-- end of what was printed -->"

TITLES = (
    "peer",
    "version",
    "what",
    "tried",
    "passed",
    "on purpose",
    "unexpected",
    "blind",
    "n.a.",
    "calls",
)


def tables(results):
    """Markdown of the results by peer, a list of pairs of a `Peer` and its `Result`."""
    rows = [row(peer, result) for peer, result in results]
    skipped = [
        f"- {peer.package}, {peer.what}: {result.skipped}."
        for peer, result in results
        if result.skipped
    ]
    parts = [table([TITLES, *(r for r in rows if r)])]
    if skipped:
        parts.append("Not run:\n\n" + "\n".join(skipped))
    parts.append("### On purpose\n\n" + reasons(results, ON_PURPOSE))
    parts.append("### Not applicable\n\n" + reasons(results, NOT_APPLICABLE))
    unexpected = reasons(results, UNEXPECTED)
    return "\n\n".join(parts + (["### Unexpected\n\n" + unexpected] if unexpected else []))


def row(peer, result):
    if result.tests is None:
        return None
    kinds = collections.Counter(outcome.kind for outcome in result.tests.values())
    tried = sum(kinds[kind] for kind in (PASSED, ON_PURPOSE, UNEXPECTED))
    numbers = [kinds[k] for k in (PASSED, ON_PURPOSE, UNEXPECTED, BLIND, NOT_APPLICABLE)]
    calls = sum(outcome.calls for outcome in result.tests.values())
    return (peer.package, result.version, peer.what, tried, *numbers, calls)


def reasons(results, kind):
    """A list of the reasons for one kind of outcome, with the number of tests of each."""
    lines = []
    for peer, result in results:
        tests = (result.tests or {}).items()
        named = kind == UNEXPECTED
        found = collections.Counter(
            f"{test.rsplit('/', 1)[-1]}: {outcome.why}" if named else outcome.why
            for test, outcome in tests
            if outcome.kind == kind
        )
        lines += [f"- {peer.package}, {number}: {why}." for why, number in found.most_common()]
    return "\n".join(lines)


def table(rows):
    lines = ["| " + " | ".join(map(str, row)) + " |" for row in rows]
    lines.insert(1, "|---" * len(rows[0]) + "|")
    return "\n".join(lines)


def write(text):
    """Puts the text between the marks of docs/why/peers.md."""
    page = PAGE.read_text()
    before, _, rest = page.partition(BEGIN)
    _, _, after = rest.partition(END)
    PAGE.write_text(f"{before}{BEGIN}\n\n{text}\n\n{END}{after}")


def unexpected(results):
    """How many tests fail without a reason."""
    return sum(
        outcome.kind == outcomes.UNEXPECTED
        for _, result in results
        for outcome in (result.tests or {}).values()
    )
