#!/usr/bin/env python3
"""Three edupulse-backend on machines of their own (network namespaces), with TLS between them. One
is cut off until each side believes the other dead. Both sides take lessons when it begins; when the
cut heals, all have them. Usage: backend_partition.py PROGRAM BUILD; needs root, else it is skipped.
"""
import json
import pathlib
import signal
import subprocess
import sys

sys.path.append(str(pathlib.Path(__file__).parent.parent / "cluster"))
import fault_net  # noqa: E402
from fault_kit import Failed, Lab, Skipped, until  # noqa: E402

HTTP, PORT = "127.0.0.1:8080", 7080
SKIP_CODE = 77


class Backend:
    """One process, asked from its own machine."""
    def __init__(self, lab, program, name, host, tls, join=None):
        self.name, self.host = name, host
        self.address = f"{host.address}:{PORT}"
        argv = [program, "--name", name, "--data", str(lab.directory / name), "--http", HTTP,
                "--listen", self.address, "--tls", str(tls), "--profile", "lan"]
        log = lab.later.enter_context(open(lab.directory / f"{name}.log", "wb"))
        self.process = subprocess.Popen(host.inside(argv + (["--join", join] if join else [])),
                                        stdout=subprocess.PIPE, stderr=log, text=True)
        lab.later.callback(self.process.communicate)
        lab.later.callback(self.process.kill)
        if not self.process.stdout.readline().startswith("name="):
            raise Failed(f"{name} does not start")

    def ask(self, path, *more):
        return json.loads(self.host.run("curl", "-sS", f"http://{HTTP}{path}", *more))

    def post(self, number):
        lesson = {"lessonId": str(number), "title": f"Quantum {number}"}
        if "id" not in (said := self.ask("/lessons", "-d", json.dumps(lesson))):
            raise Failed(f"{self.name} does not take a lesson: {said}")

    def found(self):
        hits = self.ask("/search?limit=1000&q=quantum")["hits"]
        return sorted(int(hit["lessonId"]) for hit in hits)

    def has(self, numbers):
        until(lambda: self.found() == list(numbers), 20,
              lambda: f"{self.name} has {self.found()}, and not {numbers}")

    def sees(self, state, *others):
        def all_seen():
            seen = {one["name"]: one["state"] for one in self.ask("/members")}
            return all(seen.get(other.name) == state for other in others)
        until(all_seen, 20, lambda: f"{self.name} sees {self.ask('/members')}")


def partition(lab, program):
    net = fault_net.Net(lab, 3)
    tls = lab.certificates("a", "b", "c")
    a = Backend(lab, program, "a", net.hosts[0], tls["a"])
    b = Backend(lab, program, "b", net.hosts[1], tls["b"], a.address)
    c = Backend(lab, program, "c", net.hosts[2], tls["c"], a.address)
    for each in (a, b, c):
        until(lambda: "error" not in each.ask("/ready?nodes=3"), 20, f"{each.name} is not ready")
    for number in range(20):
        a.post(number)
    for each in (a, b, c):
        each.has(range(20))

    net.rules(*fault_net.isolated(net.hosts[2]))
    for number in range(20, 30):
        a.post(number)
        c.post(number + 10)
    a.sees("dead", c)
    b.sees("dead", c)
    c.sees("dead", a, b)
    c.post(99)  # for itself alone: the dead are owed nothing new
    a.has(range(30))
    b.has(range(30))
    c.has([*range(20), *range(30, 40), 99])

    net.rules()
    for each in (a, b, c):
        each.sees("alive", a, b, c)
    a.has(range(40))
    b.has(range(40))
    c.has([*range(40), 99])
    for each in (a, b, c):
        ledger = each.ask("/ledger")
        lab.check(ledger["balanced"], f"the ledger of {each.name}: {ledger}")
        each.process.send_signal(signal.SIGTERM)
        lab.check(each.process.wait(20) == 0, f"{each.name} does not end well")


def main():
    program, build = sys.argv[1], pathlib.Path(sys.argv[2]).resolve()
    fault_net.sweep()
    lab, good = Lab("backend_partition", build), False
    try:
        partition(lab, program)
        good = True
    except Skipped as why:
        print(f"SKIPPED {why}")
        return SKIP_CODE
    except Failed as why:
        print(f"FAILED {why}\n  what the nodes wrote is in {lab.directory}")
        return 1
    finally:
        lab.close(keep=not good)
        fault_net.take_down_all()
    print("OK")
    return 0


if __name__ == "__main__":
    sys.exit(main())
