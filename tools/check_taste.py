#!/usr/bin/env python3
"""Sizes, banned calls and stray files. Each complaint names the replacement."""
import pathlib
import re
import sys

from check_layers import tracked

LIMITS = {".hpp": 200, ".cpp": 400}
FUNCTION_LIMIT = 60
COLUMNS = 100

# (pattern, where it is banned, what to do instead)
BANNED = [
    (r"\bsleep_for\b|\busleep\b", r"^(schemas|actors|runtime|tests)/",
     "tests advance virtual time; shells arm the alarm"),
    (r"\bsteady_clock::now\b|\bsystem_clock::now\b", r"^(schemas|actors)/",
     "take `time_point now` as an argument (runtime/ may read the clock)"),
    (r"\brandom_device\b|\bstd::rand\b|\bsrand\b", r"^(schemas|actors)/",
     "take a seed as an argument"),
    (r"\bstd::cout\b|(?<![a-z_:])printf\s*\(|\bputs\s*\(", r"^(schemas|actors|runtime)/",
     "the library writes to the log sink only"),
    (r"\breadMessageUnchecked\b", r"", "payload_reader checks what it follows"),
    (r"\bdlclose\b", r"", "nothing is unloaded: code may still be referred to"),
    (r"\basync[-_]?[rR]eader\b|capnp/serialize-async", r"", "the border reads whole frames"),
]


def exceptions():
    listed = {}
    path = pathlib.Path("tools/size_exceptions.txt")
    if path.exists():
        for line in path.read_text(encoding="utf-8").splitlines():
            if line and not line.startswith("#"):
                name, _, reason = line.partition(" ")
                listed[name] = reason
    return listed


def without_comments(text):
    return re.sub(r"//[^\n]*", "", text)


def long_functions(text):
    """(first line, length) of bodies longer than the limit: from an opening brace at the end of a
    line to the brace that closes it at the same indentation, namespaces and classes aside."""
    lines = text.splitlines()
    for number, line in enumerate(lines):
        if not re.search(r"\)\s*(const|noexcept|override|final|mutable|->\s*[\w:<>]+|\s)*\{$", line):
            continue
        indent = len(line) - len(line.lstrip())
        if indent > 2:
            continue
        for end in range(number + 1, len(lines)):
            closing = lines[end]
            if closing.startswith(" " * indent + "}") and len(closing) - len(closing.lstrip()) == indent:
                if end - number - 1 > FUNCTION_LIMIT:
                    yield number + 1, end - number - 1
                break


def complaints(path, text, allowed):
    name = str(path)
    limit = LIMITS.get(path.suffix)
    count = len(text.splitlines())
    if limit and count > limit and path.parts[0] != "tests" and name not in allowed:
        yield f"{name}: {count} lines, at most {limit}: which noun is hiding in it?"
    for number, line in enumerate(text.splitlines(), 1):
        if len(line) > COLUMNS:
            yield f"{name}:{number}: {len(line)} columns, at most {COLUMNS}"
    for line, length in long_functions(text):
        if f"{name}:function" not in allowed:
            yield f"{name}:{line}: a function of {length} lines, at most {FUNCTION_LIMIT}"
    code = without_comments(text)
    for pattern, where, instead in BANNED:
        if re.search(where, name) and name not in allowed:
            for match in re.finditer(pattern, code):
                yield f"{name}: `{match.group(0)}` is banned: {instead}"


def sources_outside_cmake(paths):
    lists = "\n".join(pathlib.Path(p).read_text(encoding="utf-8") for p in tracked("*CMakeLists.txt", "*.cmake"))
    for path in paths:
        if path.suffix == ".cpp" and path.name not in lists:
            yield f"{path}: in no CMakeLists.txt: list it or delete it"


def self_test():
    def of(name, text):
        return list(complaints(pathlib.PurePath(name), text, {}))
    assert of("actors/a.hpp", "int x;\n" * 201)
    assert of("actors/a.cpp", "x" * 101)
    assert of("actors/a.cpp", "void f() {\n" + "  g();\n" * 61 + "}\n")
    assert of("actors/a.cpp", "auto t = std::chrono::steady_clock::now();")
    assert of("tests/a.cpp", "std::this_thread::sleep_for(1s);")
    assert of("runtime/a.cpp", 'printf("x");')
    assert not of("runtime/a.cpp", 'std::snprintf(b, 2, "x"); // printf(')
    assert not of("runtime/a.cpp", "void f() {\n" + "  g();\n" * 60 + "}\n")
    print("check_taste: the self-test passed")


def main():
    if "--self-test" in sys.argv:
        return self_test()
    allowed = exceptions()
    paths = tracked("*.hpp", "*.cpp")
    found = []
    for path in paths:
        found += complaints(path, pathlib.Path(path).read_text(encoding="utf-8"), allowed)
    found += sources_outside_cmake(paths)
    print("\n".join(found))
    sys.exit(1 if found else 0)


if __name__ == "__main__":
    main()
