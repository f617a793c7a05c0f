#!/usr/bin/env python3
"""Runs the simulator from outside: every scenario, bad input, Ctrl-C; nothing may be left behind.

  simulate.py --simulate FILE [--plugins DIR] [--only NAME]

Each scenario is run with 20 seeds in virtual time, in short, and once with processes.
EDUPULSE_SOAK=1: with 1,000 seeds, as it ships, and 20 times with processes.
"""
import argparse
import concurrent.futures
import json
import os
import pathlib
import shutil
import signal
import subprocess
import sys
import tempfile
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2] / "support"))
import soak_figures

SOAK = bool(os.environ.get("EDUPULSE_SOAK"))
SEED = int(os.environ.get("EDUPULSE_SEED", "1"))
AT_ONCE = 3  # most of a run is waiting for somebody to notice something
PLUGINS = pathlib.Path()  # a build directory
BLOCK = 50  # seeds in virtual time that one call of the simulator tries


class Failed(Exception):
    pass


def check(good, why):
    if not good:
        raise Failed(why)


def run(simulate, *arguments, place, seconds=180, **how):
    env = {**os.environ, "TMPDIR": str(place)}
    return subprocess.run([simulate, *arguments], capture_output=True, text=True, timeout=seconds,
                          env=env, **how)


def leftovers(place):
    return [str(file) for file in pathlib.Path(place).iterdir()]


def scenario(simulate, name, seed):
    """A scenario passes, and its report has what it should."""
    with tempfile.TemporaryDirectory() as place:
        report = pathlib.Path(place) / "report.json"
        done = run(simulate, name, "--seed", str(seed), "--json", str(report), place=place)
        check(done.returncode == 0, f"{name}, seed {seed}, ended with {done.returncode}:\n"
                                    f"{done.stdout}{done.stderr}")
        said = json.loads(report.read_text())
        check(said["verdict"]["ok"] and said["scenario"] == name, f"{name}: {said['verdict']}")
        check(len(said["series"]["t"]) > 5 and sum(said["series"]["handled"]) > 0,
              f"{name}: the series are empty")
        soak_figures.note("scenarios, processes", 1, [seed, seed],
                          [fault["kind"] for fault in said["faults"]],
                          said["seconds"] * len(said["nodes"]))
        report.unlink()
        check(not leftovers(place), f"{name} left {leftovers(place)}")
        return said["verdict"]["text"]


def in_virtual_time(simulate, name, seeds):
    """Seeds of a scenario pass in virtual time, and it is said what they covered."""
    with tempfile.TemporaryDirectory() as place:
        report = pathlib.Path(place) / "report.json"
        load = [] if SOAK or name == "overload-10x" else ["--rate", "500", "--duration", "10"]
        done = run(simulate, name, "--mode", "virtual", "--seeds", f"{seeds[0]}..{seeds[-1]}",
                   "--json", str(report), *load, place=place, seconds=3000)
        check(done.returncode in (0, 1), f"{name} ended with {done.returncode}: {done.stderr}")
        said = json.loads(report.read_text())
        soak_figures.note("scenarios, virtual", said["runs"], said["seeds"], said["faults"],
                          said["node_seconds"])
        check(done.returncode == 0, f"{name}: {done.stdout}{done.stderr}")
        check(said["ok"] and said["runs"] == len(seeds) and said["node_seconds"] > 5 * len(seeds),
              f"{name}: {said}")
        return done.stdout.strip()


def same_run(simulate):
    """The same seed gives the same trace, to the byte, and another seed another one."""
    with tempfile.TemporaryDirectory() as place:
        traces = []
        for seed in ("3", "3", "4"):
            to = pathlib.Path(place) / "trace"
            done = run(simulate, "kill-one", "--mode", "virtual", "--events", "500", "--seed", seed,
                       "--trace", str(to), place=place)
            check(done.returncode == 0, done.stdout + done.stderr)
            traces.append(to.read_bytes())
        check(len(traces[0]) > 100_000, "the trace is short")
        check(traces[0] == traces[1], "two runs of one seed differ")
        check(traces[0] != traces[2], "two seeds give one run")
        shown = run(simulate, "kill-one", "--mode", "virtual", "--events", "500", "--seed", "3",
                    "--trace", "-", place=place)
        check(shown.stdout.encode() == traces[0], "standard output has another trace")
    return f"{len(traces[0])} bytes"


