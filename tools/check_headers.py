#!/usr/bin/env python3
"""Each header compiles alone. Usage: check_headers.py BUILD_DIR (a configured and built one)."""
import concurrent.futures
import json
import pathlib
import shlex
import subprocess
import sys
import tempfile

from check_layers import tracked


def flags_of(build, source):
    """Include directories and definitions with which `source` is compiled."""
    for entry in json.loads((build / "compile_commands.json").read_text(encoding="utf-8")):
        if entry["file"].endswith(source):
            words = shlex.split(entry["command"])
            kept = []
            for at, word in enumerate(words):
                if word == "-isystem":
                    kept += [word, words[at + 1]]
                elif word.startswith(("-I", "-D", "-std", "-W")):
                    kept.append(word)
            return kept
    raise SystemExit(f"check_headers: {source} is not in {build}/compile_commands.json")


def compile_alone(header, flags):
    """What the compiler says of a source that includes only `header`, twice."""
    include = str(header)
    if include.startswith("runtime/include/"):
        include = include[len("runtime/include/"):]
    with tempfile.NamedTemporaryFile("w", suffix=".cpp") as source:
        source.write(f'#include "{include}"\n#include "{include}"\n')
        source.flush()
        done = subprocess.run(["g++", *flags, "-fsyntax-only", source.name], capture_output=True, text=True)
        return done.stderr if done.returncode != 0 else ""


def self_test():
    with tempfile.TemporaryDirectory() as folder:
        bad = pathlib.Path(folder) / "bad.hpp"
        bad.write_text("#pragma once\nstd::string name;\n", encoding="utf-8")
        assert "string" in compile_alone(bad, ["-std=c++20"])
        good = pathlib.Path(folder) / "good.hpp"
        good.write_text("#pragma once\n#include <string>\ninline std::string name;\n", encoding="utf-8")
        assert not compile_alone(good, ["-std=c++20"])
    print("check_headers: the self-test passed")


def main():
    if "--self-test" in sys.argv:
        return self_test()
    flags = flags_of(pathlib.Path(sys.argv[1]), "runtime/node.cpp")
    headers = tracked("schemas/*.hpp", "actors/*.hpp", "runtime/*.hpp")
    with concurrent.futures.ThreadPoolExecutor(2) as pool:
        results = list(pool.map(lambda h: (h, compile_alone(h, flags)), headers))
    broken = [f"{header} does not compile alone:\n{said}" for header, said in results if said]
    print("\n".join(broken))
    sys.exit(1 if broken else 0)


if __name__ == "__main__":
    main()
