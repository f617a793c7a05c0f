"""Node processes for the fault tests: starting, talking, killing, and reading what they saw.

A test is a function that takes a `Lab`. What goes wrong raises `Failed`; whatever it started, or
made, is gone when it ends. Nothing here waits for a length of time when it can wait for an event.
"""
import contextlib
import itertools
import os
import pathlib
import shutil
import signal
import struct
import subprocess
import tempfile
import threading
import time

SOAK = bool(os.environ.get("EDUPULSE_SOAK"))
SEED = int(os.environ.get("EDUPULSE_SEED", "1"))

RECORD = struct.Struct("<IIQIIQQQIIQ")  # fault_journal.hpp
INTENDED, PUBLISHED, HANDLED = 1, 2, 3


class Failed(Exception):
    pass


class Skipped(Exception):
    pass


def until(what, seconds, said):
    """Asks `what` until it says yes, for at most so many seconds."""
    end = time.monotonic() + seconds
    while not (answer := what()):
        if time.monotonic() > end:
            raise Failed(f"after {seconds:g} s: {said() if callable(said) else said}")
        time.sleep(0.02)
    return answer


class Start:
    """One process of a node: what it said, and what it saw."""
    def __init__(self, lab, node, number, argv):
        self.lab, self.node, self.number = lab, node, number
        self.journal = lab.directory / f"{node.name}-{number}.journal"
        self.log = lab.directory / f"{node.name}-{number}.log"
        self.lines, self.changed = [], threading.Condition()
        self.open_end = False  # it was killed: it may have published more than it could note
        argv = argv + ["--start", str(number), "--journal", str(self.journal)]
        with open(self.log, "wb") as log:
            self.process = subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                            stderr=log, text=True, bufsize=1)
        lab.starts.append(self)
        self.reader = threading.Thread(target=self._read, daemon=True)
        self.reader.start()

    def _read(self):
        for line in self.process.stdout:
            with self.changed:
                self.lines.append(line.rstrip("\n"))
                self.changed.notify_all()
        with self.changed:
            self.lines.append("(gone)")
            self.changed.notify_all()

    def say(self, line):
        try:
            self.process.stdin.write(line + "\n")
            self.process.stdin.flush()
        except BrokenPipeError:
            raise Failed(f"{self.node.name} has ended: {self.tail()}") from None

    def find(self, *firsts, since=0, seconds=15.0):
        """The first line from `since` on whose first word is one of these; and where it is."""
        end = time.monotonic() + seconds
        with self.changed:
            at = since
            while True:
                while at < len(self.lines):
                    if self.lines[at].split(" ", 1)[0] in firsts:
                        return at, self.lines[at]
                    if self.lines[at] == "(gone)":
                        raise Failed(f"{self.node.name} ended before {firsts}: {self.tail()}")
                    at += 1
                if not self.changed.wait(end - time.monotonic()):
                    raise Failed(f"{self.node.name} did not say {firsts} in {seconds:g} s")

    def ask(self, line, *firsts, seconds=15.0):
        since = len(self.lines)
        self.say(line)
        at, answer = self.find(*firsts, since=since, seconds=seconds)
        return self.lines[since:at + 1] if firsts == ("end",) else answer

    def tail(self):
        log = self.log.read_text(errors="replace").splitlines()[-5:]
        return f"exit {self.process.poll()}; " + "; ".join(self.lines[-3:] + log)

    def end(self, how=None, seconds=15.0):
        """Waits for the end of the process, after a signal if one is given."""
        if how is not None:
            self.process.send_signal(how)
            self.open_end |= how == signal.SIGKILL
        try:
            code = self.process.wait(seconds)
        except subprocess.TimeoutExpired:
            raise Failed(f"{self.node.name} has not ended {seconds:g} s after {how}") from None
        self.reader.join(5)
        return code

    def records(self):
        """What it noted, in order."""
        if not self.journal.exists():
            return
        with open(self.journal, "rb") as file:
            while chunk := file.read(RECORD.size * 16384):
                kind = 0
                for record in RECORD.iter_unpack(chunk):
                    kind = record[0]
                    if kind:
                        yield record
                if not kind:
                    return  # only holes from here on

    def handled(self):
        """How many events it has handled."""
        return sum(1 for record in self.records() if record[0] == HANDLED)

    def last_published(self):
        return max((record[2] for record in self.records() if record[0] == PUBLISHED), default=0)


