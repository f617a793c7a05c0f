"""Frames: bytes to JSON and back with the `capnp` tool, and a connection that carries them.

One process for each message is slow (some milliseconds), and all that an example needs.
"""

import contextlib
import json
import pathlib
import socket
import struct
import subprocess

HERE = pathlib.Path(__file__).resolve().parent
SCHEMAS = HERE.parents[2] / "schemas"

HELLO, REFUSAL, CONTROL, EVENTS, MEMBERSHIP = 1, 2, 3, 4, 5
LARGEST_EVENT = 1 << 20
LIMITS = {HELLO: 16 << 10, REFUSAL: 16 << 10, CONTROL: 256 << 10,
          EVENTS: (512 << 10) + LARGEST_EVENT, MEMBERSHIP: 16 << 10}
FILES = {"Hello": SCHEMAS / "link.capnp", "Refusal": SCHEMAS / "link.capnp",
         "Control": SCHEMAS / "link.capnp", "EventsHead": SCHEMAS / "link.capnp",
         "Interest": SCHEMAS / "interest.capnp",
         "MembershipFrame": SCHEMAS / "membership.capnp",
         "Header": HERE / "lesson_event.capnp", "LessonEvent": HERE / "lesson_event.capnp"}


def convert(how, kind, data):
    command = ["capnp", "convert", "--short", how, str(FILES[kind]), kind]
    return subprocess.run(command, input=data, stdout=subprocess.PIPE, check=True).stdout


def for_json(value):
    """A number is a double to the tool, and would lose its last bits: large ones travel as text."""
    if isinstance(value, dict):
        return {key: for_json(one) for key, one in value.items()}
    if isinstance(value, (list, tuple)):
        return [for_json(one) for one in value]
    return str(value) if isinstance(value, int) and value >= 1 << 53 else value


def encode(kind, value, form="flat"):
    return convert("json:" + form, kind, json.dumps(for_json(value)).encode())


def decode(kind, data, form="flat"):
    """64-bit numbers come as texts, Data as a list of numbers; what is not set is absent."""
    return json.loads(convert(form + ":json", kind, data))


class Connection:
    """One of the two of a session. Raises OSError when it ends, or when the peer is cut."""

    def __init__(self, address, hello):
        host, port = address.rsplit(":", 1)
        self.socket = socket.create_connection((host.strip("[]"), int(port)), timeout=5)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.buffer = b""
        self.send(HELLO, encode("Hello", hello))
        while not (frame := self.next_frame()):
            self.read()
        if frame[0] == REFUSAL:
            raise ConnectionRefusedError(decode("Refusal", frame[1]).get("text", "refused"))
        self.hello = decode("Hello", frame[1])

    def fileno(self):
        return self.socket.fileno()

    def close(self):
        self.socket.close()

    def send(self, kind, body):
        """When it fails, so does the next `read`: that is the one place where sessions end."""
        try:
            self.socket.sendall(struct.pack("<IBBH", len(body), kind, 0, 0) + body)
        except OSError:
            with contextlib.suppress(OSError):
                self.socket.shutdown(socket.SHUT_RDWR)

    def read(self):
        data = self.socket.recv(1 << 16)
        if not data:
            raise ConnectionResetError("the peer has closed the connection")
        self.buffer += data

    def next_frame(self):
        """(kind, body) of the first whole frame that was read, or nothing."""
        if len(self.buffer) < 8:
            return None
        size, kind, zero, zeros = struct.unpack("<IBBH", self.buffer[:8])
        if zero or zeros or size == 0 or size % 8 or size > LIMITS.get(kind, 0):
            raise ConnectionAbortedError("the peer sent what is no frame")
        if len(self.buffer) < 8 + size:
            return None
        body, self.buffer = self.buffer[8:8 + size], self.buffer[8 + size:]
        return kind, body