def fails_and_shrinks(simulate):
    """What a scenario does not allow fails it, and the faults that do not matter are left out."""
    with tempfile.TemporaryDirectory() as place:
        done = run(simulate, "kill-one", "--mode", "virtual", "--seeds", "1..3",
                   "--handlers", "picky poison=50", "--faults",
                   "kill:n2@2+1, cut:n1/n3@4+1", "--events", "4000", place=place)
        check(done.returncode == 1, f"it ended with {done.returncode}: {done.stdout}")
        check('seed 1 fails. The fewest faults with which it does: --faults ""' in done.stdout,
              done.stdout)
    return "none of the faults is needed"


def refuses(simulate, arguments, words):
    with tempfile.TemporaryDirectory() as place:
        done = run(simulate, *arguments, place=place, seconds=20)
        said = f"{arguments}: {done.returncode}, {done.stderr!r}"
        check(done.returncode == 2, said)
        check(words in done.stderr, f"{said}: it does not say {words!r}")
        check(not leftovers(place), f"{arguments} left {leftovers(place)}")


def bad_input(simulate):
    with tempfile.NamedTemporaryFile("w", suffix=".toml") as file:
        file.write('nodes = 3\nevnts = 7\n')
        file.flush()
        refuses(simulate, [file.name], f"{file.name}:2: nothing is called `evnts` here")
    refuses(simulate, ["stedy"], 'did you mean "steady"?')
    refuses(simulate, ["explain", "stedy"], 'did you mean "steady"?')
    refuses(simulate, ["--evnts", "7"], 'there is no option "--evnts": did you mean "--events"?')
    refuses(simulate, ["--nodes", "0"], "1 to 64 nodes")
    refuses(simulate, ["--nodes", "10000"], "1 to 64 nodes")
    refuses(simulate, ["--nodes", "-1"], "nodes")
    refuses(simulate, ["--rate", "-1"], "a rate is 0")
    refuses(simulate, ["--rate", "fast"], "rate")
    refuses(simulate, ["--faults", "kil:n2@3"], 'did you mean "kill"?')
    refuses(simulate, ["--faults", "kill:n9@3"], "there are 5 nodes")
    refuses(simulate, ["--mode", "virtual", "--nodes", "1001"], "1 to 1000 nodes")
    refuses(simulate, ["--mode", "virtual", "--seeds", "7"], "--seeds is A..B")
    refuses(simulate, ["--trace", "-"], "--seeds and --trace are for --mode virtual")
    refuses(simulate, ["--mode", "virtual", "--seeds", "1..2", "--trace", "-"], "show one run")
    refuses(simulate, ["--mode", "real"], "real")
    refuses(simulate, ["--input", "/nowhere/lessons.jsonl"], 'cannot read "/nowhere/lessons.jsonl"')
    refuses(simulate, ["--report", "/nowhere/report.html"], 'cannot write "/nowhere/report.html"')
    return "every refusal says what to do"


def bad_lines(simulate):
    """Lines that are no events are skipped, and told with their numbers, in both modes."""
    with tempfile.TemporaryDirectory() as place:
        lines = pathlib.Path(place) / "lessons.jsonl"
        good = '{"name":"lesson.published","lessonId":"l%d","title":"t","body":"b"}\n'
        lines.write_text("".join(good % i for i in range(50)) + "{ no json\n" +
                         "".join(good % i for i in range(50)))
        for mode in ("processes", "virtual"):
            done = run(simulate, "--mode", mode, "--nodes", "3", "--publishers", "2", "--handlers",
                       "indexer", "--events", "1000", "--rate", "0", "--input", str(lines),
                       place=place)
            check(done.returncode == 0, done.stdout + done.stderr)
            check("note: n1: line 51: " in done.stdout, f"{mode}: it is not told: {done.stdout}")
            check("100 events accepted, 300 handled" in done.stdout, done.stdout)
            check("lesson.published" in done.stdout, done.stdout)
    return "line 51 is told"


