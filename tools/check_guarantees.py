#!/usr/bin/env python3
"""Every numbered guarantee is cited by a test's name, and every cited one is written down."""
import pathlib
import re
import sys

from check_layers import tracked


def defined_in(text):
    return set(re.findall(r"^\| \*\*(G\d+)\*\*", text, re.M))


def cited_in(text):
    cited = set()
    for name in re.findall(r'TEST_CASE\(\s*"([^"]*)"', text):
        cited |= set(re.findall(r"\bG\d+\b", name.split(":")[0]))
    return cited


def self_test():
    assert defined_in("| **G3** | order |\n| **G12** | x |") == {"G3", "G12"}
    assert cited_in('TEST_CASE("G3, G4: order") TEST_CASE("no G5 here: G6")') == {"G3", "G4", "G5"}
    print("check_guarantees: the self-test passed")


def main():
    if "--self-test" in sys.argv:
        return self_test()
    defined = defined_in(pathlib.Path("docs/guarantees.md").read_text(encoding="utf-8"))
    cited = set()
    for path in tracked("tests/*.cpp"):
        cited |= cited_in(pathlib.Path(path).read_text(encoding="utf-8"))
    found = [f"docs/guarantees.md: {one} is cited by no test" for one in sorted(defined - cited)]
    found += [f"{one} is cited by a test and not in docs/guarantees.md" for one in sorted(cited - defined)]
    print("\n".join(found))
    sys.exit(1 if found or not defined else 0)


if __name__ == "__main__":
    main()
