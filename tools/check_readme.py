#!/usr/bin/env python3
"""The code and the commands of README.md and docs/*.md work. Usage: check_readme.py BUILD_DIR.

A comment in the line above a block says what is done with it:

  <!-- same as: FILE -->       a ```cpp, ```capnp or ```cmake block that is part of FILE, letter for
                               letter; FILE itself is built and tested with the rest
  <!-- compile: NAME -->       a ```cpp block is compiled and linked as examples/quickstart.cpp is
  <!-- run: NAME -->           and the program ends with 0 within a minute
  <!-- test: FILE -->          the lines of a ```sh block are run, as they stand there, by FILE, a
                               test that says `run_page` (tests/examples/page.sh)
  <!-- not run: REASON -->     nothing, and the reader is told why

Each ```cpp, ```capnp and ```cmake block carries one of these. Each command of a ```sh block is run
from the repository, but for those that would run this check again or take too long (SKIPPED).
"""
import pathlib
import re
import shlex
import subprocess
import sys
import tempfile

from sources import ROOT, line_at, text_of, tracked

BLOCK = re.compile(r"(?:<!-- (same as|compile|run|test|not run): ([^\n]*?) -->\s*\n\s*)?"
                   r"^```(cpp|capnp|cmake|sh)\n(.*?)^```", re.S | re.M)
SKIPPED = ("./dev test", "./dev check", "./dev soak", "./dev bench", "./dev bugs", ".ci/run")
FUZZY = re.compile(r"^\s*(\.\.\.|…)\s*$", re.M)


def commands(body):
    """The command lines of a block: comments gone, lines that end in a backslash joined."""
    for line in body.replace("\\\n", " ").splitlines():
        line = re.sub(r"(^|\s+)#.*$", "", line.removeprefix("$ ")).strip()
        if line and not line.startswith(SKIPPED):
            yield line


def part_of(body, whole):
    """Whether the block's pieces, between lines that say `...`, stand in the file, in order."""
    at = 0
    for piece in FUZZY.sub("\0", body).split("\0"):
        piece = piece.strip("\n")
        found = whole.find(piece, at)
        if found < 0:
            return False
        at = found + len(piece)
    return True


def complaint(mark, value, language, body, tools):
    """What is wrong with one block, or ""."""
    first = body.strip().split("\n")[0]
    if mark == "not run":
        return "" if value else f"`{first}`: say why it is not run"
    if mark == "same as":
        if not (ROOT / value).is_file():
            return f"{value} does not exist"
        same = part_of(body, (ROOT / value).read_text(encoding="utf-8"))
        return "" if same else f"the block differs from {value}: copy it again"
    if mark == "test":
        test = ROOT / value
        lists = [test.parent / "CMakeLists.txt", test.parent.parent / "CMakeLists.txt"]
        listed = test.is_file() and any(
            one.is_file() and test.name in one.read_text() for one in lists)
        good = language == "sh" and listed and "run_page" in test.read_text()
        return "" if good else f"{value} is no test that runs a page (tests/examples/page.sh)"
    if language == "sh":
        for line in commands(body):
            said = tools.command(line)
            if said:
                return f"`{line}` failed:\n{said}"
        return ""
    if mark in ("compile", "run") and language == "cpp":
        said = tools.program(body, mark == "run")
        return f"{value}:\n{said}" if said else ""
    return f"`{first}`: a {language} block needs a comment above it: <!-- same as: FILE -->"


def complaints(text, tools):
    for match in BLOCK.finditer(text):
        mark, value, language, body = match.groups()
        said = complaint(mark, (value or "").strip(), language, body, tools)
        if said:
            yield f"{line_at(text, match.start(3))}: {said}"
    marks = len(re.findall(r"^<!-- (?:same as|compile|run|test|not run): ", text, re.M))
    used = sum(1 for match in BLOCK.finditer(text) if match.group(1))
    if marks != used:
        yield "1: a comment such as <!-- same as: FILE --> is not directly above a block"


