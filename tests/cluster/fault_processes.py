"""Faults of processes: killed, stopped, restarted, told to end, out of descriptors."""
import concurrent.futures
import random
import signal
import socket
import time

from fault_judge import judge
from fault_kit import Failed, SEED, SOAK, until


def finish(publisher, consumers, lab, seconds=30, **how):
    """Ends an endless `publish`, waits until all is concluded, and judges."""
    for consumer in consumers:
        consumer.now.say("slow 0")
    publisher.now.say("enough")
    publisher.published()
    publisher.drain(seconds)
    return judge(lab, [publisher], consumers, **how)


def consumer_killed(lab):
    """P2, N21, G22, G46, G64: SIGKILL of a consumer in mid-stream, and its restart at once, again
    and again."""
    chance = random.Random(SEED)
    a, b = lab.cluster("a", "b", consume=True)  # without a data directory: a new id each time
    c = lab.node("c", join=a.address, consume=True, data=lab.directory / "c").start()
    lab.await_views([a, b, c])
    a.ready(3)
    a.publish(10**9, 2000)
    for cycle in range(500 if SOAK else 20):
        victim = (b, c)[cycle % 2]
        victim.now.say("slow 200")  # so that it is killed inside of the handler, nearly always
        time.sleep(chance.uniform(0.02, 0.3))
        victim.kill()
        victim.start(join=a.address)
    for victim in (b, c):
        lab.check(a.news("replaced", victim.name) > 0, f"a was not told that {victim.name} "
                                                       "is another one")
    return finish(a, [a, b, c], lab)


def publisher_killed(lab):
    """P1, G22: SIGKILL of the publisher. What the others got is a beginning of what it
    published."""
    chance = random.Random(SEED)
    b, c = lab.cluster("b", "c", consume=True)
    a = lab.node("a", join=[b.address, c.address], data=lab.directory / "a").start()
    for _ in range(100 if SOAK else 5):
        a.ready(2)
        a.publish(10**9, 5000)
        time.sleep(chance.uniform(0.1, 0.5))
        a.kill()
        a.start()
    a.ready(2)
    a.publish(1000, 5000)
    a.published()
    a.drain()
    for node in (b, c):
        lab.check(node.news("replaced", "a") > 0, f"{node.name} was not told that a was replaced")
    return judge(lab, [a], [b, c])


def crash_loop(lab):
    """P6, G21: a node is killed within half a second of each start; its epoch only ever
    rises."""
    chance = random.Random(SEED)
    a = lab.cluster("a", consume=True)[0]
    b = lab.node("b", join=a.address, consume=True, data=lab.directory / "b")
    a.publish(10**9, 500)
    epoch = 0
    for _ in range(200 if SOAK else 15):
        b.start(wait=False)
        time.sleep(chance.uniform(0, 0.5 if SOAK else 0.25))
        b.kill()
        for line in b.now.lines:
            if line.startswith("up"):
                lab.check(int(line.split()[3]) > epoch, f"epoch {line} after {epoch}")
                epoch = int(line.split()[3])
                b.address = line.split()[1]
    b.start()
    lab.check(b.epoch > epoch, f"epoch {b.epoch} after {epoch}")
    lab.await_views([a, b])
    lab.check(list(a.members()) == ["a", "b"], f"the members are {a.members()}")
    a.ready(2)
    a.now.say("enough")
    a.published()
    a.publish(500, 0)
    a.published()
    a.drain()
    counts, balances = a.ledger()
    lab.check(balances and not counts["sink@b"]["dropped"], f"{counts}")
    return f"epoch {b.epoch}"


def two_on_one_directory(lab):
    """P7, G21: the second process on one data directory is refused, the first is none the
    worse."""
    home = lab.directory / "home"
    a = lab.node("a", data=home, consume=True).start()
    b = lab.node("b", join=a.address, consume=True).start()
    twin = lab.node("a", join=b.address, data=home)
    for _ in range(3):
        twin.start(wait=False)
        _, line = twin.now.find("up", "failed")
        lab.check(line.startswith("failed"), f"the second one started: {line}")
        twin.now.end()
    lab.await_views([a, b])
    lab.check(b.news("replaced", "a") == 0, "the second one took the place of the first")
    a.ready(2)
    a.publish(1000, 0)
    a.published()
    a.drain()
    return f"'{line}'; {judge(lab, [a], [a, b])}"


