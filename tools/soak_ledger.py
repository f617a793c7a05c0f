#!/usr/bin/env python3
"""What soaks have covered: docs/soak_ledger.md, a line for each soak and kind of run.

  soak_ledger.py next-seed                     the first seed that no soak has had
  soak_ledger.py add FIGURES --commit COMMIT   FIGURES: what the runs of one soak noted (below)

`./dev soak` uses both. Each program it runs has EDUPULSE_SEED, may use the STRIDE seeds from there
on, and appends lines to the file EDUPULSE_SOAK_FIGURES, objects in JSON, if it knows what it
covered:

  {"what": "simulation", "runs": 60, "seeds": [7, 66], "node_seconds": 9000.5,
   "faults": {"kill": 9}}

and ./dev one for each program: {"test": "test_core", "seed": 7, "verdict": "passed"}
"""
import argparse
import collections
import datetime
import json
import pathlib
import re
import sys
import tempfile

LEDGER = pathlib.Path(__file__).resolve().parent.parent / "docs" / "soak_ledger.md"
STRIDE = 10_000 # more rounds than any random test has in a soak
PROGRAMS = "programs: "
ROW = re.compile(r"^\| \d{4}-\d\d-\d\d \| .* \|$", re.M)


def rows_of(text):
    return [[cell.strip() for cell in line.strip("| ").split(" | ")] for line in ROW.findall(text)]


def next_seed(text):
    """The first of STRIDE seeds that no soak has had."""
    last = max((int(row[4].split("..")[1]) for row in rows_of(text)), default=0)
    return (last // STRIDE + 1) * STRIDE


def counts(number_of):
    """{"kill": 2, "cut": 7} is "cut 7, kill 2"."""
    ordered = sorted(number_of.items(), key=lambda one: (-one[1], one[0]))
    return ", ".join(f"{name} {number:,}" for name, number in ordered) or "none"


class Covered:
    """What lines of figures of one kind come to."""
    def __init__(self):
        self.runs, self.node_seconds, self.seeds = 0, 0, []
        self.faults = collections.Counter()

    def add(self, figures):
        self.runs += figures["runs"]
        self.node_seconds += figures.get("node_seconds", 0)
        self.seeds += figures["seeds"]
        self.faults.update(figures.get("faults", {}))

    def cells(self):
        hours = f"{self.node_seconds / 3600:.1f}" if self.node_seconds else "-"
        return [f"{self.runs:,}", f"{min(self.seeds)}..{max(self.seeds)}", hours,
                counts(self.faults)]


def rows_to_add(lines, commit, date):
    """The rows of one soak, from the lines of its figures."""
    by_kind, programs, verdicts = {}, collections.Counter(), collections.Counter()
    reserved, failed = [], []
    for line in lines:
        figures = json.loads(line)
        if "what" in figures:
            by_kind.setdefault(figures["what"], Covered()).add(figures)
            continue
        verdicts[figures["verdict"]] += 1
        programs[figures["test"]] += 1
        reserved += [figures["seed"], figures["seed"] + STRIDE - 1]
        if figures["verdict"] == "failed":
            failed.append(f"{figures['test']}, seed {figures['seed']}")
    outcome = "FAILED: " + "; ".join(failed) if failed else "passed"
    rows = [[date, commit, what, *covered.cells(), outcome]
            for what, covered in sorted(by_kind.items())]
    if programs: # all of the soak, so that its seeds are taken
        skipped = f", {verdicts['skipped']} skipped" if verdicts["skipped"] else ""
        names = ", ".join(sorted(name.removeprefix("test_") for name in programs))
        rows.append([date, commit, PROGRAMS + names,
                     f"{sum(programs.values()):,}{skipped}",
                     f"{min(reserved)}..{max(reserved)}", "-", "-", outcome])
    return rows


def totals(text):
    """The sentence above the table."""
    runs, hours = collections.Counter(), 0.0
    for _, _, what, count, _, node_hours, _, _ in rows_of(text):
        if not what.startswith(PROGRAMS):
            runs[what] += int(count.replace(",", ""))
        hours += 0 if node_hours == "-" else float(node_hours)
    return f"In all: {counts(runs)}; {hours:,.1f} simulated node-hours."


def added(text, rows):
    """The ledger with these rows at its end, and new totals."""
    text = text.rstrip("\n") + "\n" + "".join(f"| {' | '.join(row)} |\n" for row in rows)
    return re.sub(r"^In all: .*$", lambda _: totals(text), text, count=1, flags=re.M)


def add(ledger, figures, commit, date):
    rows = rows_to_add(figures.read_text(encoding="utf-8").splitlines(), commit, date)
    ledger.write_text(added(ledger.read_text(encoding="utf-8"), rows), encoding="utf-8")


def self_test():
    empty = "# Ledger\n\nIn all: nothing.\n\n| date | ... |\n|---|---|\n"
    assert next_seed(empty) == STRIDE
    figures = [
        '{"what": "b", "runs": 1200, "seeds": [20000, 21199], "node_seconds": 7200,'
        ' "faults": {"kill": 1500, "cut": 3}}',
        '{"test": "test_b", "seed": 20000, "verdict": "passed"}',
        '{"what": "b", "runs": 2, "seeds": [30000, 30001], "node_seconds": 1800,'
        ' "faults": {"cut": 1}}',
        '{"what": "a", "runs": 1, "seeds": [30000, 30000]}',
        '{"test": "test_b", "seed": 30000, "verdict": "passed"}',
        '{"test": "test_c", "seed": 40000, "verdict": "skipped"}']
    once = added(empty, rows_to_add(figures, "abc", "2030-01-02"))
    lines = once.splitlines()
    assert lines[-3:] == [
        "| 2030-01-02 | abc | a | 1 | 30000..30000 | - | none | passed |",
        "| 2030-01-02 | abc | b | 1,202 | 20000..30001 | 2.5 | kill 1,500, cut 4 | passed |",
        "| 2030-01-02 | abc | programs: b, c | 3, 1 skipped | 20000..49999 | - | - | passed |"]
    assert lines[2] == "In all: b 1,202, a 1; 2.5 simulated node-hours."
    assert next_seed(once) == 50_000, "a seed of the last soak comes again"
    failure = ['{"test": "test_d", "seed": 50000, "verdict": "failed"}']
    twice = added(once, rows_to_add(failure, "def", "2030-01-03"))
    assert twice.splitlines()[-1].endswith("| - | - | FAILED: test_d, seed 50000 |")
    assert twice.splitlines()[:-1] == lines and next_seed(twice) == 60_000
    assert all(len(row) == 8 for row in rows_of(LEDGER.read_text(encoding="utf-8")))
    with tempfile.TemporaryDirectory() as place:
        file, noted = pathlib.Path(place) / "ledger.md", pathlib.Path(place) / "figures"
        file.write_text(empty)
        noted.write_text("\n".join(figures) + "\n")
        add(file, noted, "abc", "2030-01-02")
        assert file.read_text() == once
    print("soak_ledger: the self-test passed")


def main():
    if "--self-test" in sys.argv:
        return self_test()
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    verbs = parser.add_subparsers(dest="verb", required=True)
    verbs.add_parser("next-seed")
    adding = verbs.add_parser("add")
    adding.add_argument("figures", type=pathlib.Path)
    adding.add_argument("--commit", required=True)
    args = parser.parse_args()
    if args.verb == "next-seed":
        print(next_seed(LEDGER.read_text(encoding="utf-8")))
    else:
        today = datetime.datetime.now(datetime.timezone.utc).date().isoformat()
        add(LEDGER, args.figures, args.commit, today)


if __name__ == "__main__":
    main()
