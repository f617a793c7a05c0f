#!/usr/bin/env python3
"""A gate before the Kafka of librdkafka, which knows neither TLS nor passwords: it does TLS with
certificates of both sides, asks for a password by SASL (PLAIN, SCRAM-SHA-512) as Kafka does, and
passes on all that comes after. Prints its port. Answers name the gate as the broker: the client
never meets the one behind it.

Usage: kafka_gate.py PORT_OF_KAFKA CERTIFICATE KEY AUTHORITY_OF_CLIENTS USER PASSWORD
The numbers and forms of requests: https://kafka.apache.org/protocol
"""
import base64
import hashlib
import hmac
import os
import socket
import ssl
import struct
import sys
import threading

API_VERSIONS, SASL_HANDSHAKE, SASL_AUTHENTICATE = 18, 17, 36
UNSUPPORTED_MECHANISM, AUTHENTICATION_FAILED = 33, 58
REFUSAL = b"the gate knows nobody of this name and password"


class Refused(Exception):
    """What a client showed was wrong."""


class Plain:
    def __init__(self, user, password):
        self.expected = b"\0%s\0%s" % (user, password)

    def answer(self, said):
        if not said.endswith(self.expected):  # before it may be whom to act for
            raise Refused
        return b"", True


class Scram:
    """RFC 5802, with SHA-512; the password is salted anew for each client."""

    def __init__(self, user, password):
        self.user, self.salt = user, os.urandom(16)
        salted = hashlib.pbkdf2_hmac("sha512", password, self.salt, 4096)
        self.stored_key = hashlib.sha512(self.mac(salted, b"Client Key")).digest()
        self.server_key = self.mac(salted, b"Server Key")
        self.first = None  # what both sides said at first

    @staticmethod
    def mac(key, text):
        return hmac.new(key, text, hashlib.sha512).digest()

    def answer(self, said):
        if self.first is None:
            bare = said.split(b",", 2)[2]  # behind "n,,"
            parts = dict(one.split(b"=", 1) for one in bare.split(b","))
            if parts[b"n"] != self.user:
                raise Refused
            self.nonce = parts[b"r"] + base64.b64encode(os.urandom(18))
            said_here = b"r=%s,s=%s,i=4096" % (self.nonce, base64.b64encode(self.salt))
            self.first = bare + b"," + said_here
            return said_here, False
        without_proof, proof = said.rsplit(b",p=", 1)
        both = self.first + b"," + without_proof
        signature = self.mac(self.stored_key, both)
        key = bytes(a ^ b for a, b in zip(base64.b64decode(proof), signature))
        # librdkafka before 2.2 says its own part of the nonce twice, and Kafka lets it.
        if not without_proof.startswith(b"c=biws,r=") or \
                not without_proof.endswith(self.nonce) or \
                hashlib.sha512(key).digest() != self.stored_key:
            raise Refused
        return b"v=" + base64.b64encode(self.mac(self.server_key, both)), True


MECHANISMS = {b"PLAIN": Plain, b"SCRAM-SHA-512": Scram}


def read(source, size):
    got = b""
    while len(got) < size:
        more = source.recv(size - len(got))
        if not more:
            raise EOFError
        got += more
    return got


def read_frame(source):
    size, = struct.unpack(">i", read(source, 4))
    return read(source, size)


def write_frame(to, body):
    to.sendall(struct.pack(">i", len(body)) + body)


def with_sasl(answer):
    """Adds the two requests that the gate answers itself to the answer to API_VERSIONS."""
    error, = struct.unpack_from(">h", answer, 4)
    flexible = error == 0 and answer[6] != 0  # else it begins with a count of four bytes
    more = [(SASL_HANDSHAKE, 0, 1), (SASL_AUTHENTICATE, 0, 0)]
    if flexible:
        head = answer[:6] + bytes([answer[6] + len(more)])
        return head + b"".join(struct.pack(">hhhb", *one, 0) for one in more) + answer[7:]
    count, = struct.unpack_from(">i", answer, 6)
    head = answer[:6] + struct.pack(">i", count + len(more))
    return head + b"".join(struct.pack(">hhh", *one) for one in more) + answer[10:]


def place(host, port):
    """As it is in answers. The two hosts are of one length, so those stay as long as they are."""
    return host + struct.pack(">i", port)


class Gate:
    def __init__(self, kafka_port, certificate, key, authority, user, password):
        self.kafka = ("127.0.0.1", int(kafka_port))
        self.user, self.password = user.encode(), password.encode()
        self.tls = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH, cafile=authority)
        self.tls.load_cert_chain(certificate, key)
        self.tls.verify_mode = ssl.CERT_REQUIRED
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]

    def serve(self, plain):
        try:
            with self.tls.wrap_socket(plain, server_side=True) as client, \
                    socket.create_connection(self.kafka) as kafka:
                self.authenticate(client, kafka)
                threading.Thread(target=self.ask, args=(client, kafka), daemon=True).start()
                there = place(b"127.0.0.1", self.kafka[1])
                here = place(b"localhost", self.port)
                while True:
                    write_frame(client, read_frame(kafka).replace(there, here))
        except (OSError, EOFError, Refused):
            plain.close()

    @staticmethod
    def ask(client, kafka):
        try:
            while True:
                write_frame(kafka, read_frame(client))
        except (OSError, EOFError, ValueError):  # a client that is gone, or closed
            try:
                kafka.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass

    def authenticate(self, client, kafka):
        asked = None
        while True:
            request = read_frame(client)
            api, _, number, named = struct.unpack_from(">hhih", request)
            body = request[10 + max(named, 0):]
            head = struct.pack(">i", number)
            if api == API_VERSIONS:
                write_frame(kafka, request)
                write_frame(client, with_sasl(read_frame(kafka)))
            elif api == SASL_HANDSHAKE:
                made = MECHANISMS.get(body[2:])
                asked = made and made(self.user, self.password)
                names = b"".join(struct.pack(">h", len(one)) + one for one in MECHANISMS)
                error = 0 if asked else UNSUPPORTED_MECHANISM
                write_frame(client, head + struct.pack(">hi", error, len(MECHANISMS)) + names)
            elif api == SASL_AUTHENTICATE and asked:
                if self.answer_to(asked, body[4:], client, head):
                    return
            else:
                raise Refused  # nothing else before it is known who is there

    @staticmethod
    def answer_to(asked, said, client, head):
        try:
            answer, done = asked.answer(said)
        except Refused:
            write_frame(client, head + struct.pack(">hh", AUTHENTICATION_FAILED, len(REFUSAL)) +
                        REFUSAL + struct.pack(">i", 0))
            raise
        write_frame(client, head + struct.pack(">hhi", 0, -1, len(answer)) + answer)
        return done


def main():
    gate = Gate(*sys.argv[1:])
    print(gate.port, flush=True)
    while True:
        client, _ = gate.listener.accept()
        threading.Thread(target=gate.serve, args=(client,), daemon=True).start()


main()