class Node:
    """A name in the cluster; it may be started more than once."""
    def __init__(self, lab, name, where=None, **options):
        self.lab, self.name, self.where, self.options = lab, name, where, options
        self.starts = []
        self.address = None

    def start(self, wait=True, **more):
        options = {"listen": self.address or "127.0.0.1:0", **self.options, **more}
        argv = [str(self.lab.program), "--name", self.name]
        for key, value in options.items():
            if value is True:
                argv.append(f"--{key}")
            elif value not in (None, False):
                for one in value if isinstance(value, list) else [value]:
                    argv += [f"--{key.replace('_', '-')}", str(one)]
        if self.where is not None:
            argv = self.where.inside(argv)
        self.starts.append(Start(self.lab, self, next(self.lab.numbers), argv))
        if wait:
            self.up()
        return self

    def up(self):
        at, line = self.now.find("up", "failed")
        if line.startswith("failed"):
            raise Failed(f"{self.name} does not start: {line}")
        _, self.address, self.id, epoch = line.split(" ")
        self.epoch = int(epoch)
        if "advertise" in self.options:
            self.address = self.options["listen"]
        return self

    @property
    def now(self):
        return self.starts[-1]

    def seed(self):
        return self.options.get("advertise") or self.address

    def kill(self):
        self.now.end(signal.SIGKILL)

    def pause(self):
        self.now.process.send_signal(signal.SIGSTOP)

    def go_on(self):
        self.now.process.send_signal(signal.SIGCONT)

    def stop(self, seconds=5):
        self.now.say(f"stop {seconds}")
        return self.now.end(seconds=seconds + 10)

    def publish(self, count, rate, keys=8, best=False):
        self.publishing_since = len(self.now.lines)
        self.now.say(f"publish {count} {rate} {keys}" + (" best" if best else ""))

    def published(self, seconds=30.0, refused=False):
        """Waits for the end of `publish`; answers how many were admitted."""
        _, line = self.now.find("done", since=self.publishing_since, seconds=seconds)
        admitted, no = map(int, line.split(" ")[1:])
        if no and not refused:
            raise Failed(f"{self.name} could not publish {no} events")
        return admitted

    def ready(self, subscriptions, seconds=15):
        answer = self.now.ask(f"ready {subscriptions} {seconds}", "ready", "unready",
                              seconds=seconds + 5)
        if answer != "ready":
            raise Failed(f"{self.name}: {answer}")

    def drain(self, seconds=15):
        """Waits until all that it published has been concluded. (`node::drain` admits nothing
        more; this does.)"""
        def settled():
            return all(line["pending"] == 0 for line in self.ledger()[0].values())
        until(settled, seconds, lambda: f"{self.name} still owes {self.ledger()[0]}")

    def members(self):
        """Name -> (state, connected)."""
        seen = {}
        for line in self.now.ask("members", "end"):
            words = line.split(" ")
            if words[0] == "is":
                seen[words[1]] = (words[2], words[3] == "connected")
        return seen

    def sees(self, *names):
        seen = self.members()
        return all(seen.get(name) == ("alive", True) for name in names)

    def news(self, what, of):
        """How often it was told so of a member, since it was started."""
        wanted = ["member", what, of]
        return sum(1 for line in list(self.now.lines) if line.split(" ")[:3] == wanted)

    def ledger(self):
        """Subscription -> counts, of what was published here; and whether all of it balances."""
        return read_ledger(self.now.ask("ledger", "end"))

    def resident(self):
        """Kilobytes of memory that are its own: the journal's pages are not."""
        status = pathlib.Path(f"/proc/{self.now.process.pid}/status").read_text()
        return int(status.split("RssAnon:")[1].split()[0])

    def cpu_seconds(self):
        text = pathlib.Path(f"/proc/{self.now.process.pid}/stat").read_text()
        fields = text[text.rindex(")") + 2:].split(" ")
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def final_ledger(self):
        """What it said as it stopped."""
        lines = self.now.lines
        at = max(i for i, line in enumerate(lines) if line.startswith("stopped"))
        begin = max((i for i, line in enumerate(lines[:at - 1]) if line == "end"), default=0)
        return read_ledger(lines[begin:at])


def read_ledger(lines):
    counts, balances = {}, "balances" in lines
    for line in lines:
        words = line.split(" ")
        if words[0] == "line" and words[1] == "own":
            numbers = dict(zip(("published", "handled", "dead", "expired", "pending"),
                               map(int, words[3:8])))
            numbers["dropped"] = {key: int(value) for key, value in
                                  (word.split("=") for word in words[8:]) if value != "0"}
            if words[2] in counts:  # of an earlier subscription of that name
                old = counts[words[2]]
                for key in ("published", "handled", "dead", "expired", "pending"):
                    numbers[key] += old[key]
                for key, value in old["dropped"].items():
                    numbers["dropped"][key] = numbers["dropped"].get(key, 0) + value
            counts[words[2]] = numbers
    return counts, balances


directories = []  # of tests that run


class Lab:
    """What one test has made, and takes away again."""
    def __init__(self, name, build):
        self.name = name
        self.program = build / "tests/cluster/fault_node"
        self.pki = build / "runtime/edupulse-pki"
        self.directory = pathlib.Path(tempfile.mkdtemp(prefix=f"edupulse-faults-{name}-"))
        directories.append(self.directory)
        self.starts, self.numbers, self.checks = [], itertools.count(1), 0
        self.later = contextlib.ExitStack()

    def node(self, name, where=None, **options):
        return Node(self, name, where, **options)

    def cluster(self, *names, seconds=15, **options):
        """Started one after the other, all joining through the first; answers when all see all."""
        nodes = []
        for name in names:
            join = nodes[0].address if nodes else None
            nodes.append(self.node(name, **{"join": join, **options}).start())
        self.await_views(nodes, seconds)
        return nodes

    def await_views(self, nodes, seconds=15):
        names = [node.name for node in nodes]
        for node in nodes:
            until(lambda: node.sees(*names), seconds,
                  lambda: f"{node.name} sees {node.members()}, and not all of {names}")

    def check(self, good, said):
        self.checks += 1
        if not good:
            raise Failed(said() if callable(said) else said)

    def certificates(self, *names, cluster="main"):
        """A directory for each node, as `edupulse-pki` makes them."""
        home = self.directory / "pki"
        for words in [["init", "--cluster", cluster]] + [["issue", name] for name in names]:
            subprocess.run([str(self.pki), "--dir", str(home)] + words, check=True,
                           stdout=subprocess.DEVNULL)
        return {name: home / "nodes" / name for name in names}

    def close(self, keep):
        for one in self.starts:
            if one.process.poll() is None:
                one.process.kill()
        for one in self.starts:
            one.process.wait()
            one.process.stdin.close()
            one.reader.join(5)
        self.later.close()
        directories.remove(self.directory)
        if not keep:
            shutil.rmtree(self.directory, ignore_errors=True)
