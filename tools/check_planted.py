#!/usr/bin/env python3
"""The planted bugs, in the code and on the page.

schemas/planted.hpp lists them, `./dev bugs` shows which test catches each, and `./dev bugs --write`
makes docs/planted_bugs.md of that. Here is checked that each is made somewhere, that the page tells
of the same ones in the same words, and that the tests it names are there.
"""
import re
import sys

from check_guarantees import CASE
from sources import code_of, text_of, tracked

HEADER = "schemas/planted.hpp"
PAGE = "docs/planted_bugs.md"
ENTRY = re.compile(r'\{"(\w+)",\s*((?:"(?:\\.|[^"\\])*"\s*)+)\}')
SITE = re.compile(r'\bplanted\("(\w+)"\)')
ROW = re.compile(r"^\| `(\w+)` \| (.*) \| `(\w+)`: (.*) \|$", re.M)
LITERAL = re.compile(r'"((?:\\.|[^"\\])*)"')


def joined(literals):
    return "".join(LITERAL.findall(literals)).replace('\\"', '"')


def bugs_in(header):
    """{name: what it does}, in order."""
    return {name: joined(what) for name, what in ENTRY.findall(header)}


def sites_in(source):
    return set(SITE.findall(code_of(source, keep_strings=True)))


def cases_in(source):
    return {joined(literals) for literals in CASE.findall(source)}


def complaints(bugs, sites, rows, cases):
    for name in bugs:
        if name not in sites:
            yield f"{HEADER}: {name} is made nowhere: `planted(\"{name}\")` is in no core"
    for name, _, _, case in rows:
        if case not in cases:
            yield f"{PAGE}: {name}: there is no test \"{case}\": ./dev bugs --write"
    if [(name, what) for name, what, _, _ in rows] != list(bugs.items()):
        listed = [row[0] for row in rows]
        differ = [name for name in bugs if name not in listed]
        differ += [name for name in listed if name not in bugs] or ["the words or the order"]
        yield f"{PAGE}: not as in {HEADER} ({', '.join(differ)}): ./dev bugs --write"


def self_test():
    header = '{"one", "a \\"b\\" "\n "c"},\n{"two",\n "d"},'
    bugs = bugs_in(header)
    assert bugs == {"one": 'a "b" c', "two": "d"}, bugs
    source = '// planted("two")\nif (planted("one") && x)'
    assert sites_in(source) == {"one"}
    cases = cases_in('TEST_CASE("G1: it "\n "holds") TEST_CASE("other")')
    rows = ROW.findall('| `one` | a "b" c | `test_x`: G1: it holds |\n'
                       "| `two` | d | `test_x`: other |\n")
    assert not list(complaints(bugs, {"one", "two"}, rows, cases))
    assert list(complaints(bugs, {"one"}, rows, cases)), "two is made nowhere"
    assert list(complaints(bugs, {"one", "two"}, rows[:1], cases)), "two is not on the page"
    assert list(complaints(bugs, {"one", "two"}, rows[::-1], cases)), "another order"
    assert list(complaints({**bugs, "two": "e"}, {"one", "two"}, rows, cases)), "other words"
    assert list(complaints(bugs, {"one", "two"}, rows, {"other"})), "a test is gone"
    print("check_planted: the self-test passed")


def main():
    if "--self-test" in sys.argv:
        return self_test()
    sites, cases = set(), set()
    for path in tracked("schemas/*.[ch]pp", "actors/*.[ch]pp"):
        sites |= sites_in(text_of(path))
    for path in tracked("tests/*.cpp"):
        cases |= cases_in(text_of(path))
    page = "".join(map(text_of, tracked(PAGE)))
    found = list(complaints(bugs_in(text_of(HEADER)), sites, ROW.findall(page), cases))
    if found:
        print("\n".join(found))
    sys.exit(1 if found else 0)


if __name__ == "__main__":
    main()
