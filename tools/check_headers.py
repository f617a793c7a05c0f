#!/usr/bin/env python3
"""Each header compiles alone. Usage: check_headers.py BUILD_DIR (a configured and built one).

A header is included twice by a source that holds nothing else, with the flags of its level: a
header of schemas/ sees what schemas/*.cpp see and no more. What the compiler read is remembered in
BUILD_DIR/checked_headers.json, and a header of which nothing changed is not compiled again.
"""
import concurrent.futures
import hashlib
import json
import os
import pathlib
import re
import shlex
import subprocess
import sys
import tempfile

from sources import ROOT, tracked

KEPT = ("-I", "-D", "-std", "-W", "-f")
LEVELS = ("schemas", "actors", "runtime", "examples", "bench", "tests")


def flags_of(entry):
    """Compiler, include directories and definitions of one entry of compile_commands.json."""
    words = shlex.split(entry["command"])
    if os.path.basename(words[0]) == "ccache":
        words.pop(0)
    kept = [words[0]]
    for at, word in enumerate(words):
        if word in ("-isystem", "-include"):
            kept += [word, words[at + 1]]
        elif word.startswith(KEPT) and not word.startswith("-Winvalid-pch"):
            kept.append(word)
    return kept


def entry_for(header, entries):
    """The entry whose source is nearest: same name, else same directory, else same level; among
    shells and cores, of the same kind."""
    def nearness(entry):
        source = pathlib.PurePath(os.path.relpath(entry["file"], ROOT))
        shared = 0
        for one, other in zip(header.parent.parts, source.parent.parts):
            if one != other:
                break
            shared += 1
        kind = ("_actor" in header.stem) == ("_actor" in source.stem)
        below = len(source.parent.parts) - shared  # runtime/tls/ sees less than runtime/
        # Some sources belong to the schema compiler, too, which is built before what it generates.
        return (source.stem == header.stem and source.parent == header.parent, shared, -below, kind,
                entry["command"].count("-isystem"))
    return max(entries, key=nearness)


def include_name(header):
    name = str(header)
    return re.sub(r"^runtime/include/", "", name)


def compile_alone(include, flags, dependencies=None):
    """What the compiler says of a source that includes `include` twice; "" when all is well."""
    with tempfile.TemporaryDirectory() as folder:
        source = pathlib.Path(folder) / "alone.cpp"
        source.write_text(f'#include "{include}"\n#include "{include}"\n', encoding="utf-8")
        listing = pathlib.Path(folder) / "alone.d"
        done = subprocess.run([*flags, "-fsyntax-only", "-MD", "-MF", str(listing), str(source)],
                              capture_output=True, text=True)
        if dependencies is not None and done.returncode == 0 and listing.exists():
            names = listing.read_text(encoding="utf-8").replace("\\\n", " ").split()[2:]
            dependencies += sorted({os.path.realpath(name) for name in names})
        return done.stderr if done.returncode != 0 else ""


def fingerprint(flags, files):
    digest = hashlib.sha256(" ".join(flags).encode())
    for name in files:
        try:
            digest.update(name.encode() + pathlib.Path(name).read_bytes())
        except OSError:
            return ""
    return digest.hexdigest()


class memory:
    """Which headers were seen to compile, with which files."""
    def __init__(self, path):
        self.path = path
        try:
            self.seen = json.loads(path.read_text(encoding="utf-8"))
        except (OSError, ValueError):
            self.seen = {}

    def holds(self, header, flags):
        known = self.seen.get(str(header))
        return bool(known) and known["print"] == fingerprint(flags, known["files"])

    def learn(self, header, flags, files):
        # Without the system's headers: packages do not change daily.
        ours = [name for name in files if name.startswith(str(ROOT))]
        self.seen[str(header)] = {"files": ours, "print": fingerprint(flags, ours)}

    def save(self):
        self.path.write_text(json.dumps(self.seen), encoding="utf-8")


def check(build, headers):
    entries = json.loads((build / "compile_commands.json").read_text(encoding="utf-8"))
    entries = [entry for entry in entries
               if os.path.relpath(entry["file"], ROOT).startswith(LEVELS)]
    known = memory(build / "checked_headers.json")

    def one(header):
        flags = flags_of(entry_for(header, entries))
        if known.holds(header, flags):
            return header, flags, "", None
        files = []
        said = compile_alone(include_name(header), flags, files)
        return header, flags, said, files

    broken = []
    with concurrent.futures.ThreadPoolExecutor(2) as pool:
        for header, flags, said, files in pool.map(one, headers):
            if said:
                broken.append(f"{header} does not compile alone:\n{said}")
            elif files is not None:
                known.learn(header, flags, files)
    known.save()
    return broken


def self_test():
    with tempfile.TemporaryDirectory() as folder:
        bad, good = pathlib.Path(folder) / "bad.hpp", pathlib.Path(folder) / "good.hpp"
        bad.write_text("#pragma once\nstd::string name;\n", encoding="utf-8")
        assert "string" in compile_alone(bad, ["g++", "-std=c++20"])
        good.write_text("#include <string>\nstruct once { std::string name; };\n", encoding="utf-8")
        assert "redefinition" in compile_alone(good, ["g++", "-std=c++20"]), "included twice"
        good.write_text("#pragma once\n" + good.read_text(encoding="utf-8"), encoding="utf-8")
        files = []
        assert not compile_alone(good, ["g++", "-std=c++20"], files)
        assert os.path.realpath(good) in files
        before = fingerprint([], [str(good)])
        good.write_text("#pragma once\n", encoding="utf-8")
        assert fingerprint([], [str(good)]) != before

    def entry(name):
        command = f"ccache c++ -I{name} -O3 -isystem x -c {name}"
        return {"file": str(ROOT / name), "command": command}
    entries = [entry(name) for name in
               ("schemas/a.cpp", "actors/b.cpp", "actors/b_actor.cpp", "runtime/tls/t.cpp",
                "runtime/n.cpp")]
    nearest = lambda name: flags_of(entry_for(pathlib.PurePath(name), entries))[1]
    assert nearest("schemas/z.hpp") == "-Ischemas/a.cpp"
    assert nearest("actors/b_actor.hpp") == "-Iactors/b_actor.cpp"
    assert nearest("actors/z.hpp") == "-Iactors/b.cpp"
    assert nearest("runtime/include/edupulse/node.hpp") == "-Iruntime/n.cpp"
    assert nearest("runtime/z.hpp") == "-Iruntime/n.cpp"
    assert nearest("runtime/tls/z.hpp") == "-Iruntime/tls/t.cpp"
    assert flags_of(entries[0]) == ["c++", "-Ischemas/a.cpp", "-isystem", "x"]
    assert include_name("runtime/include/edupulse/node.hpp") == "edupulse/node.hpp"
    print("check_headers: the self-test passed")


def main():
    if "--self-test" in sys.argv:
        return self_test()
    headers = tracked("schemas/*.hpp", "actors/*.hpp", "runtime/*.hpp")
    broken = check(pathlib.Path(sys.argv[1]), headers)
    if broken:
        print("\n".join(broken))
    sys.exit(1 if broken else 0)


if __name__ == "__main__":
    main()
