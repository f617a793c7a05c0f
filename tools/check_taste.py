#!/usr/bin/env python3
"""Sizes, banned calls and stray sources. Each complaint names what to do instead.

An exception is a line in tools/size_exceptions.txt: `FILE reason` for the size of a file,
`FILE:function_name reason` for the length of a function, `FILE!call reason` for a banned call.
"""
import pathlib
import re
import sys

from sources import code_of, line_at, text_of, tracked

FILE_LIMITS = {".hpp": 200, ".cpp": 400}
FUNCTION_LIMIT = 60
COLUMNS = 100
EXCEPTIONS = "tools/size_exceptions.txt"

LIBRARY = r"^(schemas|actors|runtime(?!/cli))/" # the programs in runtime/cli/ may print
CLOCKLESS = r"^(schemas|actors|tests|tools)/"

# (what, where it is banned, what to do instead)
BANNED = [
    (r"\b(sleep_for|sleep_until|usleep|nanosleep)\b|(?<![\w.:])sleep\s*\(", r"^(?!bench/)",
     "tests advance virtual time or wait on a receipt; the runtime arms its alarm"),
    (r"\b(steady_clock|system_clock|high_resolution_clock)\s*::\s*now\b", CLOCKLESS,
     "take `time_point now` as an argument; runtime/ reads the clock"),
    (r"\brandom_device\b|\bstd::rand\b|\bsrand\b", r"^(schemas|actors|examples|bench|tools)/",
     "take a seed or a random number as an argument; runtime/ draws it"),
    (r"\bstd::(cout|cerr|clog)\b|(?<![\w:.>])(std::)?(printf|puts|fprintf)\s*\(", LIBRARY,
     "return an error or tell the observer; the log is one of its listeners"),
    (r"\b(std::)?f(open|reopen)\s*\(|\btmpfile\s*\(", LIBRARY,
     "std::fstream, or SQLite for what must last"),
    (r"\bgetenv\b", LIBRARY, "an option of the node; what runs may not depend on hidden state"),
    (r"(?<![\w:.>])(std::)?(abort|exit|_Exit|quick_exit|terminate)\s*\(", LIBRARY,
     "return an error: ending the process is the application's decision"),
    (r"\breadMessageUnchecked\b", r"", "schemas/codec.hpp checks what comes from outside"),
    (r"\bcapnp/serialize-async\b", r"", "schemas/codec.hpp: borders read whole, bounded frames"),
    (r"\bdlclose\b", r"", "leave it loaded: a handler may still point into it"),
    (r"\b(strcpy|strcat|sprintf|vsprintf|gets|strtok|atoi|atol|atof)\s*\(", r"",
     "std::string, std::snprintf or std::from_chars: bounded, and errors can be seen"),
    (r"\.detach\s*\(\s*\)", LIBRARY, "join it: what outlives the node is not supervised"),
    (r"\busing\s+namespace\s+std\s*;", r"", "say std::"),
    (r"\bcatch2/catch",
     r"^(?!(tests/support|examples/plugins)/catch\.hpp$|(tests|examples/plugins)/main\.cpp$)",
     '#include "tests/support/catch.hpp", which serves Catch2 v2 and v3'),
]


def exceptions(text):
    """File or FILE:function -> reason; and the complaints about the list itself."""
    listed, wrong = {}, []
    for number, line in enumerate(text.splitlines(), 1):
        if line.strip() and not line.startswith("#"):
            name, _, reason = line.strip().partition(" ")
            listed[name] = reason.strip()
            if not reason.strip():
                wrong.append(f"{EXCEPTIONS}:{number}: {name}: say why after the name")
    return listed, wrong


CONTAINER = re.compile(r"\b(namespace|class|struct|union|enum)\b|\bextern\b")
NAME = re.compile(r"([~\w:]+|operator\s*[^\s\w(]+|operator\s*\(\s*\))\s*\($")


