"""A network of namespaces: a router in the middle, hosts around it, faults in between.

Each host has a network of its own, 10.77.N.2/24, behind the router's 10.77.N.1, so that all traffic
between two hosts passes through the router's forward chain: what is dropped there is lost without
a word to either side, as on a real network. Nothing of it can be seen from outside: addresses and
names may be the same in two runs at once, but for the names of namespaces, which carry the number
of the process.
"""
import itertools
import os
import pathlib
import re
import shutil
import subprocess

from fault_kit import Skipped

PREFIX = "epfault"
made = []


def call(*words, text=None):
    done = subprocess.run(words, input=text, text=True, capture_output=True)
    if done.returncode != 0:
        raise RuntimeError(f"{' '.join(words)}: {done.stderr.strip()}")
    return done.stdout


def require():
    if os.geteuid() != 0:
        raise Skipped("network namespaces need root")
    for name in ("ip", "nft", "tc"):
        if shutil.which(name) is None:
            raise Skipped(f"there is no `{name}`: install iproute2 and nftables")


def take_down(space):
    """Its devices go with it."""
    subprocess.run(["ip", "netns", "del", space], capture_output=True)
    shutil.rmtree(f"/etc/netns/{space}", ignore_errors=True)
    if space in made:
        made.remove(space)


def take_down_all():
    for space in list(made):
        take_down(space)


def sweep():
    """What a run that was killed has left behind."""
    if os.geteuid() != 0 or shutil.which("ip") is None:
        return
    for name in set(os.listdir("/var/run/netns") if os.path.isdir("/var/run/netns") else []):
        owner = re.fullmatch(rf"{PREFIX}(\d+)-\w+", name)
        if owner and not os.path.exists(f"/proc/{owner[1]}"):
            take_down(name)


class Host:
    """A machine with one interface."""
    def __init__(self, net, number):
        self.net, self.number = net, number
        self.space = f"{net.space}h{number}"
        self.address = f"10.77.{number}.2"
        self.device = f"to{number}"  # at the router

    def inside(self, argv):
        return ["ip", "netns", "exec", self.space] + argv

    def run(self, *words):
        return call(*self.inside(list(words)))

    def vanish(self):
        """The cable is gone, and with it the way back."""
        call("ip", "-n", self.net.space, "link", "del", self.device)

    def hosts_file(self, **names):
        """What `names` resolve to on this host from now on."""
        home = pathlib.Path(f"/etc/netns/{self.space}")
        home.mkdir(parents=True, exist_ok=True)
        text = "127.0.0.1 localhost\n"
        (home / "hosts").write_text(  # the same file, for those who look at it already
            text + "".join(f"{address} {name}\n" for name, address in names.items()))

    def slow_down(self, kbit):
        """What the host gets passes through a bucket of tokens."""
        call("tc", "-n", self.net.space, "qdisc", "replace", "dev", self.device, "root", "tbf",
             "rate", f"{kbit}kbit", "burst", "16kb", "latency", "400ms")

    def full_speed(self):
        call("tc", "-n", self.net.space, "qdisc", "del", "dev", self.device, "root")

    def mtu(self, size):
        call("ip", "-n", self.net.space, "link", "set", self.device, "mtu", str(size))

    def connections(self, other):
        """Established TCP connections with another host, as `ss` shows them."""
        text = self.run("ss", "-Htn", "state", "established", "dst", other.address)
        return [line.split() for line in text.splitlines()]


class Net:
    numbers = itertools.count(1)

    def __init__(self, lab, hosts):
        require()
        self.space = f"{PREFIX}{os.getpid()}-{next(Net.numbers)}"
        self.nat = []
        lab.later.callback(self.close)
        self._add(self.space)
        self.run("sysctl", "-qw", "net.ipv4.ip_forward=1")
        self.hosts = [Host(self, number) for number in range(1, hosts + 1)]
        for host in self.hosts:
            self._connect(host)
        self.rules()

    def _add(self, space):
        made.append(space)
        call("ip", "netns", "add", space)
        call("ip", "-n", space, "link", "set", "lo", "up")

    def _connect(self, host):
        self._add(host.space)
        host.hosts_file()
        call("ip", "-n", self.space, "link", "add", host.device, "type", "veth", "peer", "name",
             "eth0", "netns", host.space)
        call("ip", "-n", self.space, "address", "add", f"10.77.{host.number}.1/24", "dev",
             host.device)
        call("ip", "-n", self.space, "link", "set", host.device, "up")
        call("ip", "-n", host.space, "address", "add", f"{host.address}/24", "dev", "eth0")
        call("ip", "-n", host.space, "link", "set", "eth0", "up")
        call("ip", "-n", host.space, "route", "add", "default", "via",
             f"10.77.{host.number}.1")

    def run(self, *words):
        return call("ip", "netns", "exec", self.space, *words)

    def rules(self, *lines):
        """These, and no others, hold for what is forwarded; none: everything passes."""
        text = ["table inet faults", "delete table inet faults", "table inet faults {",
                "chain forward {", "type filter hook forward priority 0; policy accept;", *lines,
                "}", "chain before {", "type nat hook prerouting priority -100; policy accept;",
                *self.nat, "}", "}"]
        call("ip", "netns", "exec", self.space, "nft", "-f", "-", text="\n".join(text) + "\n")

    def forward_port(self, number, port, host, inner):
        """The router's address in network `number` takes connections for a host behind it."""
        self.nat.append(f"ip daddr 10.77.{number}.1 tcp dport {port} "
                        f"dnat ip to {host.address}:{inner}")
        self.rules()

    def close(self):
        for host in self.hosts if hasattr(self, "hosts") else []:
            take_down(host.space)
        take_down(self.space)


def one_way(sender, receiver):
    return f"ip saddr {sender.address} ip daddr {receiver.address} drop"


def between(one, other):
    return [one_way(one, other), one_way(other, one)]


def isolated(host):
    return [f"ip saddr {host.address} drop", f"ip daddr {host.address} drop"]


def lossy(percent):
    return [f"numgen random mod 100 < {percent} drop"]


def reset():
    """Every TCP segment that carries something is answered with a reset, to its sender."""
    return ["ip protocol tcp reject with tcp reset"]
