"""Verification of a chain, entry by entry: the first damage by kind and position, and the tree of what is sound."""
import re
from collections import namedtuple

from .canonical import SAFE, NotCanonical, parse_canonical
from .event import broken_type_rule, event_hash, genesis_hash, is_event
from .merkle import Frontier, leaf_hash

# In the place of a last line that no newline ends.
CUT = object()

# The root of the tree of the first events, and the hash of the last of them.
Tree = namedtuple("Tree", "root hash")


class Damage(Exception):
    def __init__(self, kind, seq):
        super().__init__(f"{kind} at {seq}")
        self.kind, self.seq = kind, seq


FRAME = re.compile(rb'\{"event":(.*),"hash":"([0-9a-f]{64})"\}', re.DOTALL)


def read_entry(line):
    """The event and its hash, of a line or None for one too long; raises Damage without a position for checks 1 and 2."""
    try:
        frame = None if line is None else FRAME.fullmatch(line)
        if frame is None:
            raise NotCanonical("frame")
        text = frame[1].decode("utf-8")
        event = parse_canonical(text)
        if not is_event(event):
            raise NotCanonical("not an event")
    except (NotCanonical, UnicodeDecodeError) as error:
        raise Damage("not canonical", None) from error
    digest = frame[2].decode()
    if event_hash(text) != digest:
        raise Damage("altered", None)
    return event, digest


class Verifier:
    """Takes the lines of one export in order. `heads`: (sequence or None, hash, whether the ledger ends there).
    `sizes`: those at which the tree will be asked for."""

    def __init__(self, org_id, heads, sizes=()):
        self.org_id, self.heads = org_id, heads
        self.sizes, self.trees = {0, *sizes}, {}
        self.count, self.hash, self.recorded_at = 0, genesis_hash(org_id), 0
        self.ids, self.streams, self.passed = set(), {}, set()
        self.open = None
        self.frontier = Frontier()
        self.note_heads()
        self.note_tree()

    def note_tree(self):
        if self.count in self.sizes:
            self.trees[self.count] = Tree(self.frontier.root(), self.hash)

    def tree_at(self, size):
        """The tree of as many events as were taken, or as were asked for and reached."""
        return Tree(self.frontier.root(), self.hash) if size == self.count else self.trees[size]

    def note_heads(self):
        for index, (seq, digest, _) in enumerate(self.heads):
            if digest == self.hash and seq in (None, self.count):
                self.passed.add(index)

    def is_past(self, index):
        seq, _, is_last = self.heads[index]
        return is_last and (index in self.passed if seq is None else seq <= self.count)

    def take(self, line):
        due = self.count + 1
        try:
            event, digest = read_entry(line)
        except Damage as damage:
            if self.open is None:
                raise Damage(damage.kind, due) from damage
            event = digest = None
        if self.open is not None:
            self.settle(event)
            return
        self.check(event, digest, due)

    def settle(self, event):
        """What one more line, or None for one that can't be read, says of the damage that is open."""
        due = self.count + 1
        kind, other_kind, is_gap = self.open
        fits = event is not None and event["orgId"] == self.org_id and event["seq"] == due
        if fits and (is_gap or event["prevHash"] == self.hash):
            raise Damage(other_kind, due)
        if not is_gap:
            raise Damage(kind, due)

    def check(self, event, digest, due):
        stream = event["stream"]
        is_other_organisation = stream.startswith("organization/") and stream != f"organization/{self.org_id}"
        if event["orgId"] != self.org_id or is_other_organisation:
            raise Damage("foreign organisation", due)
        if event["eventId"] in self.ids:
            raise Damage("duplicated", due)
        if event["seq"] < due:
            raise Damage("inserted", event["seq"])
        if event["seq"] > due:
            self.open = ("missing", "reordered", True)
            return
        if event["prevHash"] != self.hash:
            self.open = ("broken link", "inserted", False)
            return
        broken = broken_type_rule(event)
        if broken is not None:
            raise Damage(broken, due)
        if event["recordedAt"] < self.recorded_at:
            raise Damage("time reversed", due)
        version = self.streams.get(stream, 0) + 1
        if event["streamVersion"] != version:
            raise Damage("missing" if event["streamVersion"] > version else "inserted", due)
        for index, (seq, head, _) in enumerate(self.heads):
            if seq == due and head != digest:
                self.open = ("altered", "inserted", False)
                return
            if self.is_past(index):
                raise Damage("inserted", due)
        self.accept(event, digest, version)

    def accept(self, event, digest, version):
        self.count, self.hash, self.recorded_at = event["seq"], digest, event["recordedAt"]
        self.ids.add(event["eventId"])
        self.streams[event["stream"]] = version
        self.frontier.append(leaf_hash(bytes.fromhex(digest)))
        self.note_heads()
        self.note_tree()

    def cut(self):
        """Bytes after the last newline: a line that can't be read."""
        if self.open is None:
            past = any(self.is_past(index) for index in range(len(self.heads)))
            raise Damage("not canonical" if past else "truncated", self.count + 1)
        self.settle(None)

    def take_all(self, lines):
        for line in lines:
            if line is CUT:
                self.cut()
            else:
                self.take(line)
        self.finish()

    def finish(self):
        if self.open is not None:
            raise Damage(self.open[0], self.count + 1)
        for index, (seq, _, _) in enumerate(self.heads):
            if index in self.passed:
                continue
            if seq == 0:
                raise Damage("broken link", 1)
            raise Damage("truncated", self.count + 1)


HEAD = re.compile("(?:(0|[1-9][0-9]{0,15}):)?([0-9a-f]{64})")


def parse_head(text, is_last):
    """A known head, `SEQ:HASH` or `HASH`. Raises ValueError."""
    match = HEAD.fullmatch(text)
    if match is None or (match[1] is not None and int(match[1]) > SAFE):
        raise ValueError(f"not a head: {text}")
    return (None if match[1] is None else int(match[1]), match[2], is_last)