def opens(head):
    """What an opening brace after `head` (the text since the last ; { or }) begins: the name of a
    function, "" for other code, or None for a namespace or class, whose inside is looked at."""
    at = head.find("(")
    before = head[:at] if at >= 0 else head
    ends_like_a_function = re.search(r"\)\s*(const|noexcept|->|\{|$)", head)
    if CONTAINER.search(before) and "=" not in before and not ends_like_a_function:
        return None
    # After a macro's call without a semicolon, `MACRO(x) namespace y {`, the last words count.
    if CONTAINER.search(head[head.rfind(")") + 1:]):
        return None
    if at < 0:
        return ""
    found = NAME.search(head[:at + 1])
    name = found.group(1) if found else "(unnamed)"
    return name if "=" not in re.sub(r"operator\s*\W+", "", before) else "(unnamed)"


def functions(code):
    """(name, first line, lines between its braces) of each function that is not inside another."""
    # Without macros: their braces need not match. With their lines, for the numbers.
    code = re.sub(r"^[ \t]*#(?:[^\n]*\\\n)*[^\n]*", lambda found: "\n" * found.group(0).count("\n"),
                  code, flags=re.M)
    stack, since = [], 0
    for match in re.finditer(r"[{};]", code):
        at = match.start()
        inside = any(what is not None for what, _ in stack)
        if match.group(0) == "{":
            stack.append((opens(code[since:at]) if not inside else "", at))
        elif match.group(0) == "}" and stack:
            what, start = stack.pop()
            if what and not any(outer is not None for outer, _ in stack):
                yield what, line_at(code, start), line_at(code, at) - line_at(code, start) - 1
        if not (match.group(0) == ";" and inside):
            since = at + 1


def size_complaints(path, text, allowed):
    name = str(path)
    limit = FILE_LIMITS.get(path.suffix)
    count = len(text.splitlines())
    if limit and count > limit and path.parts[0] != "tests" and name not in allowed:
        yield f"{name}: {count} lines, at most {limit}: which noun is hiding in it?"
    for number, line in enumerate(text.splitlines(), 1):
        if len(line) > COLUMNS and not line.startswith("TEST_CASE("):
            yield f"{name}:{number}: {len(line)} columns, at most {COLUMNS}"
    if path.suffix in FILE_LIMITS:
        # Comments and blank lines count: a reader reads them too.
        for function, line, length in functions(code_of(text)):
            if length > FUNCTION_LIMIT and f"{name}:{function}" not in allowed:
                yield f"{name}:{line}: {function}() has {length} lines, at most {FUNCTION_LIMIT}"


def banned_calls(path, text, allowed):
    name = str(path)
    code = code_of(text)
    with_names = code_of(text, keep_strings=True)
    for pattern, where, instead in BANNED:
        if re.search(where, name):
            searched = with_names if "/" in pattern else code
            for match in re.finditer(pattern, searched):
                call, line = match.group(0).strip(), line_at(searched, match.start())
                if f"{name}!{re.sub(r'[^a-zA-Z_:]', '', call)}" not in allowed:
                    yield f"{name}:{line}: `{call}` is banned: {instead}"


UNFINISHED = re.compile(r"\b(TODO|FIXME|XXX)\b")


def unfinished(path, text):
    for match in UNFINISHED.finditer(text):
        line = line_at(text, match.start())
        yield f"{path}:{line}: {match.group(0)}: do it, or say in prose what is so"


def complaints(path, text, allowed):
    yield from size_complaints(path, text, allowed)
    yield from banned_calls(path, text, allowed)
    yield from unfinished(path, text)


def sources_outside_cmake(paths, lists):
    """Every source is listed by name; what is in no list is built by nobody."""
    for path in paths:
        named = rf"(?<![\w-]){re.escape(path.name)}(?![\w.])"
        if path.suffix == ".cpp" and not re.search(named, lists):
            yield f"{path}: in no CMakeLists.txt: list it or delete it"


def stale_exceptions(allowed, paths):
    names = {str(path) for path in paths}
    for name in allowed:
        if re.split("[:!]", name)[0] not in names:
            yield f"{EXCEPTIONS}: {name}: there is no such file any more"


