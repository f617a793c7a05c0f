#!/usr/bin/env python3
"""Real node processes, real faults, and a checker of the promises (fault_judge.py).

  faults.py --build DIR GROUP...   runs the tests of these groups; `--list` names all
  faults.py --build DIR --only TEST

EDUPULSE_SOAK=1 in the environment makes the tests as long as the catalogue of faults asks for.
EDUPULSE_SEED chooses the random moments. Network faults are made in network namespaces, which
needs root and the packages iproute2 and nftables; without them those tests are skipped.
"""
import argparse
import concurrent.futures
import os
import pathlib
import shutil
import signal
import sys
import time
import traceback

import fault_kit
import fault_net
import fault_network
import fault_processes
from fault_kit import Failed, Lab, SEED, SOAK, Skipped

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "support"))
import soak_figures

GROUPS = {**fault_processes.GROUPS, **fault_network.GROUPS}
AT_ONCE = 3  # most of a test is waiting for somebody to notice something
SKIP_CODE = 77


def run(test, build, keep):
    lab, started, verdict = Lab(test.__name__, build), time.monotonic(), "OK"
    said = ""
    try:
        said = test(lab) or ""
    except Skipped as why:
        verdict, said = "SKIPPED", str(why)
    except Failed as why:
        at = traceback.extract_tb(sys.exc_info()[2])
        line = next((one.lineno for one in reversed(at) if "fault_kit" not in one.filename), 0)
        verdict, said = "FAILED", f"{why} (line {line})"
    except Exception:  # a mistake of the test: the others go on
        verdict, said = "FAILED", traceback.format_exc()
    if test.__name__ in fault_processes.WAITING:
        verdict = "WAITS" if verdict == "FAILED" else "OK, no longer WAITING:"
        said += f" -- {fault_processes.WAITING[test.__name__]}"
    lab.close(keep or verdict == "FAILED")
    if keep or verdict == "FAILED":
        said += f"\n  what the nodes wrote is in {lab.directory}"
    print(f"{verdict} {test.__name__} ({time.monotonic() - started:.1f} s) {said}", flush=True)
    return verdict, lab.checks


def end_now(*_):
    """The end of this process is the end of its nodes."""
    fault_net.take_down_all()
    for directory in fault_kit.directories:
        shutil.rmtree(directory, ignore_errors=True)
    os._exit(1)


def chosen(args):
    tests = [test for group in args.groups or GROUPS for test in GROUPS[group]]
    if args.only:
        tests = [test for test in tests if test.__name__ in args.only]
    return tests


def note_covered(tests, verdicts):
    ran = {test for test, verdict in zip(tests, verdicts) if verdict != "SKIPPED"}
    groups = {group: len(ran.intersection(of)) for group, of in GROUPS.items()}
    soak_figures.note("processes under faults", len(ran), [SEED, SEED],
                      {group: count for group, count in groups.items() if count})


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--build", type=pathlib.Path, help="the build tree, such as build/test")
    parser.add_argument("--only", action="append", help="a test by its name")
    parser.add_argument("--keep", action="store_true", help="leave the files of the tests")
    parser.add_argument("--list", action="store_true")
    parser.add_argument("groups", nargs="*", choices=[[], *GROUPS])
    args = parser.parse_args()
    if args.list:
        for group, tests in GROUPS.items():
            print(f"{group}: {' '.join(test.__name__ for test in tests)}")
        return 0
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, end_now)
    fault_net.sweep()
    try:
        with concurrent.futures.ThreadPoolExecutor(AT_ONCE) as pool:
            ended = list(pool.map(lambda test: run(test, args.build.resolve(), args.keep),
                                  chosen(args)))
    finally:
        fault_net.take_down_all()
    verdicts = [verdict for verdict, _ in ended]
    note_covered(chosen(args), verdicts)
    if "FAILED" in verdicts:
        print(f"again with: EDUPULSE_SEED={SEED}" + (" EDUPULSE_SOAK=1" if SOAK else ""))
        os._exit(1)
    if verdicts and all(verdict == "SKIPPED" for verdict in verdicts):
        return SKIP_CODE
    checks = sum(checks for _, checks in ended)
    print(f"All tests passed ({checks} assertions in {len(ended)} test cases)")
    return 0


if __name__ == "__main__":
    sys.exit(main())