def poison_is_exact(simulate):
    """Each so-many-th event is poison, for every node, in both modes."""
    with tempfile.TemporaryDirectory() as place:
        report = pathlib.Path(place) / "report.json"
        for mode in ("processes", "virtual"):
            done = run(simulate, "poison-event", "--mode", mode, "--events", "1999", "--rate",
                       "2000", "--publishers", "2", "--json", str(report), place=place)
            check(done.returncode == 0, done.stdout + done.stderr)
            dead = [row["dead"] for row in json.loads(report.read_text())["ledger"]]
            check(dead == [3, 3, 3], f"{mode}: dead are {dead} of 1,999")
    return "3 of 1,999"


def plugin(name, place):
    """A copy of what was built, where nobody else can write."""
    samples, tests = PLUGINS / "examples/plugins" / name, PLUGINS / "tests/plugins"
    to = pathlib.Path(place) / f"lib{name}.so"
    shutil.copy((samples if samples.is_dir() else tests) / to.name, to)
    to.chmod(0o755)
    return str(to)


class Reported:
    """One run, as its report tells it."""

    def __init__(self, simulate, *arguments, code=0):
        with tempfile.TemporaryDirectory() as place:
            report = pathlib.Path(place) / "report.json"
            done = run(simulate, *arguments, "--json", str(report), place=place)
            self.said = done.stdout + done.stderr
            check(done.returncode == code, f"{arguments} ended with {done.returncode}: {self.said}")
            self.json = json.loads(report.read_text())
            report.unlink()
            check(not leftovers(place), f"{arguments} left {leftovers(place)}")

    def rows(self, of):
        """Of subscriptions whose names begin so, by topic."""
        return [row for row in self.json["ledger"] if row["subscription"].startswith(of)]

    def notes(self, words):
        return [note for note in self.json["notes"] if words in note]


def plugin_is_judged(simulate):
    """G112: A plugin's handlers, and what they publish, are checked, also through a kill."""
    said = []
    with tempfile.TemporaryDirectory() as place:
        notifier = plugin("notifier", place)
        for mode in ("processes", "virtual"):
            for name in ("steady", "kill-one"):
                told = Reported(simulate, name, "--mode", mode, "--nodes", "3", "--handlers",
                                "indexer", "--rate", "300", "--duration", "6", "--plugin", notifier)
                taken = told.rows("notifier.notifier@")
                sent = [row for row in told.rows("indexer@") if row["topic"] == "notice.wanted"]
                check(len(taken) == 3 and len(sent) == 3, f"{mode}, {name}: {told.json['ledger']}")
                handled = sum(row["handled"] for row in taken)
                check(name != "steady" or handled == 3 * 1800, f"{mode}: {handled} were handled")
                own = int(told.notes("were published by plugins")[0].split()[0])
                check(own >= handled and (name != "steady" or own == handled),
                      f"{mode}, {name}: {own} notices for {handled} lessons")
                check(told.notes("plugin notifier 1.0.0 is on all nodes"), told.said)
                said.append(str(own))
    return f"notices: {', '.join(said)}"


