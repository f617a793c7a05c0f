#!/usr/bin/env python3
"""Tests of the tests: the programs of the cores, once for each bug of schemas/planted.hpp.

`./dev bugs` builds them and calls this. A bug is caught by the first test case that fails with it
(--all: by each of them). Ends with 1 when one is not caught, or when a program fails without any.
"""
import argparse
import html
import json
import os
import re
import resource
import signal
import subprocess
import sys
import time

from check_planted import HEADER, PAGE, ROW, bugs_in
from sources import ROOT, text_of, tracked

# Cheap ones first.
PROGRAMS = ["schemas/test_schemas", "test_core", "test_switchboard", "test_bus", "test_membership",
            "test_link", "fuzz/test_fuzz_corpus", "test_simulation"]
# Compared with a file, or with a number of an earlier run: they notice any change, right or not.
NOT_GOLDEN = ["~golden*", "~M6: one seed is one run*"]
EVENT = re.compile(r'<TestCase name="([^"]*)"|<OverallResult success="(\w+)"|<FatalErrorCondition')


def name_of(program):
    return program.split("/")[-1]


def failures(report):
    """(test case, whether it ended the program) of those that failed, from Catch's XML."""
    failed, name, fatal = [], None, False
    for match in EVENT.finditer(report):
        case, success = match.groups()
        if case is not None:
            name, fatal = html.unescape(case), False
        elif success is None:
            fatal = True
        else:
            if success == "false":
                failed.append((name, fatal))
            name = None
    return failed + ([(name, True)] if name is not None else [])


def spec_of(case):
    """The test case of that name, as Catch's command line has it."""
    return re.sub(r'([\\,\["])', r"\\\1", case)


class runner:
    def __init__(self, build, first_only):
        self.build = build
        rows = ROW.findall("".join(map(text_of, tracked(PAGE))))
        self.known = {bug: (program, case) for bug, _, program, case in rows}
        self.first_only = first_only
        self.seconds = {}  # that a program takes without any bug

    def call(self, program, bug, limit, arguments):
        """How it ended, and its report. `limit`: seconds of the processor, so that it does not
        matter what else runs; none of these programs waits for anything."""
        environment = {"EDUPULSE_SEED": "1", **os.environ, "EDUPULSE_BUG": bug}
        command = [self.build / "tests" / program, *arguments, "--reporter", "xml"]
        limited = lambda: resource.setrlimit(resource.RLIMIT_CPU, (limit, limit))
        done = subprocess.run(command, env=environment, capture_output=True, preexec_fn=limited)
        return done.returncode, done.stdout.decode(errors="replace")

    def patience(self, program):
        """How long it may take with a bug. The first time, it has to be well without any."""
        if program not in self.seconds:
            began = resource.getrusage(resource.RUSAGE_CHILDREN).ru_utime
            status, report = self.call(program, "", 600, NOT_GOLDEN)
            if status != 0:
                raise SystemExit(f"bugs: {program} fails without any bug: {failures(report)}")
            self.seconds[program] = resource.getrusage(resource.RUSAGE_CHILDREN).ru_utime - began
        return int(20 + 5 * self.seconds[program])

    def catches(self, bug):
        """(program, test case, how) of those that catch it. The one that did the last time is
        asked first."""
        if not self.first_only:
            return [one for program in PROGRAMS for one in self.caught_by(program, bug, NOT_GOLDEN)]
        name, case = self.known.get(bug, ("", ""))
        tries = [(program, [spec_of(case)]) for program in PROGRAMS if name_of(program) == name]
        for program, specs in tries + [(program, NOT_GOLDEN) for program in PROGRAMS]:
            if caught := self.caught_by(program, bug, [*specs, "--abort"]):
                return caught[:1]
        return []

    def caught_by(self, program, bug, arguments):
        limit = self.patience(program)
        status, report = self.call(program, bug, limit, arguments)
        if status in (-signal.SIGXCPU, -signal.SIGKILL):
            return [(name_of(program), "", f"does not end within {limit} s")]
        failed = failures(report) or [("", True)] if status != 0 else []
        return [(name_of(program), case, "is ended by it" if ended else "")
                for case, ended in failed]


def text_of_catch(program, case, how):
    return f"{program}: {case}" + (f" ({how})" if how else "")


def page(bugs, caught):
    rows = "\n".join(f"| `{bug}` | {what} | `{caught[bug][0][0]}`: {caught[bug][0][1]} |"
                     for bug, what in bugs.items())
    return f"""# Planted bugs

Made by `./dev bugs --write`; [testing.md](testing.md#tests-of-the-tests) says what it is about. The
test is the first that catches the bug, of those that are run.

| bug | what goes wrong | caught by |
|---|---|---|
{rows}
"""


def arguments():
    parser = argparse.ArgumentParser(prog="./dev bugs", description="Which test catches which bug.")
    parser.add_argument("build", help=argparse.SUPPRESS)
    parser.add_argument("--only", metavar="NAME", action="append", help="this bug; several times")
    parser.add_argument("--all", action="store_true", help="every test that catches it")
    parser.add_argument("--json", action="store_true", help="an object for each bug, a line each")
    parser.add_argument("--write", action="store_true", help=f"make {PAGE} of what was seen")
    return parser.parse_args()


def main():
    if "--targets" in sys.argv:
        return print("\n".join(map(name_of, PROGRAMS)))
    given = arguments()
    bugs = bugs_in(text_of(HEADER))
    if unknown := [name for name in given.only or [] if name not in bugs]:
        raise SystemExit(f"bugs: {unknown[0]} is not in {HEADER}")
    if given.write and given.only:
        raise SystemExit("bugs: --write is for all of them")
    with_bug = runner(ROOT / given.build, not given.all)
    caught = {}
    for bug in given.only or bugs:
        began = time.monotonic()
        caught[bug] = with_bug.catches(bug)
        seconds = time.monotonic() - began
        if given.json:
            keys = ("program", "case", "how")
            by = [dict(zip(keys, one)) for one in caught[bug]]
            print(json.dumps({"bug": bug, "caught": by, "seconds": round(seconds, 1)}), flush=True)
            continue
        for i, one in enumerate(caught[bug] or [("NOT CAUGHT", "", "")]):
            took = f"{seconds:6.1f} s" if i == 0 else ""
            print(f"{bug if i == 0 else '':32} {took:8} {text_of_catch(*one)}", flush=True)
    missed = [bug for bug, by in caught.items() if not by]
    if missed:
        raise SystemExit(f"bugs: {len(missed)} of {len(caught)} not caught: {', '.join(missed)}")
    if given.write:
        (ROOT / PAGE).write_text(page(bugs, caught), encoding="utf-8")


if __name__ == "__main__":
    main()