def paused_briefly(lab):
    """P4, G22: a consumer is stopped for less than it takes to be missed. Nothing is
    noticed."""
    a, b, c = lab.cluster("a", "b", "c", consume=True, profile="lan")
    a.ready(3)
    a.publish(10**9, 2000)
    for victim in (b, c) * (10 if SOAK else 1):
        victim.pause()
        time.sleep(3 if SOAK else 1.2)
        victim.go_on()
        time.sleep(0.2)
    verdict = finish(a, [a, b, c], lab)
    for node in (a, b, c):
        for other in ("a", "b", "c"):
            lab.check(node.news("dead", other) == 0, f"{node.name} believed {other} dead")
    return verdict


def paused_until_dead(lab):
    """P4, G22, G40: stopped until the others believe it dead; it comes back by itself, as who
    it was."""
    a, b, c = lab.cluster("a", "b", "c", consume=True)
    a.ready(3)
    a.publish(10**9, 300)
    b.pause()
    owed = a.now.last_published()
    for node in (a, c):
        until(lambda: node.news("dead", "b"), 20, f"{node.name} does not believe b dead")
    time.sleep(50 if SOAK else 0.5)
    b.go_on()
    lab.await_views([a, b, c], seconds=20)
    for other in ("a", "c"):
        lab.check(b.news("dead", other) == 0, f"b accuses {other}")
    lab.check(a.news("replaced", "b") == 0, "b came back as somebody else")
    a.ready(3)
    return finish(a, [a, b, c], lab, absent={"b": {"a": owed}})


def paused_until_given_up(lab):
    """P4, G40: stopped for so long that what it was owed has become dead letters. It comes back
    all the same, and is owed what is new."""
    a, b = lab.cluster("a", "b", consume=True, unreachable_ms=60000 if SOAK else 500)
    a.ready(2)
    a.publish(200, 0)
    a.published()
    a.drain()
    b.pause()
    a.publish(10**9, 300)
    until(lambda: a.news("dead", "b"), 20, "a does not believe b dead")
    until(lambda: a.ledger()[0]["sink@b"]["dead"], 80, lambda: f"no dead letters: {a.ledger()}")
    b.go_on()
    lab.await_views([a, b], seconds=6)
    a.ready(2)
    before = b.now.handled()
    until(lambda: b.now.handled() > before + 200, 10, "b gets nothing any more")
    a.now.say("enough")
    a.published()
    a.drain()
    said = a.ledger()
    lab.check(said[1], f"the ledger does not balance: {said}")
    return f"{said[0]['sink@b']['dead']} dead letters"


def stopped_under_load(lab):
    """P3, G12: a consumer stands still while much is published. The publisher sheds, does not
    grow, and serves the other; all that was missed is counted, and told as gaps when it goes
    on."""
    a, b, c = lab.cluster("a", "b", "c", consume=True, profile="wan", stall_ms=300)
    a.ready(3)
    a.publish(2000, 0)
    a.published()
    a.drain()
    before = a.resident()
    b.pause()
    a.publish(300000 if SOAK else 60000, 0)
    a.published(90)
    until(lambda: c.now.handled() >= a.now.handled(), 20, "c did not keep pace with a")
    grown = a.resident() - before
    lab.check(grown < 64 << 10, f"a grew by {grown} KiB")
    b.go_on()
    a.publish(200, 100)
    a.published()
    a.drain(30)
    verdict = judge(lab, [a], [a, b, c], drops="a")
    lab.check(verdict.lost > 0, "nothing was shed: the load was too small")
    lab.check(verdict.gaps == verdict.lost, f"{verdict.lost} are missing, and gaps of "
                                            f"{verdict.gaps} were told")
    return f"grew by {grown} KiB; {verdict}"


