"""Verification of an export: the manifest, the chain, the first damage by kind and position."""
import json
import math
import re

from .canonical import SAFE, NotCanonical, parse_canonical
from .event import HASH, an_id, broken_type_rule, event_hash, genesis_hash, has_members, integer_from, is_event
from .merkle import Frontier, leaf_hash

LINE_MAX = 1_048_576


class Damage(Exception):
    def __init__(self, kind, seq):
        super().__init__(f"{kind} at {seq}")
        self.kind, self.seq = kind, seq


class NotAnExport(Exception):
    """No verdict on a ledger: these bytes do not claim to be one."""


FRAME = re.compile(rb'\{"event":(.*),"hash":"([0-9a-f]{64})"\}', re.DOTALL)


def read_entry(line):
    """The event and its hash; raises Damage without a position for checks 1 and 2."""
    try:
        frame = FRAME.fullmatch(line) if len(line) <= LINE_MAX else None
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
    """Takes the lines of one export in order. `heads`: (sequence or None, hash, whether the ledger ends there)."""

    def __init__(self, org_id, heads):
        self.org_id, self.heads = org_id, heads
        self.count, self.hash, self.recorded_at = 0, genesis_hash(org_id), 0
        self.ids, self.streams, self.passed = set(), {}, set()
        self.open = None
        self.tree = Frontier()
        self.note_heads()

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
        self.tree.append(leaf_hash(bytes.fromhex(digest)))
        self.note_heads()

    def cut(self):
        """Bytes after the last newline: a line that can't be read."""
        if self.open is None:
            past = any(self.is_past(index) for index in range(len(self.heads)))
            raise Damage("not canonical" if past else "truncated", self.count + 1)
        self.settle(None)

    def finish(self):
        if self.open is not None:
            raise Damage(self.open[0], self.count + 1)
        for index, (seq, _, _) in enumerate(self.heads):
            if index in self.passed:
                continue
            if seq == 0:
                raise Damage("broken link", 1)
            raise Damage("truncated", self.count + 1)


def parse_json(text):
    """JSON as any reader takes it. Whether it is written as it must be is another question."""

    def constant(name):
        raise ValueError(name)

    def integer(digits):
        return int(digits) if len(digits) <= len(str(SAFE)) + 1 else math.inf

    return json.loads(text, parse_int=integer, parse_constant=constant)


def read_manifest(line):
    """The manifest of a first line, newline included."""
    try:
        if len(line) > LINE_MAX + 1 or not line.endswith(b"\n"):
            raise NotAnExport("the first line is too long, or has no end")
        text = line[:-1].decode("utf-8")
        value = parse_json(text)
    except (ValueError, RecursionError) as error:
        raise NotAnExport("the first line is not JSON in UTF-8") from error
    name = value.get("format") if isinstance(value, dict) else None
    if not isinstance(name, str) or not name.startswith("daybook-ledger/"):
        raise NotAnExport("the first line is not a manifest")
    count = integer_from(0)
    checks = {"format": lambda value: value == "daybook-ledger/1", "orgId": an_id("org"), "count": count}
    checks |= {"headSeq": count, "headHash": HASH, "exportedAt": count}
    exact = json.dumps(value, separators=(",", ":"), ensure_ascii=False)
    if not has_members(value, checks, {}) or list(value) != list(checks) or exact != text:
        raise Damage("not canonical", 0)
    if value["count"] != value["headSeq"]:
        raise Damage("not canonical", 0)
    return value


HEAD = re.compile("(?:(0|[1-9][0-9]{0,15}):)?([0-9a-f]{64})")


def parse_head(text, is_last):
    """A known head, `SEQ:HASH` or `HASH`. Raises ValueError."""
    match = HEAD.fullmatch(text)
    if match is None or (match[1] is not None and int(match[1]) > SAFE):
        raise ValueError(f"not a head: {text}")
    return (None if match[1] is None else int(match[1]), match[2], is_last)


def take_lines(verifier, file):
    is_rest = False
    while line := file.readline(LINE_MAX + 1):
        ends = line.endswith(b"\n")
        if is_rest or (not ends and len(line) > LINE_MAX):
            # A line that is too long: what is in it does not matter, only where it ends.
            if ends:
                verifier.take(b"")
            is_rest = not ends
        elif ends:
            verifier.take(line[:-1])
        else:
            verifier.cut()
            return
    if is_rest:
        verifier.cut()


def verify_export(file, expect_head=None, earlier_head=None):
    """The verdict on an export in a binary file: `result`, `count`, `headHash` and `root` of the sound part, and the
    damage's `seq` and `kind`. Raises NotAnExport."""
    verifier = None
    damage = {}
    try:
        manifest = read_manifest(file.readline(LINE_MAX + 1))
        heads = [(manifest["headSeq"], manifest["headHash"], True)]
        heads += [parse_head(expect_head, True)] if expect_head else []
        heads += [parse_head(earlier_head, False)] if earlier_head else []
        verifier = Verifier(manifest["orgId"], heads)
        take_lines(verifier, file)
        verifier.finish()
    except Damage as found:
        damage = {"seq": found.seq, "kind": found.kind}
    verdict = {"result": "damaged" if damage else "intact", **damage}
    if verifier is None:
        return {**verdict, "count": 0}
    return {**verdict, "count": verifier.count, "headHash": verifier.hash, "root": verifier.tree.root().hex()}
