#!/usr/bin/env python3
"""Who may include whom: runtime -> actors -> schemas; cores free of CAF, threads, files, clocks.
The simulation in runtime/ is built of cores, and is as free of these.

Prints one line for each violation, `file:line: what: the rule`; exit 1 when there is one.
"""
import pathlib
import re
import sys

from sources import code_of, line_at, text_of, tracked

INCLUDE = re.compile(r'^[ \t]*#[ \t]*include[ \t]+[<"]([^>"\n]+)[>"]', re.M)
CLOCK = re.compile(r"\b\w*clock\s*::\s*now\s*\(|\b(?:clock_gettime|gettimeofday)\s*\(")

STD = re.compile(r"^([a-z_0-9]+|cxxabi\.h)$")  # <string>, and not <unistd.h>
GENERATED = re.compile(r"^[a-z_0-9]+\.capnp\.h$")
VOCABULARY = ("capnp/", "kj/", "boost/uuid/", "boost/container/", "tl/expected.hpp", "schemas/")
TABLES = ("tsl/",)  # of cores: no installed header includes them

# What several threads touch by design; each says so in its first lines.
HAND_OVER = {"inbox", "batch", "tracker", "runner", "envelope_pool"}
CAF_IN_ACTORS = {"interfaces", "caf"}
# What applications see of actors/: plain values, no CAF.
PUBLIC_ACTORS = {"outcome", "options", "handler", "tracker", "effect", "batch", "ledger_view",
                 "dead_letters", "status", "cluster_ledger"}

# What lives with the tests and is run larger by a benchmark.
SIMULATIONS = {"tests/support/sim_membership.hpp"}

# Of runtime/, what the simulation shares with the shells that it stands in for.
SIMULATED_TOO = {"runtime/completion_sink.hpp"}

LOCKS = {"mutex", "atomic", "condition_variable", "shared_mutex", "latch", "semaphore", "barrier"}
IMPURE = {"thread", "future", "stop_token", "fstream", "filesystem", "iostream", "random"}
SYSTEM = re.compile(r"^(sys/|netinet/|arpa/|sqlite3\.h|curl/|spdlog/|boost/asio|unistd\.h|poll\.h"
                    r"|pthread\.h|fcntl\.h|netdb\.h|time\.h|stdio\.h|openssl/)")


def is_caf(name):
    return name.startswith("caf/") or name in ("actors/caf.hpp", "edupulse/caf.hpp")


def schemas_rule(path, name):
    if path.stem == "json_writer" and name.startswith("rapidjson/"):
        return None
    if path.stem == "block_depot" and name == "sys/mman.h":
        return None  # memory by the region
    if not (STD.match(name) or GENERATED.match(name) or name.startswith(VOCABULARY)):
        return "schemas/ is level 0: std, Cap'n Proto, Boost.UUID, .Container, expected, itself"
    if name in IMPURE - {"random"}:
        return "schemas/ holds values: no threads, files or sockets"
    return None


def core_rule(path, name):
    if is_caf(name):
        return "only *_actor files, interfaces.hpp and caf.hpp may include CAF; a core may not"
    if name in LOCKS and path.stem not in HAND_OVER:
        return f"a core runs on one thread; several share only {', '.join(sorted(HAND_OVER))}"
    if name in IMPURE or SYSTEM.match(name):
        return "a core is fed messages, `now` and chance: no threads, files, sockets, randomness"
    if not (STD.match(name) or name.startswith((*VOCABULARY, *TABLES, "actors/"))):
        return "a core uses std, schemas/ and other cores"
    return None


def actors_rule(path, name):
    if name.startswith(("runtime/", "edupulse/")):
        return "actors/ may not include the level above"
    if name.startswith("actors/") and "_actor" in name:
        own = name == f"actors/{path.stem}.hpp"
        spawned = path.stem == "router_actor" and name == "actors/handler_actor.hpp"
        if not own and not spawned:
            return "shells talk through interfaces.hpp only (the router spawns the handlers)"
    if "_actor" in path.stem or path.stem in CAF_IN_ACTORS:
        return None
    return core_rule(path, name)


def simulation_rule(path, name):
    """runtime/simulation/: cores and what is around them in a node, in virtual time."""
    if name.startswith("actors/") and "_actor" in name:
        return "the simulation stands in for the shells, and may not include them"
    if name.startswith("runtime/simulation/") or name in SIMULATED_TOO:
        return None
    if name.startswith(("runtime/", "edupulse/")):
        return "the simulation uses cores, and of runtime/ what SIMULATED_TOO lists"
    return core_rule(path, name)


