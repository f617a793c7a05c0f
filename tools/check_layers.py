#!/usr/bin/env python3
"""Who may include whom: runtime -> actors -> schemas, cores free of CAF, threads and files.

Prints one line per violation, `file: include: the rule`. Exit 1 when there is one.
"""
import pathlib
import re
import subprocess
import sys

INCLUDE = re.compile(r'^\s*#\s*include\s+([<"])([^>"]+)[>"]', re.M)

# Types that several threads touch by design; each says so in its first lines.
HAND_OVER = {"inbox", "batch", "tracker", "runner"}
CAF_IN_ACTORS = {"interfaces", "caf"}
# CAF-free vocabulary that applications see.
PUBLIC_ACTORS = {"outcome", "options", "handler", "tracker", "effect", "batch", "ledger_view",
                 "dead_letters", "status"}
FOR_CORES = re.compile(r"^(thread|mutex|condition_variable|future|fstream|filesystem|iostream|cstdio"
                       r"|sys/.*|unistd\.h|netinet/.*|arpa/.*|poll\.h|sqlite3\.h|curl/.*|spdlog/.*)$")


def rule_broken(path, quote, name):
    """The rule that including `name` from `path` breaks, or None."""
    level = path.parts[0]
    stem = path.stem
    is_caf = name.startswith("caf/") or name == "actors/caf.hpp"
    if level == "schemas":
        if is_caf or name.startswith(("actors/", "runtime/", "edupulse/")):
            return "schemas/ is level 0: std, Cap'n Proto, Boost.UUID, expected and itself"
        if FOR_CORES.match(name):
            return "schemas/ holds values: no threads, files or sockets"
    if level == "actors":
        shell = "_actor" in stem
        if name.startswith(("runtime/", "edupulse/")):
            return "actors/ may not include the level above"
        if is_caf and not shell and stem not in CAF_IN_ACTORS:
            return "only *_actor files, interfaces.hpp and caf.hpp may include CAF"
        if name.startswith("actors/") and "_actor" in name:
            own = name == f"actors/{stem}.hpp"
            spawned = stem == "router_actor" and name == "actors/handler_actor.hpp"
            if not own and not spawned:
                return "shells talk through interfaces.hpp only (the router spawns handlers)"
        if not shell and stem not in CAF_IN_ACTORS and FOR_CORES.match(name):
            if stem in HAND_OVER and name in ("mutex", "condition_variable"):
                return None
            return "a core is fed messages and `now`: no threads, files, sockets"
    if path.parts[:3] == ("runtime", "include", "edupulse"):
        if is_caf and stem != "caf":
            return "CAF stays out of the public headers but <edupulse/caf.hpp>"
        if name.startswith("runtime/"):
            return "public headers do not include private ones"
        if name.startswith("actors/") and not is_caf:
            if pathlib.PurePath(name).stem not in PUBLIC_ACTORS:
                return "not part of the public vocabulary of actors/"
    elif level == "examples":
        if name.startswith(("actors/", "runtime/")):
            return "examples use <edupulse/...> and schemas only"
    if level != "tests" and name.startswith("tests/"):
        return "nothing includes tests/"
    return None


def violations(files):
    for path, text in files:
        for quote, name in INCLUDE.findall(text):
            rule = rule_broken(path, quote, name)
            if rule:
                yield f"{path}: {name}: {rule}"


def self_test():
    bad = [
        ("actors/router.hpp", '#include <caf/all.hpp>'),
        ("actors/delivery.cpp", '#include <thread>'),
        ("schemas/ids.hpp", '#include "actors/router.hpp"'),
        ("actors/handler_actor.cpp", '#include "actors/router_actor.hpp"'),
        ("runtime/include/edupulse/node.hpp", '#include "actors/router.hpp"'),
        ("runtime/include/edupulse/node.hpp", '#include <caf/actor.hpp>'),
        ("examples/x.cpp", '#include "runtime/node_impl.hpp"'),
        ("runtime/node.cpp", '#include "tests/support/catch.hpp"'),
    ]
    good = [
        ("actors/router.hpp", '#include "actors/delivery.hpp"'),
        ("actors/inbox.hpp", '#include <mutex>'),
        ("actors/router_actor.cpp", '#include "actors/handler_actor.hpp"'),
        ("runtime/include/edupulse/node.hpp", '#include "schemas/topic.hpp"'),
    ]
    for path, text in bad:
        assert list(violations([(pathlib.PurePath(path), text)])), (path, text)
    for path, text in good:
        assert not list(violations([(pathlib.PurePath(path), text)])), (path, text)
    print("check_layers: the self-test passed")


def tracked(*patterns):
    listed = subprocess.run(["git", "ls-files", *patterns], capture_output=True, text=True, check=True)
    return [pathlib.PurePath(line) for line in listed.stdout.splitlines()]


def main():
    if "--self-test" in sys.argv:
        return self_test()
    files = [(p, pathlib.Path(p).read_text(encoding="utf-8")) for p in tracked("*.hpp", "*.cpp")]
    found = list(violations(files))
    print("\n".join(found))
    sys.exit(1 if found else 0)


if __name__ == "__main__":
    main()
