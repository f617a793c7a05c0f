"""Faults of the network, in namespaces: cut, one-way, lossy, slow, flapping, vanished, refused."""
import os
import re
import time

from fault_judge import judge
from fault_kit import SOAK, until
from fault_net import between, isolated, lossy, Net, one_way, reset
from fault_processes import finish

PORT = 4711


def cluster(lab, net, names="abc", **options):
    """A node on each host, plain text, reached at the host's address; all have met."""
    nodes = []
    for name, host in zip(names, net.hosts):
        how = {"listen": f"{host.address}:{PORT}", "insecure": True, "consume": True, **options}
        join = nodes[0].address if nodes else None
        nodes.append(lab.node(name, host, join=join, **how).start())
    lab.await_views(nodes, 20)
    nodes[0].ready(len(nodes))
    return nodes


def isolated_briefly(lab):
    """N1, G22: a node is cut off both ways for less than it takes to be missed."""
    net = Net(lab, 3)
    a, b, c = cluster(lab, net, profile="lan")
    a.publish(10**9, 1000)
    for _ in range(5 if SOAK else 1):
        net.rules(*isolated(net.hosts[1]))
        time.sleep(2)
        net.rules()
        time.sleep(1)
    verdict = finish(a, [a, b, c], lab)
    lab.check(a.news("dead", "b") == 0, "a believed b dead")
    return verdict


def isolated_until_dead(lab):
    """N1, G40: a node is cut off until it is believed dead, and comes back when the cut
    heals."""
    net = Net(lab, 3)
    a, b, c = cluster(lab, net, unreachable_ms=600_000 if SOAK else 60_000)
    a.publish(10**9, 300)
    time.sleep(0.5)
    net.rules(*isolated(net.hosts[1]))
    owed = a.now.last_published()
    for node in (a, c):
        until(lambda: node.news("dead", "b"), 20, f"{node.name} does not believe b dead")
    until(lambda: b.news("dead", "a") and b.news("dead", "c"), 20, "b does not believe it is alone")
    if SOAK:
        time.sleep(30)
        net.rules()
        lab.await_views([a, b, c], 20)
        net.rules(*isolated(net.hosts[1]))
        time.sleep(300)
    net.rules()
    lab.await_views([a, b, c], 20)
    a.ready(3)
    return finish(a, [a, b, c], lab, absent={"b": {"a": owed}})


def split(lab):
    """N2, G22, G40: five nodes fall apart into two and three; both sides go on, and find each
    other."""
    net = Net(lab, 5)
    nodes = a, b, c, d, e = cluster(lab, net, "abcde")
    a.publish(10**9, 200)
    c.ready(5)
    c.publish(10**9, 200)
    time.sleep(0.5)
    sides = [(one, other) for one in net.hosts[:2] for other in net.hosts[2:]]
    net.rules(*[line for pair in sides for line in between(*pair)])
    owed = {node.name: node.now.last_published() for node in (a, c)}
    until(lambda: all(a.news("dead", who) for who in "cde"), 20, "a still believes in c, d, e")
    until(lambda: all(c.news("dead", who) for who in "ab"), 20, "c still believes in a, b")
    before = b.now.handled(), d.now.handled()
    time.sleep(60 if SOAK else 0.5)
    lab.check(b.now.handled() > before[0] and d.now.handled() > before[1], "a side stands still")
    net.rules()
    began = time.monotonic()
    lab.await_views(nodes, 25)
    merged = time.monotonic() - began
    for node in (a, c):
        node.ready(5)
        node.now.say("enough")
        node.published()
    for node in (a, c):
        node.drain(20)
    verdict = judge(lab, [a, c], nodes, absent={node.name: owed for node in nodes})
    return f"merged in {merged:.1f} s; {verdict}"


def one_way_cut(lab):
    """N3, G22: what one node sends to another is lost, and nothing else. Nobody is believed
    dead."""
    net = Net(lab, 3)
    a, b, c = cluster(lab, net, profile="lan")
    a.publish(10**9, 500)
    net.rules(one_way(net.hosts[0], net.hosts[1]))
    time.sleep(60 if SOAK else 9)
    before = c.now.handled()
    net.rules()
    lab.await_views([a, b, c], 25)
    verdict = finish(a, [a, b, c], lab)
    lab.check(before > 2000, f"c had handled {before} events only: it waited for b")
    for node in (a, b, c):
        for other in "abc":
            lab.check(node.news("dead", other) == 0, f"{node.name} believed {other} dead")
    return verdict


def partial_cut(lab):
    """N4, G22: two nodes cannot reach each other, and a third reaches both. Nobody is believed
    dead; what one of them is owed by the other waits."""
    net = Net(lab, 3)
    a, b, c = cluster(lab, net, profile="lan")
    a.publish(10**9, 200)
    net.rules(*between(*net.hosts[:2]))
    time.sleep(120 if SOAK else 9)
    net.rules()
    lab.await_views([a, b, c], 25)
    verdict = finish(a, [a, b, c], lab)
    for node in (a, b, c):
        for other in "abc":
            lab.check(node.news("dead", other) == 0, f"{node.name} believed {other} dead")
    return verdict