def public_rule(path, name):
    if name == "caf/config.hpp" and path.stem == "plugin_fingerprint":
        return None  # macros: which CAF it is
    if is_caf(name):
        return None if path.stem == "caf" else "CAF stays out of the public headers but caf.hpp"
    if name.startswith("actors/"):
        if pathlib.PurePath(name).stem in PUBLIC_ACTORS:
            return None
        return "not public (PUBLIC_ACTORS in tools/check_layers.py lists what is)"
    if STD.match(name) or name.startswith((*VOCABULARY, "edupulse/")):
        return None
    return "public headers include std, Cap'n Proto, Boost.UUID, expected and <edupulse/...> only"


def rule_broken(path, name):
    """The rule that including `name` from `path` breaks, or None."""
    level = path.parts[0]
    if name.startswith("tests/") and level not in ("tests", "bench"):
        return "nothing includes tests/"
    if name.startswith("tests/") and level == "bench" and name not in SIMULATIONS:
        return "bench/ uses what it measures and not the tests"
    if level == "schemas":
        return schemas_rule(path, name)
    if level == "actors":
        return actors_rule(path, name)
    if path.parts[:3] == ("runtime", "include", "edupulse"):
        return public_rule(path, name)
    if path.parts[:2] == ("runtime", "simulation"):
        return simulation_rule(path, name)
    if level == "runtime" and name.startswith("openssl/") and path.parts[1] != "tls":
        return "only runtime/tls/ includes OpenSSL"
    if path.parts[:2] == ("examples", "simulator") and name.startswith("runtime/simulation/"):
        return None  # its virtual mode is a face of the simulation
    if level == "examples" and (is_caf(name) or name.startswith(("actors/", "runtime/"))):
        return "examples use <edupulse/...> and their own schemas"
    if level == "tools" and (is_caf(name) or name.startswith(("actors/", "runtime/", "edupulse/"))):
        return "tools are built before the library: std, Cap'n Proto and schemas/"
    return None


def violations(files):
    for path, text in files:
        code = code_of(text, keep_strings=True)
        for match in INCLUDE.finditer(code):
            rule = rule_broken(path, match.group(1))
            if rule:
                yield f"{path}:{line_at(code, match.start())}: {match.group(1)}: {rule}"
        if path.parts[0] in ("schemas", "actors") or path.parts[:2] == ("runtime", "simulation"):
            code = code_of(text)
            for match in CLOCK.finditer(code):
                line, call = line_at(code, match.start()), match.group(0).strip("( ")
                yield f"{path}:{line}: {call}: time is an argument here; runtime/ reads the clock"


STOP = re.compile(r"^// The path of an event, stop (\d) of (\d)\.(.*)$", re.M)


def broken_path(texts):
    """Complaints about the newcomer's path: each stop names files that exist, and a file it calls
    the next says that it comes later."""
    stops = {}
    for path, text in texts.items():
        match = STOP.search(text)
        if match:
            neighbours = re.findall(r"(Before|Next): ([\w./]+\.\w+)", match.group(3))
            stops[path] = (int(match.group(1)), neighbours)
    for path, (stop, neighbours) in stops.items():
        for word, name in neighbours:
            if name not in texts:
                yield f"{path}: stop {stop} of the path of an event names {name}, which is gone"
            elif name in stops and (stops[name][0] > stop) != (word == "Next"):
                yield f"{path}: stop {stop} of the path of an event: {name} is not `{word}`"