def self_test():
    def of(name, text, allowed=()):
        path = pathlib.PurePath(name)
        return list(complaints(path, text, allowed))

    long_body = "  g();\n" * 61
    assert of("actors/a.hpp", "int x;\n" * 201)
    assert not of("actors/a.hpp", "int x;\n" * 201, {"actors/a.hpp": "a table"})
    assert of("actors/a.cpp", "int x;\n" * 401)
    assert of("actors/a.cpp", "x" * 101)
    assert of("actors/a.cpp", "void f() {\n" + long_body + "}\n")
    assert of("a.cpp", "namespace n {\nclass c {\n  c() : x_(1) {\n" + long_body + "  }\n};\n}\n")
    assert of("a.cpp", "auto c::f(int a,\n   int b) const noexcept -> int {\n" + long_body + "}\n")
    assert of("a.cpp", "struct s* f() {\n" + long_body + "}\n")
    assert of("a.cpp", 'TEST_CASE("x") {\n' + long_body + "}\n")
    assert not of("a.cpp", "void f() {\n" + long_body + "}\n", {"a.cpp:f": "a table"})
    assert not of("a.cpp", "void f() {\n" + "  g();\n" * 60 + "}\n")
    assert not of("a.cpp", "struct s {\n" + "  int f() { return 1; }\n" * 70 + "};\n")
    assert not of("a.cpp", "MACRO(x)\nnamespace {\n" + "int g();\n" * 70 + "}\n")
    assert not of("a.cpp", "namespace a::b {\n" + "int g();\n" * 70 + "}\n")
    assert not of("runtime/a.cpp", "w.detach();", {"runtime/a.cpp!detach": "it may never end"})
    for name, call in [
            ("actors/a.cpp", "auto t = std::chrono::steady_clock::now();"),
            ("tests/a.cpp", "std::this_thread::sleep_for(1s);"),
            ("schemas/a.cpp", "std::random_device chance;"),
            ("runtime/a.cpp", 'printf("x");'),
            ("runtime/a.cpp", 'std::cout << "x";'),
            ("runtime/a.cpp", "std::abort();"),
            ("runtime/a.cpp", "capnp::readMessageUnchecked<T>(p);"),
            ("runtime/a.cpp", "#include <capnp/serialize-async.h>"),
            ("runtime/a.cpp", "dlclose(handle);"),
            ("runtime/a.cpp", "worker.detach();"),
            ("tests/a.cpp", "#include <catch2/catch.hpp>"),
            ("actors/a.cpp", "// TODO: later")]:
        found = of(name, call)
        assert found and (":1: " in found[0]), (name, call, found)
    assert not of("runtime/a.cpp", 'std::snprintf(b, 2, "printf("); // printf(')
    assert not of("runtime/a.cpp", "now = std::chrono::steady_clock::now(); log.exit();")
    assert not of("runtime/cli/a.cpp", 'std::cout << "x";')
    assert exceptions("a.cpp\n")[1] and not exceptions("# a\na.cpp it is a table\n")[1]
    assert list(stale_exceptions({"gone.cpp": "x"}, [pathlib.PurePath("a.cpp")]))
    assert list(sources_outside_cmake([pathlib.PurePath("actors/a.cpp")], "bb a.cpp.in xa.cpp"))
    assert not list(sources_outside_cmake([pathlib.PurePath("actors/a.cpp")], "  a.cpp)"))
    print("check_taste: the self-test passed")


def main():
    if "--self-test" in sys.argv:
        return self_test()
    paths = tracked("*.hpp", "*.cpp")
    allowed, found = {}, []
    for path in tracked(EXCEPTIONS):
        allowed, found = exceptions(text_of(path))
    for path in paths:
        text = text_of(path)
        found += complaints(path, text, allowed)
    lists = tracked("*CMakeLists.txt", "*.cmake")
    found += sources_outside_cmake(paths, "\n".join(map(text_of, lists)))
    found += stale_exceptions(allowed, paths)
    for path in tracked("*.py", "dev", ".ci/run"):
        found += size_complaints(path, text_of(path), allowed)
    if found:
        print("\n".join(found))
    sys.exit(1 if found else 0)


if __name__ == "__main__":
    main()