def loss(lab):
    """N7, G22: one packet in a hundred, in ten, in five is lost on each way. Nobody is believed
    dead for that; with three in ten lost they may be, and nothing stands still for good."""
    net = Net(lab, 3)
    # With three packets in ten lost a line may stand still for longer than the default waits.
    a, b, c = cluster(lab, net, profile="lan", stall_ms=120_000 if SOAK else 2_000)
    a.publish(10**9, 300)
    for percent in (1, 5, 10, 20) if SOAK else (5, 20):
        net.rules(*lossy(percent))
        time.sleep(60 if SOAK else 4)
        for node in (a, b, c):
            for other in "abc":
                lab.check(node.news("dead", other) == 0,
                          f"{node.name} believed {other} dead at {percent} %")
    net.rules()
    verdict = finish(a, [a, b, c], lab)
    if not SOAK:
        return verdict
    owed = {"a": a.now.last_published()}
    a.publish(10**9, 50)
    net.rules(*lossy(30))
    time.sleep(60)
    net.rules()
    lab.await_views([a, b, c], 20)
    a.ready(3)
    return finish(a, [a, b, c], lab, absent={"b": owed, "c": owed})


def resets(lab):
    """N12, G22, G47: all connections are reset, every second. Best-effort events are never
    repeated."""
    net = Net(lab, 3)
    a, b, c = cluster(lab, net, profile="lan")
    b.ready(3)
    a.publish(10**9, 1000)
    b.publish(10**9, 1000, best=True)
    for _ in range(60 if SOAK else 5):
        net.rules(*reset())
        time.sleep(0.3)
        net.rules()
        time.sleep(0.7)
    lab.await_views([a, b, c], 20)
    for node in (a, b):
        node.now.say("enough")
        node.published()
    for node in (a, b):
        node.drain()
    return judge(lab, [a, b], [a, b, c], drops="b")


def flapping(lab):
    """N5, G60: the cable of a node is out for a second, and in for a second. Nothing piles
    up."""
    net = Net(lab, 3)
    a, b, c = cluster(lab, net, profile="lan")
    a.publish(10**9, 500)
    open_before = None
    for cycle in range(300 if SOAK else 4):
        net.rules(*isolated(net.hosts[1]))
        time.sleep(1)
        net.rules()
        time.sleep(1)
        if cycle == 1:
            open_before = descriptors(a)
    lab.await_views([a, b, c], 20)
    lab.check(descriptors(a) <= open_before + 8, f"a has {descriptors(a)} descriptors open")
    return finish(a, [a, b, c], lab)


def descriptors(node):
    return len(os.listdir(f"/proc/{node.now.process.pid}/fd"))


def slow_link(lab):
    """N11, G12: all that a node gets passes through a narrow line. It stays a member, nobody
    waits for it, memory is bounded, and what it misses is counted and told."""
    net = Net(lab, 3)
    a, b, c = cluster(lab, net, profile="lan", stall_ms=500)
    net.hosts[1].slow_down(512)
    before = a.resident()
    a.publish(20000, 2500)
    a.published(60)
    lab.check(a.resident() - before < 64 << 10, f"a grew by {a.resident() - before} KiB")
    until(lambda: c.now.handled() > 15000, 20, lambda: f"c has handled {c.now.handled()} only")
    for node in (a, b, c):
        for other in "abc":
            lab.check(node.news("dead", other) == 0, f"{node.name} believed {other} dead")
    net.hosts[1].full_speed()
    return finish(a, [a, b, c], lab, drops="a")


def vanished(lab):
    """N13, G40: a host is gone without a word. Nothing waits for it for ever."""
    net = Net(lab, 3)
    a, b, c = cluster(lab, net)
    a.publish(10**9, 500)
    net.hosts[1].vanish()
    until(lambda: a.news("dead", "b") and c.news("dead", "b"), 20, "b is still believed in")
    until(lambda: not net.hosts[0].connections(net.hosts[1]), 30 if SOAK else 10,
          "a still has a connection with b")
    before = c.now.handled()
    until(lambda: c.now.handled() > before + 200, 10, "c gets nothing any more")
    a.now.say("enough")
    a.published()
    return judge_without(lab, a, [a, c])


def judge_without(lab, publisher, consumers):
    """What the publisher owes somebody else is not waited for."""
    def settled():
        lines = publisher.ledger()[0]
        names = ["sink"] + [f"sink@{one.name}" for one in consumers if one is not publisher]
        return all(lines[name]["pending"] == 0 for name in names)
    until(settled, 15, lambda: f"still owed: {publisher.ledger()[0]}")
    return judge(lab, [publisher], consumers)