class real_tools:
    """Runs things, with the build tree in `build`."""
    def __init__(self, build):
        self.build = build

    @staticmethod
    def run(arguments, seconds):
        try:
            done = subprocess.run(arguments, capture_output=True, text=True, timeout=seconds,
                                  cwd=ROOT, stdin=subprocess.DEVNULL)
        except subprocess.TimeoutExpired:
            return f"did not end within {seconds} seconds"
        said = (done.stdout + done.stderr)[-4000:].strip()
        return "" if done.returncode == 0 else said or f"silent, with {done.returncode}"

    def command(self, line):
        return self.run(["bash", "-euo", "pipefail", "-c", line], 900)

    def program(self, body, also_run):
        """Compiles, links and maybe runs `body` with the commands that make the quickstart."""
        query = ["ninja", "-C", str(self.build), "-t", "commands", "quickstart"]
        listed = subprocess.run(query, capture_output=True, text=True, check=True)
        listed = listed.stdout.splitlines()
        compile_line = next(line for line in listed if " -c " in line and "quickstart.cpp" in line)
        with tempfile.TemporaryDirectory() as folder:
            names = ("block.cpp", "block.o", "block")
            source, thing, program = (f"{folder}/{name}" for name in names)
            pathlib.Path(source).write_text(body, encoding="utf-8")
            for line in (compile_line, listed[-1]):
                line = re.sub(r"\S*quickstart\.cpp(?=\s|$)", source, line)
                line = re.sub(r"\S*quickstart\.cpp\.o(?=\s|$)", thing, line)
                line = re.sub(r"-o \S*quickstart(?=\s|$)", f"-o {program}", line)
                line = re.sub(r"\s-M[DTF]( \S+\.d| \S+\.o)?(?=\s)", "", line)
                said = self.run(["bash", "-c", f"cd {shlex.quote(str(self.build))} && {line}"], 300)
                if said:
                    return said
            return self.run([program], 60) if also_run else ""


class pretended_tools:
    def command(self, line):
        return "broken" if line.startswith("false") else ""

    def program(self, body, also_run):
        return "does not compile" if "bad" in body or (also_run and "crash" in body) else ""


def self_test():
    def found(text):
        return list(complaints(text, pretended_tools()))
    assert found("```cpp\nint x;\n```\n"), "no mark"
    assert found("```sh\nfalse\n```\n")
    assert found("```sh\ntrue \\\n  && true\nfalse --really  # why\n```\n")
    assert not found("```sh\n# false\n$ true  # fine\n./dev test\n```\n")
    assert not found("<!-- not run: needs a network -->\n```sh\nfalse\n```\n")
    assert not found("```text\nfalse\n```\n")
    assert found("<!-- same as: dev -->\n```cpp\nint no_such_line;\n```\n")
    assert found("<!-- same as: no/such/file -->\n```cpp\nint x;\n```\n")
    pieces = "<!-- same as: dev -->\n```cpp\n{}\n...\n{}\n```\n"
    assert not found(pieces.format("#!/usr/bin/env bash", "set -euo pipefail"))
    assert found(pieces.format("set -euo pipefail", "#!/usr/bin/env bash")), "wrong order"
    assert not found("<!-- test: tests/examples/tls_page.sh -->\n```sh\nfalse\n```\n")
    assert found("<!-- test: tests/examples/tls_page.sh -->\n```cpp\nint x;\n```\n")
    assert found("<!-- test: tests/examples/no_page.sh -->\n```sh\nfalse\n```\n")
    assert found("<!-- test: tests/examples/report_page.py -->\n```sh\nfalse\n```\n")
    assert found("<!-- compile: x -->\n```cpp\nbad\n```\n")
    assert not found("<!-- compile: x -->\n```cpp\ncrash\n```\n")
    assert found("<!-- run: x -->\n```cpp\ncrash\n```\n")
    assert found("<!-- run: x -->\nwords between\n```sh\ntrue\n```\n"), "a mark without its block"
    assert found("line\n\n```sh\nfalse\n```\n")[0].startswith("3: ")
    assert real_tools.run(["false"], 5) and not real_tools.run(["true"], 5)
    print("check_readme: the self-test passed")


def main():
    if "--self-test" in sys.argv:
        return self_test()
    tools = real_tools(pathlib.Path(sys.argv[1]).resolve())
    found = [f"{page}:{said}" for page in tracked("README.md", "docs/*.md", "CONTRIBUTING.md")
             for said in complaints(text_of(page), tools)]
    if found:
        print("\n".join(found))
    sys.exit(1 if found else 0)


if __name__ == "__main__":
    main()
