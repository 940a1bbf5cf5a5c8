"""The page about a run: a table of the areas, and what became of each survivor."""

import tomllib
from pathlib import Path

from tests.mutants.areas import AREAS

_EQUIVALENT = Path(__file__).with_name("equivalent.toml")
_TEXT = Path(__file__).with_name("page.md").read_text()


def page(results):
    """docs/why/mutants.md."""
    known = tomllib.loads(_EQUIVALENT.read_text()).get("mutant", [])
    reasons = {_key(mutant): mutant["because"] for mutant in known}
    return _TEXT.format(table=_table(results, reasons), survivors=_survivors(results, reasons))


def _key(mutant):
    """What names a mutant also when it moves: its file, and both versions of its lines."""
    return mutant["file"], _line(mutant["old"]), _line(mutant["new"])


def _line(lines):
    return " ".join(" ".join([lines] if isinstance(lines, str) else lines).split())


def _table(results, reasons):
    lines = ["| area | mutants | equivalent | caught before | caught now | survive |"]
    lines.append("|---|---|---|---|---|---|")
    for area in [*AREAS, None]:
        run = [m for m in results if area in (None, m["area"]) and "outcome" in m]
        other = [m for m in run if _key(m) not in reasons]
        before = sum(m["before"]["outcome"] == "caught" for m in other)
        now = sum(m["outcome"] == "caught" for m in other)
        cells = (len(run), len(run) - len(other), before, now, len(other) - now)
        lines.append(f"| {area or 'all'} | " + " | ".join(map(str, cells)) + " |")
    return "\n".join(lines)


def _survivors(results, reasons):
    lines = []
    ran = [m for m in results if "outcome" in m]
    for m in sorted(ran, key=lambda m: (m["file"], m["line"], m["new"])):
        if m["before"]["outcome"] == "caught":
            continue
        became = f"noticed by `{m['test']}`" if m["outcome"] == "caught" else "**survives**"
        if _key(m) in reasons:
            became = "equivalent: " + reasons[_key(m)]
        lines.append(f"- {m['file']}:{m['line']} {_change(m)}: {became}")
    return "\n".join(lines)


def _change(mutant):
    """What differs, without what both lines have in common around it."""
    lines = (_line(mutant[side]).partition(" # ")[0] for side in ("old", "new"))
    words = [line.split(" ") for line in lines]
    shortest = min(map(len, words))
    ahead = next((i for i in range(shortest) if words[0][i] != words[1][i]), shortest)
    behind = next(
        (i for i in range(shortest - ahead) if words[0][-1 - i] != words[1][-1 - i]),
        shortest - ahead,
    )
    shown = [" ".join(some[max(ahead - 1, 0) : len(some) - max(behind - 1, 0)]) for some in words]
    return f"`{shown[0]}` → `{shown[1]}`"
