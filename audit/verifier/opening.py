"""What stands in an export before its first entry: the manifest, and in a bundle the lines of evidence."""
import json
import math
from collections import namedtuple

from .canonical import SAFE, NotCanonical, parse_canonical
from .chain import CUT, Damage
from .event import HASH, an_id, has_members, integer_from
from .evidence import parse_proof, utf8
from .notes import Refused, parse_checkpoint, parse_note

LINE_MAX = 1_048_576
EVIDENCE_MAX = 100_000

# A checkpoint in its form: nothing is said yet of who signed it. `published`: its note as it was found.
Read = namedtuple("Read", "published note checkpoint")
Anchor = namedtuple("Anchor", "organisation log proof")
Evidence = namedtuple("Evidence", "checkpoints anchors")


class NotAnExport(Exception):
    """No verdict on a ledger: these bytes do not claim to be one."""


def read_lines(file):
    """Each line of a binary file without its newline, None for one that is too long, CUT for what has no newline."""
    is_long = False
    while part := file.readline(LINE_MAX + 1):
        if part.endswith(b"\n"):
            yield None if is_long else part[:-1]
            is_long = False
        elif len(part) > LINE_MAX:
            is_long = True
        else:
            yield CUT
            return
    if is_long:
        yield CUT


def parse_json(text):
    """JSON as any reader takes it. Whether it is written as it must be is another question."""

    def constant(name):
        raise ValueError(name)

    def integer(digits):
        return int(digits) if len(digits) <= len(str(SAFE)) + 1 else math.inf

    return json.loads(text, parse_int=integer, parse_constant=constant)


def is_evidence_count(value):
    return integer_from(0)(value) and value <= EVIDENCE_MAX


# The members of a manifest beyond those that both have.
FORMATS = {"daybook-ledger/1": {}, "daybook-bundle/1": {"evidence": is_evidence_count}}
FAMILIES = ("daybook-ledger/", "daybook-bundle/")


def read_manifest(line):
    """The manifest of a first line."""
    if line is None or line is CUT:
        raise NotAnExport("the first line is too long, or has no end")
    try:
        text = line.decode("utf-8")
        value = parse_json(text)
    except (ValueError, RecursionError) as error:
        raise NotAnExport("the first line is not JSON in UTF-8") from error
    name = value.get("format") if isinstance(value, dict) else None
    if not isinstance(name, str) or not name.startswith(FAMILIES):
        raise NotAnExport("the first line is not a manifest")
    count = integer_from(0)
    checks = {"format": lambda value: value in FORMATS, "orgId": an_id("org"), "count": count}
    checks |= {"headSeq": count, "headHash": HASH, "exportedAt": count, **FORMATS.get(name, {})}
    exact = json.dumps(value, separators=(",", ":"), ensure_ascii=False)
    if not has_members(value, checks, {}) or list(value) != list(checks) or exact != text:
        raise Damage("not canonical", 0)
    if value["count"] != value["headSeq"]:
        raise Damage("not canonical", 0)
    return value


def read_checkpoint(published):
    """Raises Refused."""
    note = parse_note(published)
    return Read(published, note, parse_checkpoint(note.text))


def read_anchor(text):
    proof = parse_proof(text)
    anchor = Anchor(read_checkpoint(utf8(proof.extra)), read_checkpoint(proof.checkpoint), proof)
    if anchor.log.checkpoint.origin.org_id is not None:
        raise Refused("an anchor in the log of an organisation")
    return anchor


def is_text(value):
    return isinstance(value, str)


def take_evidence(value, evidence):
    """Adds what a line says to the evidence before it. Raises Refused."""
    if has_members(value, {"at": integer_from(0), "checkpoint": is_text}, {}):
        read = read_checkpoint(value["checkpoint"])
        last = evidence.checkpoints[-1].checkpoint.size if evidence.checkpoints else -1
        if evidence.anchors or read.checkpoint.size <= last:
            raise Refused("a checkpoint out of order")
        evidence.checkpoints.append(read)
    elif has_members(value, {"anchor": is_text}, {}):
        anchor = read_anchor(value["anchor"])
        last = evidence.anchors[-1].organisation.checkpoint.size if evidence.anchors else 0
        if anchor.organisation.checkpoint.size <= last:
            raise Refused("an anchor out of order")
        evidence.anchors.append(anchor)
    else:
        raise Refused("neither a checkpoint nor an anchor")


def read_opening(lines):
    """The manifest and the evidence, of which a plain export has none; takes no line more."""
    manifest = read_manifest(next(lines, CUT))
    evidence = Evidence([], [])
    for _ in range(manifest.get("evidence", 0)):
        line = next(lines, CUT)
        if line is None or line is CUT:
            raise Damage("not canonical", 0)
        try:
            take_evidence(parse_canonical(line.decode("utf-8")), evidence)
        except (NotCanonical, UnicodeDecodeError, Refused) as error:
            raise Damage("not canonical", 0) from error
    return manifest, evidence
