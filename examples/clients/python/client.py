#!/usr/bin/env python3
"""A member of an EduPulse cluster in Python. See README.md.

Lines of standard input are lessons to publish, as JSON; its end makes the client leave. Events that
match the filters, and what becomes of the members, are lines of standard output.
"""

import argparse
import json
import os
import random
import selectors
import socket
import sys
import time
import uuid
import zlib

from link import Link, matches
from membership import Membership, identity
from wire import EVENTS, CONTROL, LARGEST_EVENT, MEMBERSHIP, Connection, decode, encode

LESSON_PUBLISHED = 0xc615f50379fd0142  # the struct's id, and the type of the payload
OWED_AT_MOST = 256                     # for one peer; then no more is read from standard input
REDIAL_AFTER = 1.0
PATIENCE_AT_END = 30.0


def tell(**what):
    print(json.dumps(what), flush=True)


class Client:
    def __init__(self, options):
        self.filters, self.seed = options.filter, options.join
        self.node = random.getrandbits(64), random.getrandbits(64)
        self.instance = random.getrandbits(64)
        # Nobody listens here. Others that dial it are refused at once, and wait to be dialled.
        self.place = socket.socket()
        self.place.bind(("127.0.0.1", 0))
        address = "127.0.0.1:%d" % self.place.getsockname()[1]
        self.members = Membership(options.cluster, self.node, 1, options.name, address,
                                  lambda name, state: tell(member=name, state=state))
        self.links = {}  # by node and epoch: a later start of a node is another peer
        self.next_dial = {}
        self.lines = b""
        self.input_ended = False

    # -- sessions

    def hello(self, session, role):
        own = self.members.self
        return {"versionMajor": 1, "versionMinor": 0, "cluster": self.members.cluster,
                "nodeHigh": self.node[0], "nodeLow": self.node[1], "bootEpoch": own["epoch"],
                "instance": self.instance, "name": own["name"], "address": own["address"],
                "session": session, "role": role, "maxEventBytes": LARGEST_EVENT}

    def dial(self, address):
        if time.monotonic() < self.next_dial.get(address, 0):
            return
        self.next_dial[address] = time.monotonic() + REDIAL_AFTER
        session = random.getrandbits(63) + 1
        try:
            control = Connection(address, self.hello(session, "control"))
            bulk = Connection(address, self.hello(session, "bulk"))
            link = self.link_to(control.hello)
            link.begin(control, bulk)
            self.members.ask_in(link)
            self.on_frames(link, control)  # what came right behind the hello
        except OSError as why:
            if address == self.seed:  # others may be like this client: nobody listens there
                print(address + ": " + str(why), file=sys.stderr)

    def link_to(self, hello):
        self.members.meet(hello)
        key = identity(hello), int(hello["bootEpoch"])
        if key not in self.links:
            self.links[key] = Link(key[0], self.filters, self.on_event)
        return self.links[key]

    def open_links(self):
        return [link for link in self.links.values() if link.control]

    def keep_sessions(self):
        """One with each member; the seed is dialled until there is one."""
        open_to = {link.node for link in self.open_links()}
        others = self.members.others()
        for key, link in list(self.links.items()):
            if link.node not in others or int(self.members.table[link.node]["epoch"]) != key[1]:
                link.end()
                del self.links[key]
        for who in others:
            if who not in open_to:
                self.dial(self.members.table[who]["address"])
        if not open_to and not others:
            self.dial(self.seed)

    # -- events

    def on_event(self, number, envelope):
        head = decode("Header", envelope)
        topic = ".".join(filter(None, (head["name"], head.get("subject"))))
        payload = {}
        if int(head["schemaId"]) == LESSON_PUBLISHED:
            payload = decode("LessonEvent", envelope).get("payload", {})
        event = uuid.UUID(int=int(head["idHigh"]) << 64 | int(head["idLow"]))
        tell(event=topic, id=str(event), filter=self.filters[number], key=head.get("key", ""),
             payload=payload)

    def publish(self, lesson):
        now = int(time.time() * 1000)
        envelope = encode("LessonEvent", {
            "idHigh": now << 16 | 7 << 12 | random.getrandbits(12),  # a UUID of version 7
            "idLow": 2 << 62 | random.getrandbits(62),
            "publisherHigh": self.node[0], "publisherLow": self.node[1], "occurredAt": now,
            "schemaId": LESSON_PUBLISHED, "schemaVersion": 1, "name": "lesson.published",
            "key": lesson.get("lessonId", ""), "payload": lesson})
        groups = {}
        for link in self.links.values():
            alone = []
            for number, one in link.wanted.items():
                if not matches(one, "lesson.published"):
                    continue
                if one.get("group"):
                    groups.setdefault(one["group"], []).append((link, number, one["name"]))
                else:
                    alone.append(number)
            if alone:
                link.publish(envelope, alone)
        for members in groups.values():  # one of them, the same one for a key
            weight = lambda m: zlib.crc32(repr((lesson.get("lessonId"), m[0].node, m[2])).encode())
            link, number, _ = max(members, key=weight)
            link.publish(envelope, [number])

    # -- the loop

    def read_input(self):
        data = os.read(0, 1 << 16)
        self.input_ended = not data
        *lines, self.lines = (self.lines + data).split(b"\n")
        for line in filter(None, lines):
            self.publish(json.loads(line))

    def on_frames(self, link, connection):
        while frame := connection.next_frame():
            kind, body = frame
            if kind == MEMBERSHIP:
                self.members.on_frame(link, body, self.open_links())
            elif kind == CONTROL and connection is link.control:
                link.on_control(body)
            elif kind == EVENTS and connection is link.bulk:
                link.on_events(body)
            else:
                raise ConnectionAbortedError("a frame that does not belong here")

    def turn(self):
        with selectors.DefaultSelector() as ready:
            for link in self.open_links():
                ready.register(link.control, selectors.EVENT_READ, link)
                ready.register(link.bulk, selectors.EVENT_READ, link)
            busy = any(len(link.owed) > OWED_AT_MOST for link in self.links.values())
            if self.members.is_in and not self.input_ended and not busy:
                ready.register(0, selectors.EVENT_READ)
            found = [(key.data, key.fileobj) for key, _ in ready.select(0.2)]
        for link, connection in found:
            try:
                if link is None:
                    self.read_input()
                elif link.control:
                    connection.read()
                    self.on_frames(link, connection)
            except OSError as why:
                if self.members.self["state"] != "left":
                    print(str(why), file=sys.stderr)
                link.end()

    def run(self):
        while not self.input_ended:
            self.keep_sessions()
            self.turn()
        end = time.monotonic() + PATIENCE_AT_END
        while any(link.owed or link.kept for link in self.links.values()):
            if time.monotonic() >= end:
                print("not everything was handled by everybody", file=sys.stderr)
                break
            self.keep_sessions()
            self.turn()
        self.members.say_goodbye(self.open_links())
        end = time.monotonic() + PATIENCE_AT_END
        while self.members.goodbyes & set(self.open_links()) and time.monotonic() < end:
            self.turn()


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--join", required=True, help="host:port of a member")
    parser.add_argument("--name", default="python", help="a name that no other member has")
    parser.add_argument("--cluster", default="main")
    parser.add_argument("--filter", action="append", default=[], help="may be given repeatedly")
    Client(parser.parse_args()).run()


if __name__ == "__main__":
    main()