def told_to_end(lab):
    """P10, G20: SIGTERM under load: the publisher drains, a consumer says goodbye; all is
    counted."""
    a, b, c = lab.cluster("a", "b", "c", consume=True)
    a.ready(3)
    a.publish(10**9, 3000)
    time.sleep(0.3)
    lab.check(c.now.end(signal.SIGTERM, 10) == 0, f"c ended with {c.now.tail()}")
    until(lambda: a.news("left", "c"), 5, "a was not told that c has left")
    lab.check(a.news("dead", "c") == 0, "a believes that c is dead: it has left")
    time.sleep(0.3)
    lab.check(a.now.end(signal.SIGTERM, 10) == 0, f"a ended with {a.now.tail()}")
    counts, balances = a.final_ledger()
    lab.check(balances, f"the ledger does not balance: {counts}")
    for name, line in counts.items():  # what c is owed is kept for its return, to the end of a
        allowed = {"stopped"} if name == "sink@c" else set()
        lab.check(set(line["dropped"]) <= allowed, f"{name}: {line}")
    return judge(lab, [a], [b])


def told_twice_to_end(lab):
    """P10, G20: a second SIGTERM ends the process at once, also while it starts or drains."""
    a, b = lab.cluster("a", "b", consume=True, data=None)
    b.now.say("slow 1000000")
    a.ready(2)
    a.publish(50, 0)
    a.published()
    until(lambda: b.now.handled() > 0, 5, "b was sent nothing")  # or it has nothing to drain
    b.now.process.send_signal(signal.SIGTERM)
    time.sleep(0.2)
    lab.check(b.now.process.poll() is None, "b did not drain")
    lab.check(b.now.end(signal.SIGTERM, 2) == 143, f"b ended with {b.now.tail()}")
    chance = random.Random(SEED)
    for cycle in range(100 if SOAK else 5):
        c = lab.node("c", join=a.address, data=lab.directory / "c").start(wait=False)
        time.sleep(chance.uniform(0, 0.05))
        c.now.end(signal.SIGTERM, 8)
    c.start()
    lab.await_views([a, c])
    return f"epoch {c.epoch}"


def out_of_descriptors(lab):
    """P13, G61: 40 descriptors and a flood of connections. Who is there stays, nothing spins,
    and when it is over others can come in."""
    a, b = lab.cluster("a", "b", consume=True, files=40)
    a.ready(2)
    a.publish(10**9, 500)
    host, port = a.address.split(":")
    before, at = a.cpu_seconds(), time.monotonic()
    held = []
    end = at + (30 if SOAK else 4)
    while time.monotonic() < end:
        one = socket.socket()
        one.setblocking(False)
        one.connect_ex((host, int(port)))
        held.append(one)
        if len(held) > 500:
            held.pop(0).close()
        time.sleep(0.004)
    used = (a.cpu_seconds() - before) / (time.monotonic() - at)
    lab.check(used < 0.4, f"a used {used:.0%} of a core")
    lab.check(a.sees("a", "b") and b.sees("a", "b"), f"{a.members()} {b.members()}")
    for one in held:
        one.close()
    c = lab.node("c", join=a.address, consume=True).start()
    lab.await_views([a, b, c], 20)
    a.ready(3)
    verdict = finish(a, [a, b], lab)
    for node in (a, b):
        lab.check(node.news("dead", "a") + node.news("dead", "b") == 0, "somebody was given up")
    return f"{used:.1%} of a core; {verdict}"


def all_at_once(lab):
    """N18, G60: they all start in the same moment, and find each other."""
    count = 50 if SOAK else 10
    first = lab.node("n0").start()
    nodes = [first] + [lab.node(f"n{i}", join=first.address) for i in range(1, count)]
    began = time.monotonic()
    for node in nodes[1:]:
        node.start(wait=False)
    for node in nodes[1:]:
        node.up()
    lab.await_views(nodes, 30)
    return f"{count} nodes in {time.monotonic() - began:.1f} s"


def both_dial(lab):
    """G60: two nodes that dial each other in the same moment end up with one session, each
    time."""
    for cycle in range(100 if SOAK else 6):
        a = lab.node(f"a{cycle}", listen=f"127.0.0.1:{free_port()}", consume=True)
        b = lab.node(f"b{cycle}", listen=f"127.0.0.1:{free_port()}", consume=True)
        a.options["join"], b.options["join"] = b.options["listen"], a.options["listen"]
        a.start(wait=False)
        b.start(wait=False)
        a.up()
        b.up()
        lab.await_views([a, b])
        a.ready(2)
        b.ready(2)
        for node in (a, b):
            node.publish(200, 0)
        for node in (a, b):
            node.published()
            node.drain()
        verdict = judge(lab, [a, b], [a, b])
        a.stop()
        b.stop()
    return verdict


