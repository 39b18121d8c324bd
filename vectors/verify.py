#!/usr/bin/env python3
"""A second verifier of the Daybook ledger format, written from docs/ledger-format.md alone.

python3 vectors/verify.py              checks every vector in this folder
python3 vectors/verify.py FILE [HEAD]  verifies an export, optionally against an expected SEQ:HASH or HASH
"""
import hashlib
import json
import math
import re
import struct
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
SAFE = 2**53 - 1
LINE_MAX = 1_048_576
DEPTH_MAX = 16


class NotCanonical(Exception):
    pass


# --- RFC 8785 ---

def parse(text):
    def integer(digits):
        number = int(digits) if len(digits) < 400 else math.inf
        return number if abs(number) <= SAFE else real(digits)

    def real(digits):
        number = float(digits)
        if math.isinf(number):
            raise NotCanonical("too large")
        return number

    def constant(name):
        raise NotCanonical(name)

    try:
        return json.loads(text, parse_int=integer, parse_float=real, parse_constant=constant)
    except (ValueError, RecursionError) as error:
        raise NotCanonical(str(error))


def number_text(number):
    """ECMAScript's Number::toString, from Python's shortest digits."""
    if number == 0:
        return "0"
    if number < 0:
        return "-" + number_text(-number)
    mantissa, _, exponent = repr(float(number)).partition("e")
    whole, _, fraction = mantissa.partition(".")
    digits = (whole + fraction).lstrip("0")
    point = len(whole) + int(exponent or 0)
    point -= len(whole + fraction) - len(digits)
    digits = digits.rstrip("0")
    if len(digits) <= point <= 21:
        return digits + "0" * (point - len(digits))
    if 0 < point <= 21:
        return digits[:point] + "." + digits[point:]
    if -6 < point <= 0:
        return "0." + "0" * -point + digits
    power = point - 1
    rest = "." + digits[1:] if len(digits) > 1 else ""
    return f"{digits[0]}{rest}e{'+' if power > 0 else '-'}{abs(power)}"


ESCAPES = {'"': '\\"', "\\": "\\\\", "\b": "\\b", "\t": "\\t", "\n": "\\n", "\f": "\\f", "\r": "\\r"}


def string_text(string):
    try:
        string.encode("utf-8")
    except UnicodeEncodeError:
        raise NotCanonical("lone surrogate")
    escape = lambda match: ESCAPES.get(match[0]) or f"\\u{ord(match[0]):04x}"
    return '"' + re.sub(r'["\\\x00-\x1f]', escape, string) + '"'


def canonicalize(value):
    if value is None or isinstance(value, bool):
        return {None: "null", True: "true", False: "false"}[value]
    if isinstance(value, str):
        return string_text(value)
    if isinstance(value, (int, float)):
        return number_text(value)
    if isinstance(value, list):
        return "[" + ",".join(map(canonicalize, value)) + "]"
    for name in value:
        string_text(name)
    names = sorted(value, key=lambda name: name.encode("utf-16-be"))
    return "{" + ",".join(string_text(name) + ":" + canonicalize(value[name]) for name in names) + "}"


def parse_canonical(text):
    value = parse(text)
    if canonicalize(value) != text:
        raise NotCanonical("other bytes than its canonical form")
    return value


# --- Hashes ---

def tagged_hash(tag, text):
    return hashlib.sha256(f"{tag}\n{text}".encode("utf-8")).hexdigest()


def event_hash(text):
    return tagged_hash("daybook-event-v1", text)


def genesis_hash(org_id):
    return tagged_hash("daybook-genesis-v1", org_id)


# --- The event ---

ULID = "[0-7][0-9A-HJKMNP-TV-Z]{25}"


def like(pattern):
    compiled = re.compile(pattern)
    return lambda value: isinstance(value, str) and compiled.fullmatch(value) is not None


def integer_from(least):
    return lambda value: isinstance(value, int) and not isinstance(value, bool) and least <= value <= SAFE


def an_id(prefix):
    return like(f"{prefix}_{ULID}")


HASH = like("[0-9a-f]{64}")
TOKEN = like("[\\x21-\\x7e]{1,256}")
ROLES = {"owner", "manager", "staff", "freelancer", "guest", "auditor"}
NAMED = ({"name": TOKEN}, {})
IDENTIFIED = ({"id": TOKEN}, {})
ACTORS = {
    "user": ({"id": an_id("usr"), "role": lambda value: isinstance(value, str) and value in ROLES}, {}),
    "provider": IDENTIFIED,
    "system": IDENTIFIED,
    "operator": IDENTIFIED,
}
SOURCES = {
    "command": ({"name": TOKEN, "key": TOKEN, "policy": like("[0-9a-f]{16}")}, {}),
    "webhook": (
        {"provider": TOKEN, "deliveryId": TOKEN, "bodySha256": HASH, "signedAt": integer_from(0)},
        {"account": TOKEN},
    ),
    "job": NAMED,
    "operator": NAMED,
}


