#!/usr/bin/env python3
"""Reads one event back from a broker, with a client that shares no line with ours, and holds it
against the rules of CloudEvents. Usage: read_back.py redis|amqp|kafka HOST:PORT WHERE
"""
import json
import sys

from check_cloudevents import complaints


def from_redis(host, port, stream):
    import redis
    _, fields = redis.Redis(host, port).xrevrange(stream, count=1)[0]
    return fields[b"content-type"], fields[b"data"]


def from_amqp(host, port, queue):
    import pika
    channel = pika.BlockingConnection(pika.ConnectionParameters(host, port)).channel()
    for _, about, body in channel.consume(queue, auto_ack=True, inactivity_timeout=10):
        assert about is not None, "nothing came within ten seconds"
        assert about.message_id and about.delivery_mode == 2, about
        return about.content_type.encode(), body


def from_kafka(host, port, topic):
    import kafka
    reader = kafka.KafkaConsumer(topic, bootstrap_servers=f"{host}:{port}", group_id=None,
                                 auto_offset_reset="earliest", consumer_timeout_ms=10_000,
                                 api_version=(1, 0))
    for message in reader:
        return dict(message.headers)["content-type"], message.value
    sys.exit("nothing came within ten seconds")


def main():
    kind, address, where = sys.argv[1:]
    host, port = address.rsplit(":", 1)
    try:
        content_type, body = {"redis": from_redis, "amqp": from_amqp,
                              "kafka": from_kafka}[kind](host, int(port), where)
    except ImportError as why:
        print(f"skipped: {why}")
        sys.exit(77)
    assert content_type == b"application/cloudevents+json", content_type
    event = json.loads(body)
    found = list(complaints(event))
    print("\n".join(found) if found else f"{kind}: {event['type']} is a CloudEvent")
    sys.exit(1 if found else 0)


if __name__ == "__main__":
    main()