def free_port():
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return one.getsockname()[1]


def two_clusters(lab):
    """N19, G62: nodes of another cluster are not let in, and their events stay outside."""
    a, b = lab.cluster("a", "b", consume=True)
    c = lab.node("c", join=[a.address, b.address], cluster="other", consume=True).start()
    d = lab.node("d", join=c.address, cluster="other", consume=True).start()
    lab.await_views([c, d])
    for node in (a, c):
        node.ready(2)
        node.publish(500, 0)
        node.published()
        node.drain()
    for node, others in ((a, "cd"), (b, "cd"), (c, "ab"), (d, "ab")):
        lab.check(not set(others) & set(node.members()), f"{node.name} sees {node.members()}")
    until(lambda: "cluster" in c.now.log.read_text(), 5, "c does not say why it was refused")
    return f"{judge(lab, [a], [a, b])}; {judge(lab, [c], [c, d])}"


def seeds_that_are_not_there(lab):
    """N17: seeds that are down, silent, wrong or oneself; it asks on until one answers."""
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen(8)
        mute = f"127.0.0.1:{silent.getsockname()[1]}"
        later = f"127.0.0.1:{free_port()}"
        b = lab.node("b", consume=True, listen=f"127.0.0.1:{free_port()}")
        b.options["join"] = ["127.0.0.1:1", mute, "no.such.host.invalid:1", b.options["listen"],
                             later]
        b.start()
        time.sleep(10 if SOAK else 1.5)
        lab.check(b.members() == {"b": ("alive", True)}, f"b sees {b.members()}")
        a = lab.node("a", consume=True, listen=later).start()
        lab.await_views([a, b], 30)
    a.ready(2)
    a.publish(500, 0)
    a.published()
    a.drain()
    lines = len(b.now.log.read_text().splitlines())
    lab.check(lines < 200, f"b has written {lines} lines")
    return judge(lab, [a], [a, b])


def strangers(lab):
    """N16, G61, G65: garbage, HTTP, TLS to a plain port and plain text to a TLS port, and
    silence."""
    a, b = lab.cluster("a", "b", consume=True)
    tls = lab.certificates("s")
    s = lab.node("s", tls=tls["s"], consume=True).start()
    a.ready(2)
    a.publish(10**9, 500)
    hello = bytes.fromhex("1603010200010001fc0303") + bytes(500)
    said = (b"GET / HTTP/1.1\r\nHost: x\r\n\r\n", random.Random(SEED).randbytes(5000), hello,
            b"\0" * 64, b"\xff" * 64, b"EHLO x\r\n", b"")
    with concurrent.futures.ThreadPoolExecutor(2 * len(said)) as pool:  # silence lasts 5 s
        for one in [pool.submit(closed_soon, lab, node.address, words)
                    for words in said for node in (a, s)]:
            one.result()
    for _ in range(300):
        closed_soon(lab, a.address, b"GET / HTTP/1.1\r\n\r\n", wait=False)
    lines = len(a.now.log.read_text().splitlines())
    verdict = finish(a, [a, b], lab)
    lab.check(s.members() == {"s": ("alive", True)}, f"s sees {s.members()}")
    return f"{lines} lines of log; {verdict}"


def closed_soon(lab, address, words, wait=True):
    host, port = address.split(":")
    with socket.create_connection((host, int(port)), 5) as one:
        one.settimeout(8)
        try:
            one.sendall(words)
            while wait and one.recv(4096):
                pass
        except ConnectionError:
            pass
        except socket.timeout:
            raise Failed(f"{address} keeps a connection on which {words[:20]!r} came") from None
    lab.check(True, "")


WAITING = {}  # what is known to fail, and why; it is run and told, and fails nobody

GROUPS = {
    "kills": [consumer_killed, publisher_killed, crash_loop, two_on_one_directory],
    "pauses": [paused_until_dead, paused_until_given_up, stopped_under_load, paused_briefly],
    "ends": [out_of_descriptors, told_to_end, told_twice_to_end],
    "meetings": [strangers, all_at_once, seeds_that_are_not_there, both_dial, two_clusters],
}