def stalled_reader(lab):
    """N15, G12: a member answers, and takes no events: its connection for them stands still. It
    is cut after ten seconds, the publisher holds little, and the others notice nothing."""
    net = Net(lab, 3)
    a, b, c = cluster(lab, net, profile="lan", stall_ms=500)
    a.publish(10**9, 1000)
    until(lambda: b.now.handled() > 500, 10, "b handles nothing")
    before = a.resident()
    ports = busiest(net.hosts[0], net.hosts[1])
    net.rules(f"ip saddr {net.hosts[0].address} ip daddr {net.hosts[1].address} "
              f"tcp sport {ports[0]} tcp dport {ports[1]} drop")
    since = b.now.handled()
    until(lambda: "has taken nothing" in a.now.log.read_text(), 15, "a does not cut the session")
    lab.check(a.news("dead", "b") == 0, "b was believed dead: it answered")
    lab.check(a.resident() - before < 64 << 10, f"a grew by {a.resident() - before} KiB")
    until(lambda: b.now.handled() > since + 200, 15, "b gets nothing by the next connection")
    return finish(a, [a, b, c], lab, drops="a")


def busiest(host, other):
    """The connection that has sent most: (own port, the other's port)."""
    text = host.run("ss", "-Htin", "state", "established", "dst", other.address)
    seen = re.findall(r":(\d+)\s+[\d.]+:(\d+)\s.*?bytes_sent:(\d+)", text, re.S)
    return max(seen, key=lambda one: int(one[2]))[:2]


def black_hole(lab):
    """A seed whose host swallows what is sent to it holds nobody up; nor does a node that can only
    dial, since what is sent to its port is swallowed."""
    net = Net(lab, 3)
    net.rules(f"ip daddr {net.hosts[1].address} tcp flags & (syn | ack) == syn drop")
    host = net.hosts[0]
    a = lab.node("a", host, listen=f"{host.address}:{PORT}", insecure=True, consume=True,
                 join=[f"10.77.3.2:{PORT}", f"10.77.2.2:{PORT}"]).start()
    c = lab.node("c", net.hosts[2], listen=f"10.77.3.2:{PORT}", insecure=True, consume=True).start()
    lab.await_views([a, c], 20)
    b = lab.node("b", net.hosts[1], listen=f"10.77.2.2:{PORT}", insecure=True, consume=True,
                 join=a.address).start()
    lab.await_views([a, b, c], 20)
    a.ready(3)
    a.publish(2000, 1000)
    a.published()
    a.drain()
    return judge(lab, [a], [a, b, c])


def small_packets(lab):
    """A link with a small MTU, and events of many packets."""
    net = Net(lab, 2)
    net.hosts[1].mtu(576)
    a, b = cluster(lab, net, "ab", filling=20000)
    b.ready(2)
    for node in (a, b):
        node.publish(300, 0)
    for node in (a, b):
        node.published()
        node.drain(30)
    return judge(lab, [a, b], [a, b])


def moved_seed(lab):
    """N17: the name of a seed leads to another address than before."""
    net = Net(lab, 3)
    net.hosts[1].hosts_file(seed="10.77.1.2")
    a = lab.node("a", net.hosts[2], listen=f"10.77.3.2:{PORT}", insecure=True,
                 consume=True).start()
    b = lab.node("b", net.hosts[1], listen=f"10.77.2.2:{PORT}", insecure=True, consume=True,
                 join=f"seed:{PORT}").start()
    time.sleep(1)
    lab.check(len(b.members()) == 1, f"b sees {b.members()}")
    net.hosts[1].hosts_file(seed="10.77.3.2")
    lab.await_views([a, b], 20)
    a.ready(2)
    a.publish(500, 0)
    a.published()
    a.drain()
    return judge(lab, [a], [a, b])


def across_machines(lab):
    """Three machines, TLS, addresses that differ from where the nodes listen: one listens at all of
    its own, one is behind a router that forwards a port. Bulk traffic all ways."""
    net = Net(lab, 3)
    tls = lab.certificates("a", "b", "c", cluster="school")
    net.forward_port(3, 5000, net.hosts[2], PORT)
    where = {"a": (f"10.77.1.2:{PORT}", None), "b": (f"0.0.0.0:{PORT}", f"10.77.2.2:{PORT}"),
             "c": (f"0.0.0.0:{PORT}", "10.77.3.1:5000")}
    nodes = []
    for (name, (listen, advertise)), host in zip(where.items(), net.hosts):
        nodes.append(lab.node(name, host, listen=listen, advertise=advertise, tls=tls[name],
                              cluster="school", consume=True, profile="lan",
                              join=[node.seed() for node in nodes]).start())
    lab.await_views(nodes, 20)
    for node in nodes:
        node.ready(3)
    began = time.monotonic()
    for node in nodes:
        node.publish(200000 if SOAK else 8000, 0)
    for node in nodes:
        node.published(60)
    for node in nodes:
        node.drain(60)
    took = time.monotonic() - began
    verdict = judge(lab, nodes, nodes)
    b = nodes[1]
    b.kill()
    b.start()
    lab.await_views(nodes, 20)
    return f"{verdict.handled / took:.0f} deliveries/s; {verdict}"


GROUPS = {
    "machines": [across_machines, small_packets, black_hole, moved_seed],
    "cuts": [isolated_until_dead, split, isolated_briefly, one_way_cut, partial_cut],
    "links": [stalled_reader, loss, slow_link, flapping, resets, vanished],
}