def has_members(value, required, optional):
    if not isinstance(value, dict) or not required.keys() <= value.keys() <= required.keys() | optional.keys():
        return False
    return all({**required, **optional}[name](member) for name, member in value.items())


def is_one_of(shapes):
    def check(value):
        kind = value.get("kind") if isinstance(value, dict) else None
        if not isinstance(kind, str) or kind not in shapes:
            return False
        required, optional = shapes[kind]
        return has_members(value, {"kind": lambda _: True, **required}, optional)

    return check


def is_ledger_value(value, depth=0):
    if isinstance(value, (dict, list)):
        members = value.values() if isinstance(value, dict) else value
        return depth < DEPTH_MAX and all(is_ledger_value(member, depth + 1) for member in members)
    return value is None or isinstance(value, (bool, str)) or integer_from(-SAFE)(value)


ENVELOPE = {
    "v": lambda value: integer_from(1)(value) and value == 1,
    "orgId": an_id("org"),
    "seq": integer_from(1),
    "eventId": an_id("evt"),
    "stream": like(f"[a-z][A-Za-z]{{0,31}}/[a-z]{{3}}_{ULID}"),
    "streamVersion": integer_from(1),
    "type": like("[a-z][A-Za-z]{0,31}\\.[a-z][A-Za-z]{0,63}"),
    "typeVersion": integer_from(1),
    "recordedAt": integer_from(0),
    "actor": is_one_of(ACTORS),
    "source": is_one_of(SOURCES),
    "correlationId": TOKEN,
    "data": lambda value: isinstance(value, dict) and is_ledger_value(value),
    "prevHash": HASH,
}


def is_event(value):
    return has_members(value, ENVELOPE, {"causationId": an_id("evt")})


VERBS = {
    "organization/org_": "created renamed frozen unfrozen closed providerLinked providerUnlinked",
    "invitation/inv_": "created accepted revoked",
    "member/usr_": "joined roleChanged removed suspended reinstated sessionsRevoked",
    "service/svc_": "defined retired",
    "booking/bkg_": "requested confirmed rescheduled assigned unassigned started completed noShowMarked cancelled",
    "export/exp_": "begun",
    "reading/rdg_": "begun",
}
STREAM_OF = {f"{start.split('/')[0]}.{verb}": start for start, verbs in VERBS.items() for verb in verbs.split()}
# Types that an operator may write too.
OPERATORS = {f"organization.{verb}" for verb in "frozen unfrozen providerLinked providerUnlinked".split()}


# --- Verification ---

class Damage(Exception):
    def __init__(self, kind, seq):
        self.kind, self.seq = kind, seq


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
    except (NotCanonical, UnicodeDecodeError):
        raise Damage("not canonical", None)
    if event_hash(text) != frame[2].decode():
        raise Damage("altered", None)
    return event, frame[2].decode()


class Verifier:
    def __init__(self, org_id, heads):
        self.org_id, self.heads = org_id, heads
        self.count, self.hash, self.recorded_at = 0, genesis_hash(org_id), 0
        self.ids, self.streams, self.passed = set(), {}, set()
        self.open = None
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
                raise Damage(damage.kind, due)
            event = digest = None
        if self.open is not None:
            self.settle(event)
            return
        self.check(event, digest, due)

    def settle(self, event):
        due = self.count + 1
        kind, other_kind, is_gap = self.open
        fits = event is not None and event["orgId"] == self.org_id and event["seq"] == due
        if fits and (is_gap or event["prevHash"] == self.hash):
            raise Damage(other_kind, due)
        if not is_gap:
            raise Damage(kind, due)

    def check(self, event, digest, due):
        stream = event["stream"]
        of_organisation = stream.startswith("organization/") and stream != f"organization/{self.org_id}"
        if event["orgId"] != self.org_id or of_organisation:
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
        start = STREAM_OF.get(event["type"])
        if start is None or event["typeVersion"] != 1 or not stream.startswith(start):
            raise Damage("unknown type", due)
        sources = {"command", "operator"} if event["type"] in OPERATORS else {"command"}
        if event["source"]["kind"] not in sources:
            raise Damage("forbidden source", due)
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
        self.count, self.hash, self.recorded_at = due, digest, event["recordedAt"]
        self.ids.add(event["eventId"])
        self.streams[stream] = version
        self.note_heads()

    def cut(self):
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