BAD = [
    ("actors/router.hpp", "#include <caf/all.hpp>"),
    ("actors/router.hpp", '#include "actors/caf.hpp"'),
    ("actors/delivery.cpp", "#include <thread>"),
    ("actors/delivery.cpp", "#include <mutex>"),
    ("actors/delivery.cpp", "#include <atomic>"),
    ("actors/delivery.cpp", "#include <sys/socket.h>"),
    ("actors/delivery.cpp", "#include <spdlog/spdlog.h>"),
    ("actors/tracker.cpp", "#include <thread>"),
    ("actors/delivery.cpp", "auto t = steady_clock::now();"),
    ("schemas/ids.cpp", "auto t = std::chrono::system_clock::now();"),
    ("schemas/ids.hpp", '#include "actors/router.hpp"'),
    ("schemas/ids.hpp", "#include <spdlog/spdlog.h>"),
    ("schemas/ids.hpp", "#include <fstream>"),
    ("actors/handler_actor.cpp", '#include "actors/router_actor.hpp"'),
    ("actors/router_actor.cpp", "#include <edupulse/node.hpp>"),
    ("runtime/include/edupulse/node.hpp", '#include "actors/router.hpp"'),
    ("runtime/include/edupulse/node.hpp", "#include <caf/actor.hpp>"),
    ("runtime/include/edupulse/node.hpp", "#include <sqlite3.h>"),
    ("runtime/wire.cpp", "#include <openssl/ssl.h>"),
    ("runtime/include/edupulse/node.hpp", '#include "runtime/alarm.hpp"'),
    ("runtime/simulation/node.cpp", '#include "actors/router_actor.hpp"'),
    ("runtime/simulation/node.cpp", "#include <caf/all.hpp>"),
    ("runtime/simulation/node.cpp", "#include <thread>"),
    ("runtime/simulation/node.cpp", "auto t = steady_clock::now();"),
    ("runtime/simulation/node.cpp", '#include "runtime/node_impl.hpp"'),
    ("examples/x.cpp", '#include "runtime/node_impl.hpp"'),
    ("examples/x.cpp", "#include <caf/all.hpp>"),
    ("tools/x.cpp", '#include "actors/router.hpp"'),
    ("runtime/node.cpp", '#include "tests/support/catch.hpp"'),
    ("bench/local.cpp", '#include "tests/support/lessons.hpp"'),
]
GOOD = [
    ("actors/router.hpp", '#include "actors/delivery.hpp"\n#include <chrono>'),
    ("actors/router.hpp", "#include <tl/expected.hpp>"),
    ("actors/router.hpp", "// #include <thread> is for shells; steady_clock::now() too"),
    ("actors/inbox.hpp", "#include <mutex>\n#include <atomic>"),
    ("actors/interfaces.hpp", '#include "actors/caf.hpp"'),
    ("actors/router_actor.cpp", '#include "actors/handler_actor.hpp"\n#include "actors/caf.hpp"'),
    ("runtime/include/edupulse/node.hpp", '#include "schemas/topic.hpp"'),
    ("runtime/include/edupulse/node.hpp", '#include "actors/effect.hpp"'),
    ("runtime/include/edupulse/caf.hpp", '#include "actors/caf.hpp"'),
    ("runtime/tls/openssl.hpp", "#include <openssl/ssl.h>"),
    ("runtime/simulation/node.cpp", '#include "actors/desk.hpp"\n#include <map>'),
    ("runtime/simulation/node.cpp", '#include "runtime/completion_sink.hpp"'),
    ("runtime/node.cpp", "#include <thread>\nauto t = steady_clock::now();"),
    ("bench/baseline.cpp", '#include "actors/caf.hpp"'),
    ("bench/membership.cpp", '#include "tests/support/sim_membership.hpp"'),
    ("tests/a.cpp", '#include "tests/support/catch.hpp"\n#include <caf/all.hpp>'),
]


def self_test():
    for path, text in BAD:
        assert list(violations([(pathlib.PurePath(path), text)])), (path, text)
    for path, text in GOOD:
        found = list(violations([(pathlib.PurePath(path), text)]))
        assert not found, (path, found)
    one = "// The path of an event, stop 1 of 5. Next: {}.\n"
    two = "// The path of an event, stop 2 of 5.\n"
    assert not list(broken_path({"a.cpp": one.format("b.cpp"), "b.cpp": two}))
    assert list(broken_path({"a.cpp": one.format("gone.cpp"), "b.cpp": two}))
    assert list(broken_path({"a.cpp": one.format("b.cpp").replace("Next", "Before"), "b.cpp": two}))
    print("check_layers: the self-test passed")


def main():
    if "--self-test" in sys.argv:
        return self_test()
    files = [(path, text_of(path)) for path in tracked("*.hpp", "*.cpp")]
    everything = {str(path): text for path, text in files}
    everything |= {str(path): text_of(path) for path in tracked("*.capnp")}
    found = [*violations(files), *broken_path(everything)]
    if found:
        print("\n".join(found))
    sys.exit(1 if found else 0)


if __name__ == "__main__":
    main()
