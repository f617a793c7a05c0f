"""A link: what is told to one start of one peer, and what is heard from it, over sessions that come
and go. What the next session needs is kept here; see "A session" in docs/wire_protocol.md.
"""

import collections
import itertools
import struct

from wire import CONTROL, EVENTS, decode, encode

OVERLOAD = {"overload": "wait", "backlogEvents": 1024, "backlogBytes": 16 << 20,
            "stallAfterMs": 10_000}
# Small: each event takes this client a while, and meanwhile somebody may ask whether it lives.
WINDOW = {"windowEvents": 4, "windowBytes": 1 << 20}


def matches(subscription, topic):
    """`*` stands for one token, `>` for all that is left, at least one."""
    wanted, given = subscription["filter"].split("."), topic.split(".")
    if wanted[-1] == ">" or subscription["andBelow"]:
        below = wanted[-1] != ">"
        wanted = wanted if below else wanted[:-1]
        if len(given) < len(wanted) + (not below):
            return False
        given = given[:len(wanted)]
    return len(wanted) == len(given) and all(w in ("*", g) for w, g in zip(wanted, given))


class Link:
    def __init__(self, node, filters, on_event):
        self.node, self.on_event = node, on_event
        self.control = self.bulk = None
        self.up = False                # the peer's resume has arrived
        self.kept = collections.deque()  # numbered messages that the peer has not confirmed
        self.last_number = 0
        self.control_seen = self.frames_seen = 0
        self.expected = {number: 1 for number in range(len(filters))}
        self.wanted = {}               # the peer's subscriptions, by number
        self.next_dseq = collections.defaultdict(lambda: 1)
        self.owed = []                 # [envelope, {subscription: dseq}], not concluded
        self.sent = 0                  # so many of them, in this session
        self.say_numbered(carried=list(encode("Interest", {"version": 1, "added": [
            {"number": number, "name": "python-" + str(number), "filter": text, **OVERLOAD,
             **WINDOW} for number, text in enumerate(filters)]}, "binary")))

    # -- sessions

    def begin(self, control, bulk):
        self.control, self.bulk, self.up = control, bulk, False
        self.frames_seen = self.sent = 0
        self.say({"resume": {"controlSeen": self.control_seen, "expected": [
            {"subscription": number, "next": due} for number, due in self.expected.items()]}})

    def end(self):
        for one in filter(None, (self.control, self.bulk)):
            one.close()
        self.control, self.bulk, self.up = None, None, False

    # -- to the peer

    def say(self, what):
        self.control.send(CONTROL, encode("Control", what))

    def say_numbered(self, **what):
        self.last_number += 1
        self.kept.append((self.last_number, {"numbered": {"number": self.last_number, **what}}))
        if self.up:
            self.say(self.kept[-1][1])

    def say_taken(self):
        self.say({"taken": {"control": self.control_seen, "frames": self.frames_seen}})

    def publish(self, envelope, numbers):
        targets = {}
        for number in numbers:
            targets[number] = self.next_dseq[number]
            self.next_dseq[number] += 1
        self.owed.append([envelope, targets])
        self.send_events()

    def send_events(self):
        """In order, and only as far as the window of each subscription allows."""
        while self.up and self.sent < len(self.owed):
            envelope, targets = self.owed[self.sent]
            if not all(self.has_room(number, envelope) for number in targets):
                return
            head = encode("EventsHead", {"runs": [{"count": 1, "level": "acknowledged", "targets": [
                {"subscription": number, "dseq": dseq} for number, dseq in targets.items()]}]})
            self.bulk.send(EVENTS, struct.pack("<II", len(head) // 8, 1) + head +
                           struct.pack("<II", len(envelope) // 8, 0) + envelope)
            self.sent += 1

    def has_room(self, number, envelope):
        flying = [len(e) for e, targets in self.owed[:self.sent] if number in targets]
        window = self.wanted[number]
        return len(flying) < int(window["windowEvents"]) and (
            not flying or sum(flying) + len(envelope) <= int(window["windowBytes"]))

    # -- from the peer

    def on_control(self, body):
        what = decode("Control", body)
        if "resume" in what:
            if what["resume"].get("more"):
                return  # the last part counts
            self.up = True
            self.confirm(int(what["resume"]["controlSeen"]))
            for _, message in self.kept:
                self.say(message)
        elif "taken" in what:
            self.confirm(int(what["taken"]["control"]))
        else:
            self.on_numbered(what["numbered"])
        self.send_events()

    def confirm(self, seen):
        while self.kept and self.kept[0][0] <= seen:
            self.kept.popleft()

    def on_numbered(self, what):
        if int(what["number"]) != self.control_seen + 1:
            raise ConnectionAbortedError("a control message is missing")
        self.control_seen += 1
        for run in what.get("acks", []):
            first, count = int(run["first"]), int(run["count"])
            self.conclude(run["subscription"], range(first, first + count))
        if "carried" in what:
            interest = decode("Interest", bytes(what["carried"]), "binary")
            for one in interest.get("added", []):
                self.wanted[one["number"]] = one
            for number in interest.get("removed", []):
                self.wanted.pop(number, None)
                self.conclude(number, range(1, self.next_dseq[number]))
        self.say_taken()

    def conclude(self, number, dseqs):
        sent, self.sent = self.sent, 0
        owed, self.owed = self.owed, []
        for at, (envelope, targets) in enumerate(owed):
            if targets.get(number) in dseqs:
                del targets[number]
            if targets:
                self.owed.append([envelope, targets])
                self.sent += at < sent

    def on_events(self, body):
        words, _ = struct.unpack("<II", body[:8])
        rest = body[8 + 8 * words:]
        self.frames_seen += 1
        acks = []
        for run in decode("EventsHead", body[8:8 + 8 * words])["runs"]:
            envelopes = []
            for _ in range(run["count"]):
                size = 8 + 8 * struct.unpack("<I", rest[:4])[0]
                envelopes.append(rest[8:size])
                rest = rest[size:]
            for to in run["targets"]:
                acks += self.take(to["subscription"], int(to["dseq"]), envelopes)
        if acks:
            self.say_numbered(acks=acks)
        self.say_taken()

    def take(self, number, first, envelopes):
        """Those that are new; the others are repeats. What is concluded gives credit back."""
        skip = self.expected[number] - first
        if skip < 0:
            raise ConnectionAbortedError("an event is missing")
        fresh = envelopes[skip:]
        if not fresh:
            return []
        for envelope in fresh:
            self.on_event(number, envelope)
        self.expected[number] += len(fresh)
        return [{"subscription": number, "first": first + skip, "count": len(fresh),
                 "how": "handled"}]