def plugin_takes_its_own_events(simulate):
    """Lines of events that only a plugin knows are published, and come to its handlers."""
    with tempfile.TemporaryDirectory() as place:
        lines = pathlib.Path(place) / "lines"
        lines.write_text("".join(
            f'{{"name":"student.enrolled","lessonId":"l{i % 7}","studentId":"s{i % 50}"}}\n'
            for i in range(200)) + '{"name":"sabotage.ordered","target":"a","harm":"reject"}\n' * 3)
        for mode in ("processes", "virtual"):
            told = Reported(simulate, "--mode", mode, "--nodes", "3", "--publishers", "2",
                            "--handlers", "audit", "--rate", "0", "--input", str(lines), "--allow",
                            "dead", "--plugin", plugin("enrollment_stats", place) + "@n2",
                            "--plugin", plugin("saboteur", place) + "@n2/n3")
            orders = told.rows("saboteur.orders@")
            check([row["dead"] for row in orders] == [3, 3], f"{mode}: {orders}")
            totals = [row for row in told.rows("audit@") if row["topic"] == "enrollment.total"]
            check([row["handled"] for row in totals] == [200, 200, 200], f"{mode}: {totals}")
            check(told.notes("saboteur 1.0.0 is on n2, n3"), told.said)
    return "200 totals, 6 refusals"


def plugin_that_fails(simulate):
    """G112: What a plugin does wrong is a violation unless allowed; its settings reach it."""
    with tempfile.TemporaryDirectory() as place:
        for mode in ("processes", "virtual"):
            harm = ["--mode", mode, "--nodes", "3", "--handlers", "indexer", "--events", "500",
                    "--rate", "500", "--plugin", plugin("saboteur", place)]
            refusing = [*harm, "--set", "saboteur.harm=reject"]
            told = Reported(simulate, *refusing, code=1)
            check("dead: " in told.said, told.said)
            told = Reported(simulate, *refusing, "--allow", "dead")
            dead = [row["dead"] for row in told.rows("saboteur.lessons@")]
            check(dead == [500, 500, 500], f"{mode}: dead are {dead}")
            told = Reported(simulate, *harm, "--set", "saboteur.harm=throw", "--set",
                            "saboteur.tries=1", "--set", "saboteur.key=lesson-7")
            check(told.rows("saboteur.lessons@n2")[0]["handled"] == 500, told.said)
    return "1,500 refusals"


def plugin_that_crashes(simulate):
    """A node that dies of an event twice refuses it the third time, as in production."""
    with tempfile.TemporaryDirectory() as place:
        lines = pathlib.Path(place) / "lines"
        lesson = '{"name":"lesson.published","lessonId":"l%d","title":"t","body":"b"}\n'
        lines.write_text("".join(lesson % (i % 9) for i in range(300)) +
                         '{"name":"sabotage.ordered","target":"a","harm":"segfault"}\n' +
                         "".join(lesson % (i % 9) for i in range(300)))
        how = ["--nodes", "3", "--publishers", "1", "--handlers", "indexer", "--rate", "200",
               "--input", str(lines), "--plugin", plugin("saboteur", place) + "@n2"]
        # While others are loaded after it, it dies again, of what comes again: the node has not
        # said yet that it is up, and has handled events.
        others = [plugin(one, place) + "@n2" for one in ("enrollment_stats", "notifier", "tally_1")]
        for more in ([], [word for one in others for word in ("--plugin", one)]):
            told = Reported(simulate, *how, *more, "--allow", "dead", "--allow", "crashed")
            check(len(told.notes("n2 crashed, and was started again")) == 2, told.said)
            check(len(told.notes("n2: died in saboteur.orders@1.0.0")) == 2, told.said)
            check(told.rows("saboteur.orders@n2")[0]["dead"] == 1, told.said)
        check(any("Segmentation fault" in one["cause"] for one in told.json["dead_letters"]),
              str(told.json["dead_letters"]))
        told = Reported(simulate, *how, code=1)
        check("crashed: the process of node n2" in told.said, told.said)
    return "refused at the third start"


