"""Prints the events that NATS hands out: nats_read.py PORT SUBJECT COUNT. No library: the protocol
is lines."""
import socket
import sys
import time


def connect(port):
    for _ in range(100):  # the server may still be starting
        try:
            return socket.create_connection(("127.0.0.1", port))
        except ConnectionRefusedError:
            time.sleep(0.1)
    sys.exit(f"nobody listens on port {port}")


def main():
    port, subject, count = int(sys.argv[1]), sys.argv[2], int(sys.argv[3])
    server = connect(port)
    lines = server.makefile("rb")
    server.sendall(b'CONNECT {"verbose": false, "headers": true}\r\n'
                   b"SUB " + subject.encode() + b" 1\r\nPING\r\n")
    while count > 0:
        words = lines.readline().split()
        if not words:
            sys.exit("the server closed the connection")
        if words[0] == b"PING":
            server.sendall(b"PONG\r\n")
        elif words[0] == b"PONG":
            print("listening", flush=True)
        elif words[0] in (b"MSG", b"HMSG"):  # the last numbers: bytes of headers, of all
            message = lines.read(int(words[-1]) + 2)[:-2]
            headers = int(words[-2]) if words[0] == b"HMSG" else 0
            print(words[1].decode(), message[headers:].decode(), flush=True)
            count -= 1


if __name__ == "__main__":
    main()
