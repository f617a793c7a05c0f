"""Who is there. This member answers what the others ask and believes what they say; it pings nobody
and suspects nobody, so it is of no help to them when they look for a member that is gone.
"""

from wire import MEMBERSHIP, decode, encode

STATES = ["alive", "suspect", "dead", "left"]
MAX64 = (1 << 64) - 1


def cluster_hash(name):
    value = 0xcbf29ce484222325
    for byte in name.encode():
        value = (value ^ byte) * 0x100000001b3 & MAX64
    return value


def finish(x):
    x = (x ^ x >> 30) * 0xbf58476d1ce4e5b9 & MAX64
    x = (x ^ x >> 27) * 0x94d049bb133111eb & MAX64
    return x ^ x >> 31


def identity(what, prefix="node"):
    return int(what[prefix + "High"]), int(what[prefix + "Low"])


class Membership:
    def __init__(self, cluster, node, epoch, name, address, report):
        self.cluster, self.node, self.report = cluster, node, report
        self.table = {node: {"nodeHigh": node[0], "nodeLow": node[1], "epoch": epoch,
                             "incarnation": 0, "state": "alive", "name": name,
                             "address": address}}
        self.is_in = False
        self.goodbyes = set()

    @property
    def self(self):
        return self.table[self.node]

    def others(self):
        return [who for who, one in self.table.items()
                if who != self.node and one["state"] in ("alive", "suspect")]

    def send(self, link, updates=(), **message):
        frame = {"cluster": cluster_hash(self.cluster), "senderHigh": self.node[0],
                 "senderLow": self.node[1], "senderEpoch": self.self["epoch"],
                 "senderIncarnation": self.self["incarnation"], "updates": list(updates)}
        link.control.send(MEMBERSHIP, encode("MembershipFrame", {**frame, **message}))

    def send_table(self, link, wanted):
        """In one part: with hundreds of members it would not fit into a frame."""
        self.send(link, self.table.values(), table={"part": 0, "parts": 1, "wanted": wanted})

    def ask_in(self, link):
        self.send(link, [self.self], join={"cluster": self.cluster, "versionMajor": 1,
                                           "versionMinor": 0})

    def say_goodbye(self, links):
        self.self["state"] = "left"
        self.goodbyes = set(links)
        for link in links:
            self.send(link, [self.self], leave={"sequence": 1})

    def digest(self):
        total = 0
        for (high, low), one in self.table.items():
            if one["state"] in ("alive", "suspect"):
                x = finish(finish(high) ^ low)
                x = finish(finish(x ^ int(one["epoch"])) ^ int(one["incarnation"]))
                total += finish(x ^ STATES.index(one["state"]))
        return total & MAX64

    # -- what is heard

    def meet(self, hello):
        """Whoever says hello is alive, in that epoch; nothing else moves a node to another one."""
        who = identity(hello)
        known = self.table.get(who)
        if known is None or int(known["epoch"]) != int(hello["bootEpoch"]):
            self.put(who, {"nodeHigh": who[0], "nodeLow": who[1], "epoch": hello["bootEpoch"],
                           "incarnation": 0, "state": "alive", "name": hello["name"],
                           "address": hello["address"]})

    def put(self, who, what):
        if self.table.get(who, {}).get("state") != what["state"]:
            self.report(what["name"], what["state"])
        self.table[who] = what

    def hear(self, update, everybody):
        who, state = identity(update), update["state"]
        news = (int(update["incarnation"]), STATES.index(state))
        known = self.table.get(who)
        if known is None:
            if state in ("alive", "suspect") and update.get("address"):
                self.put(who, {**update})
        elif int(update["epoch"]) != int(known["epoch"]):
            if int(update["epoch"]) > int(known["epoch"]) and update.get("address"):
                known["address"] = update["address"]  # a reason to dial it there
        elif who == self.node:
            if news > (known["incarnation"], 0):  # accused: outdo it, and say so to everybody
                known["incarnation"] = news[0] + 1
                for link in everybody:
                    self.send(link, [self.self], gossip=None)
        elif news > (int(known["incarnation"]), STATES.index(known["state"])):
            self.put(who, {**known, **update})

    def on_frame(self, link, body, everybody):
        frame = decode("MembershipFrame", body)
        if int(frame["cluster"]) != cluster_hash(self.cluster) or \
                identity(frame, "sender") != link.node:
            return
        for update in frame.get("updates", []):
            self.hear(update, everybody)
        known = self.table[link.node]
        if "leave" not in frame and int(frame["senderIncarnation"]) > int(known["incarnation"]):
            self.put(link.node, {**known, "incarnation": frame["senderIncarnation"],
                                 "state": "alive"})
        self.answer(link, frame)

    def answer(self, link, frame):
        if "ping" in frame and identity(frame["ping"], "target") == self.node:
            self.send(link, ack={"sequence": frame["ping"]["sequence"]})
        elif "pingRequest" in frame:  # of a third one, which this client does not ping
            self.send(link, nack={"sequence": frame["pingRequest"]["sequence"]})
        elif "offer" in frame:
            if int(frame["offer"]["digest"]) == self.digest():
                self.send(link, same=None)
            else:
                self.send_table(link, True)
        elif "table" in frame:
            part = frame["table"]
            if part["wanted"] and part["part"] + 1 == part["parts"]:
                self.send_table(link, False)
        elif "joinOk" in frame:
            self.is_in = True
        elif "refused" in frame:
            raise SystemExit("not let in: " + frame["refused"].get("text", ""))
        elif "leave" in frame:
            self.send(link, ack=frame["leave"])
            self.put(link.node, {**self.table[link.node], "state": "left"})
        elif "ack" in frame:
            self.goodbyes.discard(link)
