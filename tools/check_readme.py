#!/usr/bin/env python3
"""The README's code compiles and runs, and its commands do too. Usage: check_readme.py BUILD_DIR.

A ```cpp block under `<!-- same as: FILE -->` must be that file, letter for letter (it is built with
the rest). A ```capnp block likewise. Each line of a ```sh block is run from the repository, except
`./dev test` and `./dev check`, which run this, and lines under `<!-- not run: why -->`.
"""
import pathlib
import re
import subprocess
import sys

BLOCK = re.compile(r"(?:<!-- (same as|not run): ([^\n]*?) -->\n+)?```(cpp|capnp|sh)\n(.*?)```", re.S)
SKIPPED = ("./dev test", "./dev check", "./dev soak", "./dev bench")


def blocks(text):
    for mark, value, language, body in BLOCK.findall(text):
        yield mark, value.strip(), language, body


def commands(body):
    for line in body.splitlines():
        line = line.split("  #")[0].strip()
        if line and not line.startswith("#") and not line.startswith(SKIPPED):
            yield line


def complaints(text, root, run):
    for mark, value, language, body in blocks(text):
        if language in ("cpp", "capnp"):
            if mark != "same as":
                yield f"a {language} block without `<!-- same as: FILE -->`: {body.splitlines()[0]}"
            elif body.strip() not in (root / value).read_text(encoding="utf-8"):
                yield f"the block of {value} differs from the file: copy it again"
        elif mark != "not run":
            for line in commands(body):
                error = run(line)
                if error:
                    yield f"`{line}` failed:\n{error}"


def run_command(line):
    done = subprocess.run(["bash", "-euc", line], capture_output=True, text=True, timeout=900,
                          stdin=subprocess.DEVNULL)
    return "" if done.returncode == 0 else (done.stdout + done.stderr)[-4000:] or "no output"


def self_test():
    root = pathlib.Path(".")
    bad_run = lambda line: "broken" if line == "false" else ""
    assert list(complaints("```cpp\nint x;\n```", root, bad_run))
    assert list(complaints("```sh\nfalse\n```", root, bad_run))
    assert not list(complaints("<!-- not run: needs a network -->\n```sh\nfalse\n```", root, bad_run))
    assert not list(complaints("```sh\ntrue  # fine\n./dev test\n```", root, bad_run))
    assert list(complaints("<!-- same as: dev -->\n```cpp\nint no_such_line;\n```", root, bad_run))
    print("check_readme: the self-test passed")


def main():
    if "--self-test" in sys.argv:
        return self_test()
    found = []
    for page in [pathlib.Path("README.md"), *sorted(pathlib.Path("docs").glob("*.md"))]:
        text = page.read_text(encoding="utf-8")
        found += [f"{page}: {one}" for one in complaints(text, pathlib.Path("."), run_command)]
    print("\n".join(found))
    sys.exit(1 if found else 0)


if __name__ == "__main__":
    main()