def plugin_that_defers(simulate):
    """What is answered later counts then; virtual time refuses answers of other threads."""
    with tempfile.TemporaryDirectory() as place:
        late = ["--nodes", "3", "--handlers", "indexer", "--events", "300", "--rate", "300",
                "--plugin", plugin("late", place)]
        for more in (["--mode", "processes"],
                     ["--mode", "virtual", "--set", "late.elsewhere=false"]):
            told = Reported(simulate, *late, *more)
            check([row["handled"] for row in told.rows("late.answerer@")] == [300] * 3, told.said)
        told = Reported(simulate, *late, "--mode", "virtual", code=1)
        check("NOT CHECKED: handler late.answerer answers from a thread of its own" in told.said,
              told.said)
    return "answers are waited for"


def plugin_in_virtual_time(simulate):
    """The same seed gives the same trace with a plugin, too; CAF actors have no place in it."""
    with tempfile.TemporaryDirectory() as place:
        how = ["kill-one", "--events", "400", "--seed", "5", "--mode", "virtual", "--trace", "-",
               "--plugin", plugin("enrollment_stats", place), "--plugin", plugin("notifier", place)]
        first = run(simulate, *how, place=place).stdout
        check("notice.wanted" in first and len(first) > 100_000, "the trace is short")
        check(first == run(simulate, *how, place=place).stdout, "two runs of one seed differ")
        swept = run(simulate, *how[:3], "--mode", "virtual", "--seeds", "1..3", *how[-2:],
                    place=place)
        check("3 runs passed, seeds 1 to 3" in swept.stdout, swept.stdout + swept.stderr)
        lines = pathlib.Path(place) / "lines"
        lines.write_text('{"name":"lesson.published","lessonId":"a","meta":{"$subject":"de"}}\n' *
                         300)
        actor = ["--plugin", plugin("actor_1", place), "--nodes", "3", "--handlers", "indexer",
                 "--input", str(lines)]
        refuses(simulate, ["--mode", "virtual", *actor], "is a CAF actor")
        told = Reported(simulate, *actor)
        check([row["handled"] for row in told.rows("actor.handler@")] == [300] * 3, told.said)
    return f"{len(first)} bytes"


def bad_plugins(simulate):
    """A plugin that does not load is refused with a sentence, before anything runs."""
    with tempfile.TemporaryDirectory() as place:
        stats, notifier = plugin("enrollment_stats", place), plugin("notifier", place)
        for mode in ("processes", "virtual"):
            for wrong, words in (
                    (["/nowhere/lib.so"], "cannot open it"),
                    ([plugin("no_plugin", place)], "but no plugin"),
                    ([plugin("unruly_throws", place)], "in a process of its own"),
                    ([plugin("unruly_crashes", place)], "Segmentation fault"),
                    ([stats, "--plugin", notifier, "--plugin", stats],
                     "two plugins are named 'enrollment-stats'"),
                    ([plugin("tally_1", place), "--plugin", plugin("tally_2", place)],
                     "two plugins are named 'tally'"),
                    ([notifier, "--set", "notifier.greting=Hear"], 'has no setting "greting"'),
                    ([notifier, "--set", "greeting=Hear"], "write it as PLUGIN.NAME=VALUE"),
                    ([notifier, "--set", "bell.greeting=Hear"], 'no plugin is named "bell"'),
                    ([notifier + "@n9"], "there are 5 nodes")):
                refuses(simulate, ["--mode", mode, "--plugin", *wrong], words)
        pathlib.Path(notifier).chmod(0o777)
        refuses(simulate, ["--plugin", notifier], "others may write to it")
    return "every refusal says what is wrong"


def processes_of(group):
    """Of that process group, and of those below it, from /proc."""
    found, parents = [], {}
    for entry in pathlib.Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                fields = (entry / "stat").read_text().rsplit(")", 1)[1].split()
                parents[int(entry.name)] = (int(fields[1]), fields[0])
            except OSError:
                continue
    waiting = [group]
    while waiting:
        one = waiting.pop()
        below = [pid for pid, (parent, state) in parents.items() if parent == one and state != "Z"]
        found += below
        waiting += below
    return found


def started(simulate, place):
    """A run of `steady` that publishes already."""
    running = subprocess.Popen([simulate, "steady"], stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                               text=True, env={**os.environ, "TMPDIR": place})
    for line in running.stderr:
        if "published" in line:
            break
    return running


