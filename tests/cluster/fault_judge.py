"""Decides, from what the processes noted, whether the promises were kept.

For each consumer and each start of a publisher:

  nothing lost   what was admitted was handled by the consumer, unless the publisher was killed
                 (then a beginning of it was), or its ledger counts what is missing as dropped, or
                 the consumer was believed dead when it was published, and so was not owed it
  in order       the first time that each event of a key was handled, it came after those before it
  repeats        of an event once handled only by another start of the consumer, with one event id;
                 of a best-effort event never
  no phantom     what was handled had been published, with that id, key and bytes
  gaps           what a consumer was told it missed is what its publishers' ledgers say it missed
"""
from fault_kit import Failed, HANDLED, INTENDED, PUBLISHED


class Published:
    """What one start of a node published."""
    def __init__(self, start):
        self.start = start
        self.intended, self.admitted = {}, {}
        for kind, number, key, what, best in (
                (r[0], r[2], r[3], (r[6], r[7]), r[8]) for r in start.records()):
            if kind == INTENDED:
                self.intended[number] = (key, best)
            elif kind == PUBLISHED:
                self.admitted[number] = what

    def must_arrive(self):
        return {number for number in self.admitted if not self.intended[number][1]}


class Verdict:
    def __init__(self):
        self.handled = self.repeats = self.lost = self.gaps = self.unowed = 0

    def __str__(self):
        return (f"{self.handled} handled, {self.repeats} again, {self.lost} counted as dropped, "
                f"{self.gaps} told as gaps" +
                (f", {self.unowed} not owed while it was away" if self.unowed else ""))


def of_consumer(consumer, by_number, repeats_in_a_start, verdict):
    """Checks what `consumer` handled; answers publisher's start -> numbers."""
    first_ids, newest, handled = {}, {}, {number: set() for number in by_number}
    for start in consumer.starts:
        here = set()
        for kind, of, number, key, _, gap, high, low, best, damaged, _ in start.records():
            if kind != HANDLED:
                continue
            what, said = (of, number), f"{consumer.name} handled event {number} of start {of}"
            verdict.handled += 1
            verdict.gaps += gap
            source = by_number.get(of)
            if source is None or source.intended.get(number, (None, 0))[0] != key:
                raise Failed(f"{said}, which was not published with key {key}")
            if source.admitted.get(number, (high, low)) != (high, low):
                raise Failed(f"{said} with another id than it was published with")
            if number not in source.admitted and not source.start.open_end:
                raise Failed(f"{said}, though publishing it had been refused")
            if damaged:
                raise Failed(f"{said} with other bytes than were published")
            if what in first_ids:
                verdict.repeats += 1
                if first_ids[what] != (high, low):
                    raise Failed(f"{said} twice, with different ids")
                if best:
                    raise Failed(f"{said} twice, and it was published best-effort")
                if what in here and not repeats_in_a_start:
                    raise Failed(f"{said} twice in one start")
            else:
                if number < newest.get((of, key), 0):
                    raise Failed(f"{said} after {newest[of, key]} of the same key {key}")
                newest[of, key] = number
                first_ids[what] = (high, low)
                handled[of].add(number)
            here.add(what)
    return handled


def owed_by(node, consumer):
    """What the ledger of `node` says the consumer was owed, missed of that, and why."""
    running = node.now.process.poll() is None
    counts, balances = node.ledger() if running else node.final_ledger()
    if not balances:
        raise Failed(f"the ledger of {node.name} does not balance: {counts}")
    line = counts.get(f"sink@{consumer.name}")
    if line is None:
        return 0, 0, {}
    if line["pending"]:
        raise Failed(f"{node.name} still owes {consumer.name}: {line}")
    why = {**line["dropped"], **{fate: line[fate] for fate in ("dead", "expired") if line[fate]}}
    return line["published"], sum(why.values()), why


def missing_of(source, there):
    """What was admitted and not handled. Of what a killed node took along, only an end may be."""
    missing = source.must_arrive() - there
    if source.start.open_end:
        missing = {number for number in missing if there and number < max(there)}
    return missing


def judge_start(lab, node, start, consumer, source, there, drops, last_owed, verdict):
    missing = missing_of(source, there)
    said = (f"{consumer.name} never handled {len(missing)} events of {node.name}, "
            f"{sorted(missing)[:5]}...")
    if start is not node.now or start.open_end:
        return lab.check(not missing, said)
    owed, dropped, why = owed_by(node, consumer)
    verdict.lost += dropped
    unowed = len(source.admitted) - owed
    verdict.unowed += unowed
    lab.check(unowed == 0 or last_owed is not None,
              f"{unowed} events of {node.name} were not owed to {consumer.name}")
    lab.check(dropped == 0 or drops, f"{said}; counted as dropped: {why}")
    if not any(best for _, best in source.intended.values()):
        lab.check(len(missing) == unowed + dropped,
                  f"{said}; counted as dropped: {why}; {unowed} not owed")
    lab.check(last_owed is None or not missing or min(missing) > last_owed,
              f"{said}; it was owed all up to {last_owed}")


def judge(lab, publishers, consumers, *, drops=(), absent=None, repeats_in_a_start=False):
    """`drops`: names of publishers whose events may be missing, if they are counted. `absent`: name
    of a consumer -> name of a publisher -> the last event before the consumer could be believed
    dead: later ones it may not have been owed. Answers a Verdict, or raises Failed."""
    verdict = Verdict()
    by_number = {start.number: Published(start) for node in publishers for start in node.starts}
    for consumer in consumers:
        handled = of_consumer(consumer, by_number, repeats_in_a_start, verdict)
        for node in publishers:
            if node is consumer:
                continue
            last_owed = (absent or {}).get(consumer.name, {}).get(node.name)
            for start in node.starts:
                judge_start(lab, node, start, consumer, by_number[start.number],
                            handled[start.number], node.name in drops, last_owed, verdict)
    return verdict
