"""What a test has covered, for the ledger of soaks: a line in the file EDUPULSE_SOAK_FIGURES."""
import collections
import json
import os
import threading

WRITING = threading.Lock()


def note(what, runs, seeds, faults, node_seconds=0):
    """`seeds`: the first and the last; `faults`: how many of each kind, or a list of kinds."""
    file = os.environ.get("EDUPULSE_SOAK_FIGURES")
    if not file or not runs:
        return
    line = json.dumps({"what": what, "runs": runs, "seeds": seeds, "node_seconds": node_seconds,
                       "faults": collections.Counter(faults)})
    with WRITING, open(file, "a", encoding="utf-8") as to:
        to.write(line + "\n")