def interrupted(simulate):
    """Ctrl-C ends all nodes within two seconds, and the ledger is printed."""
    with tempfile.TemporaryDirectory() as place:
        running = started(simulate, place)
        children = processes_of(running.pid)
        check(len(children) == 5, f"{len(children)} nodes were running")
        began = time.monotonic()
        running.send_signal(signal.SIGINT)
        said = running.communicate(timeout=20)[0]
        took = time.monotonic() - began
        check(running.returncode == 130, f"it ended with {running.returncode}")
        check(took < 2.5, f"it took {took:.1f} s")
        check("indexer@n2" in said and "NOT CHECKED: the run was interrupted" in said, said)
        still = [pid for pid in children if os.path.exists(f"/proc/{pid}")]
        check(not still, f"{still} live on")
        check(not leftovers(place), f"it left {leftovers(place)}")
    return f"in {took:.1f} s"


def crashed(simulate):
    """A node that somebody kills is a failure of the run, and its last words are shown."""
    with tempfile.TemporaryDirectory() as place:
        running = started(simulate, place)
        os.kill(processes_of(running.pid)[2], signal.SIGSEGV)
        said = running.communicate(timeout=100)[0]
        check(running.returncode == 1, f"it ended with {running.returncode}: {said}")
        check("crashed: the process of node n" in said and "signal 11" in said, said)
        check(not leftovers(place), f"it left {leftovers(place)}")
    return "it is told"


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--simulate", required=True)
    parser.add_argument("--plugins", type=pathlib.Path, help="the build directory they are in")
    parser.add_argument("--only", action="append", help="tests whose names begin so")
    parser.add_argument("--virtual-seeds", type=int)
    parser.add_argument("--at-once", type=int, default=AT_ONCE)
    args = parser.parse_args()
    listed = subprocess.run([args.simulate, "scenarios"], capture_output=True, text=True,
                            check=True).stdout
    names = [line.split()[0] for line in listed.splitlines()]
    tests = [(f"processes/{name}/{seed}", scenario, (name, seed)) for name in names
             for seed in range(SEED, SEED + (20 if SOAK else 1))]
    seeds = range(SEED, SEED + (args.virtual_seeds or (1000 if SOAK else 20)))
    tests += [(f"virtual/{name}/{seeds[at]}", in_virtual_time, (name, seeds[at:at + BLOCK]))
              for name in names for at in range(0, len(seeds), BLOCK)]
    tests += [(test.__name__, test, ()) for test in (bad_input, bad_lines, poison_is_exact,
                                                     interrupted, crashed, same_run,
                                                     fails_and_shrinks)]
    if args.plugins:
        global PLUGINS
        PLUGINS = args.plugins
        tests += [(test.__name__, test, ()) for test in (
            plugin_is_judged, plugin_takes_its_own_events, plugin_that_fails, plugin_that_crashes,
            plugin_that_defers, plugin_in_virtual_time, bad_plugins)]
    if args.only:
        tests = [test for test in tests if any(test[0].startswith(one) for one in args.only)]

    def one(test):
        name, body, arguments = test
        began = time.monotonic()
        try:
            verdict, said = "OK", body(args.simulate, *arguments)
        except Failed as why:
            verdict, said = "FAILED", str(why)
        except subprocess.TimeoutExpired as why:
            verdict, said = "FAILED", f"it did not end: {why.stdout} {why.stderr}"
        print(f"{verdict} {name} ({time.monotonic() - began:.1f} s) {said}", flush=True)
        return verdict == "OK"

    with concurrent.futures.ThreadPoolExecutor(args.at_once) as pool:
        good = list(pool.map(one, tests))
    if not all(good):
        return 1
    print(f"All tests passed ({len(good)} assertions in {len(good)} test cases)")
    return 0


if __name__ == "__main__":
    sys.exit(main())
