#!/usr/bin/env python3
"""Every numbered guarantee is cited by a test's name, and every cited one is written down.

docs/guarantees.md gives each a row `| **G12** | what is promised | ...`. A test cites it in front
of its name: TEST_CASE("G12: ..."), TEST_CASE("G3, G4: ..."), a CTest entry
`add_test(NAME G12.what`,
or, in Python, the beginning of the function's docstring: `N1, G22: ...`.
"""
import re
import sys

from sources import text_of, tracked

PAGE = "docs/guarantees.md"
ROW = re.compile(r"^\|\s*(?:<a[^>]*></a>\s*)?\**(G\d+)\**\s*\|(.*)$", re.M)
CASE = re.compile(r'\b(?:TEST_CASE|SCENARIO|TEST_CASE_METHOD)\(\s*(?:[\w:]+\s*,\s*)?'
                  r'((?:"(?:\\.|[^"\\])*"\s*)+)')
DOCSTRING = re.compile(r'^def \w+\([^)]*\):\n    """((?:[A-Z]\d+(?:, )?)+):', re.M)
LIST = re.compile(r"^((?:G\d+(?:\s*(?:,|and)\s*)?)+):")


def defined_in(text):
    """(number, what is promised) of each row, in order."""
    return [(number, rest.strip(" |")) for number, rest in ROW.findall(text)]


def cited_in(text):
    """Numbers in front of the names of the test cases in a C++ source."""
    cited = set()
    for literals in CASE.findall(text):
        name = "".join(re.findall(r'"((?:\\.|[^"\\])*)"', literals))
        front = LIST.match(name.strip())
        if front:
            cited |= set(re.findall(r"G\d+", front.group(1)))
    return cited


def cited_in_python(text):
    """Numbers in front of the docstrings of functions."""
    return {number for front in DOCSTRING.findall(text) for number in re.findall(r"G\d+", front)}


def cited_in_cmake(text):
    return set(re.findall(r"\b(?:NAME|edupulse_test_\w+\()\s*(G\d+)\b", text))


def complaints(page, cited):
    rows = defined_in(page)
    defined = [number for number, _ in rows]
    order = lambda number: int(number[1:])
    for number in sorted(set(defined), key=order):
        if defined.count(number) > 1:
            yield f"{PAGE}: {number} stands there twice: a number keeps its meaning"
        if number not in cited:
            yield f"{PAGE}: {number} is cited by no test: TEST_CASE(\"{number}: ...\")"
    for number, promise in rows:
        if not promise:
            yield f"{PAGE}: {number} promises nothing"
    for number in sorted(cited - set(defined), key=order):
        yield f"{number} is cited by a test and is not in {PAGE}"


def self_test():
    page = "| **G3** | order |\n| G12 | x |\n"
    assert [number for number, _ in defined_in(page)] == ["G3", "G12"]
    cases = 'TEST_CASE("G3, G4: x") TEST_CASE(\n  "G12 and G7: "\n "more") TEST_CASE("no: G6")'
    assert cited_in(cases) == {"G3", "G4", "G12", "G7"}
    assert cited_in_cmake("add_test(NAME G9.install COMMAND x)") == {"G9"}
    script = 'def cut(lab):\n    """N1, G7, G9: x."""\ndef other(lab):\n    """As in G8: y."""\n'
    assert cited_in_python(script) == {"G7", "G9"}
    assert not list(complaints(page, {"G3", "G12"}))
    assert list(complaints(page, {"G3"})), "G12 is not cited"
    assert list(complaints(page, {"G3", "G12", "G13"})), "G13 is not defined"
    assert list(complaints(page + page, {"G3", "G12"})), "twice"
    assert list(complaints("| G3 | |\n", {"G3"})), "empty"
    print("check_guarantees: the self-test passed")


def main():
    if "--self-test" in sys.argv:
        return self_test()
    cited = set()
    for path in tracked("tests/*.cpp"):
        cited |= cited_in(text_of(path))
    for path in tracked("tests/*.py"):
        cited |= cited_in_python(text_of(path))
    for path in tracked("tests/*CMakeLists.txt"):
        cited |= cited_in_cmake(text_of(path))
    page = "".join(map(text_of, tracked(PAGE)))
    found = list(complaints(page, cited))
    if found:
        print("\n".join(found))
    sys.exit(1 if found else 0)


if __name__ == "__main__":
    main()
