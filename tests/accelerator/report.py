"""The results of all checks: kept as they come, and written as one JSON and one Markdown table."""

import json
import math
import time
import traceback
from pathlib import Path

MEANING = """\
A row is one number. *seen* must not be above *bound*; without a bound it was only measured. In
units of a bound: 1 is the bound. What could not be run is a failed row that says why.
"""


class Report:
    """`run` adds a check's rows, whatever it does; `write` leaves what there is so far."""

    def __init__(self, folder, minutes):
        self.folder, self.minutes = Path(folder), minutes
        self.start, self.rows, self.machine = time.monotonic(), [], {}
        self.seconds = {}

    def spent(self):
        return time.monotonic() - self.start

    def run(self, part, check, function):
        """The figures that a function returns; an exception, or no time left, is a failed row."""
        began, rows = self.spent(), []
        if began > 60 * self.minutes:
            rows = [failed(f"not run: the {self.minutes:g} minutes are spent")]
        else:
            try:
                rows = [row_of(figure) for figure in function()] or [failed("no figure came out")]
            except Exception as error:
                first = (str(error).splitlines() or [""])[0][:200]
                rows = [failed(f"{type(error).__name__}: {first}")]
                rows[0]["traceback"] = traceback.format_exc()
        self.rows += [{"part": part, "check": check} | row for row in rows]
        self.seconds[f"{part}: {check}"] = self.spent() - began
        bad = [row for row in rows if not row["ok"]]
        state = f"{len(bad)} of {len(rows)} FAILED" if bad else f"{len(rows)} ok"
        print(f"{self.spent():6.1f} s  {part}: {check}: {state}", flush=True)
        for row in bad:
            print(f"          {line_of(row)}", flush=True)

    @property
    def failures(self):
        return [row for row in self.rows if not row["ok"]]

    def write(self):
        self.folder.mkdir(parents=True, exist_ok=True)
        contents = {"machine": self.machine, "spent_seconds": round(self.spent(), 1)}
        contents |= {"checks": len(self.rows), "failed": len(self.failures)}
        contents |= {"seconds": self.seconds, "rows": self.rows}
        text = json.dumps(contents, indent=1, ensure_ascii=False, allow_nan=False)
        (self.folder / "accelerator.json").write_text(text + "\n")
        (self.folder / "accelerator.md").write_text(self.markdown())

    def markdown(self):
        lines = ["# On an accelerator", ""]
        lines += [f"- {name}: {value}" for name, value in self.machine.items()]
        numbers = f"{len(self.rows)} numbers, {len(self.failures)} failed"
        lines += [f"- what ran: {numbers}, in {self.spent():.0f} s"]
        lines += ["", MEANING]
        if self.failures:
            lines += ["## Failed", "", *table(self.failures)]
        for part in dict.fromkeys(row["part"] for row in self.rows):
            lines += [f"## {part.capitalize()}", ""]
            lines += table([row for row in self.rows if row["part"] == part])
        return "\n".join(lines)


def number(value):
    """As JSON has it: what is not finite is a word."""
    value = float(value)
    return value if math.isfinite(value) else str(value)


def row_of(figure):
    bound = None if figure.bound is None else number(figure.bound)
    return {"what": figure.what, "seen": number(figure.seen), "bound": bound, "ok": figure.ok}


def failed(why):
    return {"what": why, "seen": None, "bound": None, "ok": False}


def shown(value):
    return "" if value is None else value if isinstance(value, str) else f"{value:.3g}"


def line_of(row):
    against = "" if row["bound"] is None else f", bound {shown(row['bound'])}"
    return row["what"] if row["seen"] is None else f"{row['what']}: {shown(row['seen'])}{against}"


def table(rows):
    lines = ["| check | number | seen | bound | |", "|---|---|---|---|---|"]
    for row in rows:
        state = "**failed**" if not row["ok"] else "ok" if row["bound"] is not None else "measured"
        cells = row["check"], row["what"].replace("|", "\\|"), shown(row["seen"])
        lines.append(f"| {' | '.join((*cells, shown(row['bound']), state))} |")
    return [*lines, ""]
