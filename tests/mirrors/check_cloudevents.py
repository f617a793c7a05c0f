#!/usr/bin/env python3
"""Holds what mirrors write against the rules of CloudEvents 1.0: reads the lines of
write_cloudevents on standard input. The rules are cloudevents.schema.json; those that a schema
cannot say are here. https://github.com/cloudevents/spec/blob/v1.0.2/cloudevents/spec.md
"""
import datetime
import json
import pathlib
import sys

try:
    import jsonschema
except ImportError:
    print("skipped: there is no python3-jsonschema")
    sys.exit(77)

SCHEMA = json.loads((pathlib.Path(__file__).parent / "cloudevents.schema.json").read_text())
RULES = jsonschema.Draft7Validator(SCHEMA)
RESERVED = {"data", "data_base64"}


def event_of(line):
    """The event of a line in binary mode, as the structured mode would say it."""
    if line["mode"] == "structured":
        return line["event"]
    event = {"data": json.loads(line["body"])}
    for name, value in line["headers"].items():
        if name == "content-type":
            event["datacontenttype"] = value
        else:
            assert name.startswith("ce-"), f"header {name} is of nobody"
            event[name[3:]] = value
    assert not any(name[3:] in RESERVED for name in line["headers"]), "data is no attribute"
    return event


def complaints(event):
    for wrong in RULES.iter_errors(event):
        yield wrong.message
    if "time" in event:
        datetime.datetime.fromisoformat(event["time"].replace("Z", "+00:00"))
    for name, value in event.items():
        if isinstance(value, str) and name not in RESERVED:
            if any(ord(c) < 0x20 and c not in "\t\n\r" or 0xD800 <= ord(c) < 0xE000
                   for c in value):
                yield f"{name} has a character that its type String has not"


def self_test():
    good = {"specversion": "1.0", "id": "1", "source": "urn:x", "type": "t"}
    assert not list(complaints(good))
    for wrong in ({"specversion": "0.3"}, {"id": ""}, {"Upper": "x"}, {"dash-ed": "x"},
                  {"object": {}}, {"number": 1.5}, {"subject": ""}, {"time": "yesterday"},
                  {"data": 1, "data_base64": "MQ=="}, {"averyveryverylongname1": "x"}):
        try:
            found = list(complaints({**good, **wrong}))
        except ValueError:
            continue
        assert found, wrong
    for name in good:
        assert list(complaints({key: good[key] for key in good if key != name})), name


def main():
    self_test()
    lines = [json.loads(line) for line in sys.stdin]
    assert len(lines) >= 14, "write_cloudevents wrote too little"
    found = [f"line {number}: {wrong}" for number, line in enumerate(lines, 1)
             for wrong in complaints(event_of(line))]
    for structured, binary in zip(lines[::2], lines[1::2]):
        if event_of(structured) != event_of(binary):
            found.append(f"{structured['event']['id']}: the two modes differ")
    print("\n".join(found) if found else f"{len(lines)} events are CloudEvents 1.0")
    sys.exit(1 if found else 0)


if __name__ == "__main__":
    main()