class NotAnExport(Exception):
    pass


def read_manifest(line):
    try:
        if len(line) > LINE_MAX or not line.endswith(b"\n"):
            raise NotAnExport()
        text = line[:-1].decode("utf-8")
        value = json.loads(text)
        if not isinstance(value, dict) or not str(value.get("format")).startswith("daybook-ledger/"):
            raise NotAnExport()
    except (ValueError, RecursionError):
        raise NotAnExport()
    count = integer_from(0)
    checks = {"format": lambda value: value == "daybook-ledger/1", "orgId": an_id("org"), "count": count}
    checks |= {"headSeq": count, "headHash": HASH, "exportedAt": count}
    exact = json.dumps(value, separators=(",", ":"), ensure_ascii=False)
    if not has_members(value, checks, {}) or list(value) != list(checks) or exact != text:
        raise Damage("not canonical", 0)
    if value["count"] != value["headSeq"]:
        raise Damage("not canonical", 0)
    return value


def parse_head(text, is_last):
    seq, _, digest = text.rpartition(":")
    return (int(seq) if seq else None, digest, is_last)


def verify(path, expect_head=None, earlier_head=None):
    """The verdict as the vectors write it."""
    with open(path, "rb") as file:
        try:
            manifest = read_manifest(file.readline())
            heads = [(manifest["headSeq"], manifest["headHash"], True)]
            heads += [parse_head(expect_head, True)] if expect_head else []
            heads += [parse_head(earlier_head, False)] if earlier_head else []
            verifier = Verifier(manifest["orgId"], heads)
            for line in file:
                if line.endswith(b"\n"):
                    verifier.take(line[:-1])
                else:
                    verifier.cut()
            verifier.finish()
        except Damage as damage:
            return {"result": "damaged", "seq": damage.seq, "kind": damage.kind}
    return {"result": "intact"}


# --- The vectors ---

def cases(name):
    return json.loads((HERE / name).read_text("utf-8"))


def refuses(text):
    try:
        parse_canonical(text)
    except NotCanonical:
        return True
    return False


def check_vectors():
    yield from ((case["name"], canonicalize(parse(case["json"])) == case["canonical"]) for case in cases("canonical.json"))
    yield from ((case["name"], case["canonical"].encode().hex() == case["canonicalHex"]) for case in cases("canonical.json"))
    yield from ((case["name"], refuses(case["text"])) for case in cases("not-canonical.json"))
    for case in cases("ledger-values.json"):
        data = parse_canonical(case["text"])
        yield case["name"], (isinstance(data, dict) and is_ledger_value(data)) == case["allowed"]
    yield from ((case["text"], an_id(case["prefix"])(case["text"]) == case["valid"]) for case in cases("ids.json"))
    yield from ((case["orgId"], genesis_hash(case["orgId"]) == case["hash"]) for case in cases("genesis.json"))
    for case in cases("events.json"):
        sound = is_event(case["event"]) and canonicalize(case["event"]) == case["canonical"]
        yield case["name"], sound and event_hash(case["canonical"]) == case["hash"]
    for case in cases("chains.json"):
        verdict = verify(HERE / case["file"], case.get("expectHead"), case.get("earlierHead"))
        yield f"{case['file']}: {verdict}", verdict == case["verdict"]
    for path in sorted((HERE / "jcs/input").iterdir()):
        text = canonicalize(parse(path.read_text("utf-8")))
        yield path.name, text.encode() == (HERE / "jcs/output" / path.name).read_bytes()
    for line in (HERE / "jcs/es6-numbers-10000.txt").read_text().split():
        bits, expected = line.split(",")
        yield line, number_text(struct.unpack(">d", bytes.fromhex(bits.zfill(16)))[0]) == expected


def main(arguments):
    if arguments:
        try:
            verdict = verify(arguments[0], *arguments[1:2])
        except (NotAnExport, OSError) as error:
            print(f"Not an export: {arguments[0]} {error}", file=sys.stderr)
            return 2
        print(json.dumps(verdict))
        return 0 if verdict["result"] == "intact" else 1
    total, failed = 0, 0
    for name, passed in check_vectors():
        total += 1
        if not passed:
            failed += 1
            print(f"FAILED: {name}")
    print(f"{total - failed} of {total} vectors passed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
