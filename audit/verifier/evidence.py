"""Trust policies, receipts, anchors and what a witness decides (C2SP tlog-policy, tlog-proof, tlog-witness)."""
import hashlib
import re
from collections import namedtuple

from .canonical import NotCanonical, is_well_formed, parse_canonical
from .event import broken_type_rule, event_hash, is_event
from .merkle import leaf_hash, verify_consistency, verify_inclusion
from .notes import (
    COSIGNATURE_KEY,
    NOTE_KEY,
    Refused,
    from_base64,
    from_decimal,
    hash_from_base64,
    keys_of_origin,
    open_checkpoint,
    parse_checkpoint,
    parse_key,
    parse_note,
    parse_origin,
    verify_note,
)

PROOF_HEADER = "c2sp.org/tlog-proof@v1"
PROOF_LINES_MAX = 63

# `logs`: keys. `witnesses`: name to key. `quorum`: None, a witness's name, or (least, members).
Policy = namedtuple("Policy", "logs witnesses quorum")
Proof = namedtuple("Proof", "extra index hashes checkpoint")
Receipt = namedtuple("Receipt", "event hash organisation log")


class PolicyReader:
    def __init__(self):
        self.logs, self.witnesses, self.named, self.members = [], {}, {}, set()
        self.quorums = []

    def read(self, word, *rest):
        readers = {"log": self.log, "witness": self.witness, "group": self.group, "quorum": self.quorum}
        if word not in readers:
            raise Refused(f"a line of a policy begins with {word}")
        try:
            readers[word](*rest)
        except TypeError as error:
            raise Refused(f"a line of {word} with too few or too many items") from error

    def key(self, text, kind, others):
        key = parse_key(text)
        if key.kind != kind or any(other.public_key == key.public_key for other in others):
            raise Refused("a key of another type, or one that stands there already")
        return key

    def define(self, name, value):
        if name == "none" or name in self.named:
            raise Refused(f"the name {name} is taken")
        self.named[name] = value

    def log(self, key, _url=None):
        self.logs.append(self.key(key, NOTE_KEY, self.logs))

    def witness(self, name, key, _url=None):
        parsed = self.key(key, COSIGNATURE_KEY, self.witnesses.values())
        self.define(name, name)
        self.witnesses[name] = parsed

    def group(self, name, least, first, *others):
        members = [first, *others]
        count = {"any": 1, "all": len(members)}.get(least)
        count = from_decimal(least) if count is None else count
        if not 1 <= count <= len(members):
            raise Refused("a threshold that the members can't meet")
        for member in members:
            if member not in self.named or member in self.members:
                raise Refused(f"{member} is not defined, or a member already")
            self.members.add(member)
        self.define(name, (count, [self.named[member] for member in members]))

    def quorum(self, name):
        if self.quorums or (name != "none" and name not in self.named):
            raise Refused("a second quorum, or one that nothing defines")
        self.quorums.append(self.named.get(name))


def parse_policy(text):
    if re.search("[\x00-\x08\x0b-\x1f\x7f]", text) or not is_well_formed(text) or not text.endswith("\n"):
        raise Refused("a control character, or no end of the last line")
    reader = PolicyReader()
    for line in text[:-1].split("\n"):
        items = [item for item in re.split("[ \t]+", line) if item]
        if items and not items[0].startswith("#"):
            reader.read(*items)
    if not reader.quorums:
        raise Refused("no quorum")
    return Policy(reader.logs, reader.witnesses, reader.quorums[0])


def is_witnessed(quorum, names):
    if quorum is None or isinstance(quorum, str):
        return quorum is None or quorum in names
    least, members = quorum
    return sum(is_witnessed(member, names) for member in members) >= least


def meets_quorum(policy, cosignatures):
    keys = [cosignature.witness for cosignature in cosignatures]
    return is_witnessed(policy.quorum, {name for name, key in policy.witnesses.items() if key in keys})


def parse_hashes(lines):
    if len(lines) > PROOF_LINES_MAX:
        raise Refused("a proof of more than 63 hashes")
    return [hash_from_base64(line) for line in lines]


def parse_proof(text):
    head, blank, checkpoint = text.partition("\n\n")
    lines = head.split("\n")
    if not blank or len(lines) < 3 or lines[0] != PROOF_HEADER:
        raise Refused("not a proof file")
    if not lines[1].startswith("extra ") or not lines[2].startswith("index "):
        raise Refused("no extra or no index")
    extra = from_base64(lines[1][len("extra ") :])
    if not extra:
        raise Refused("an empty extra")
    return Proof(extra, from_decimal(lines[2][len("index ") :]), parse_hashes(lines[3:]), checkpoint)


def utf8(encoded):
    try:
        return encoded.decode("utf-8")
    except UnicodeDecodeError as error:
        raise Refused("not UTF-8") from error


def open_proof(proof, leaf_data, policy):
    """The checkpoint of a proof, once the proof leads from the leaf to its root."""
    opened = open_checkpoint(proof.checkpoint, policy.logs, policy.witnesses.values())
    size, root = opened.checkpoint.size, opened.checkpoint.root
    if not verify_inclusion(proof.index, size, leaf_hash(leaf_data), proof.hashes, root):
        raise Refused("the proof does not lead to the root")
    return opened


def log_of_logs_data(checkpoint):
    return hashlib.sha256(b"daybook-log-of-logs-v1\n" + checkpoint.text.encode("utf-8")).digest()


def verify_in_log_of_logs(organisation, proof, policy):
    if organisation.origin.org_id is None or organisation.size == 0:
        raise Refused("not a checkpoint that is a leaf of the log of logs")
    opened = open_proof(proof, log_of_logs_data(organisation), policy)
    origin = opened.checkpoint.origin
    if origin.org_id is not None or origin.deployment != organisation.origin.deployment:
        raise Refused("not the log of logs of that deployment")
    return opened


def verify_anchor(text, policy):
    """The organisation's checkpoint in an anchor, and its place."""
    proof = parse_proof(text)
    organisation = open_checkpoint(utf8(proof.extra), policy.logs, policy.witnesses.values())
    verify_in_log_of_logs(organisation.checkpoint, proof, policy)
    return organisation, proof.index


def verify_direct(proof, policy):
    text = utf8(proof.extra)
    try:
        event = parse_canonical(text)
    except NotCanonical as error:
        raise Refused("an event that is not canonical") from error
    if not is_event(event) or event["seq"] != proof.index + 1 or broken_type_rule(event) is not None:
        raise Refused("not an event, or not the one of this index")
    digest = event_hash(text)
    opened = open_proof(proof, bytes.fromhex(digest), policy)
    if opened.checkpoint.origin.org_id != event["orgId"]:
        raise Refused("a checkpoint of another organisation")
    return Receipt(event, digest, opened, None)


def verify_receipt(text, policy):
    """What a receipt proves under a policy. Raises Refused."""
    outer = parse_proof(text)
    if outer.extra.startswith(f"{PROOF_HEADER}\n".encode()):
        receipt = verify_direct(parse_proof(utf8(outer.extra)), policy)
        receipt = receipt._replace(log=verify_in_log_of_logs(receipt.organisation.checkpoint, outer, policy))
    else:
        receipt = verify_direct(outer, policy)
    checkpoints = [each for each in (receipt.organisation, receipt.log) if each is not None]
    if not any(meets_quorum(policy, each.cosignatures) for each in checkpoints):
        raise Refused("the quorum is not met")
    return receipt


def decide_witness(body, last, logs):
    """The status of a witness that cosigned `last` (size and root, or None), and the size it tells at 409."""
    head, blank, published = body.partition("\n\n")
    lines = head.split("\n")
    try:
        if not blank or not lines[0].startswith("old "):
            raise Refused("not a request")
        old_size, proof = from_decimal(lines[0][len("old ") :]), parse_hashes(lines[1:])
        note = parse_note(published)
    except Refused:
        return 400, None
    try:
        origin_line = note.text.split("\n")[0]
        parse_origin(origin_line)
        keys = list(keys_of_origin(origin_line, logs))
    except Refused:
        keys = []
    if not keys:
        return 404, None
    try:
        verify_note(note, keys)
    except Refused:
        return 403, None
    try:
        checkpoint = parse_checkpoint(note.text)
    except Refused:
        return 400, None
    return decide_growth(old_size, proof, checkpoint, last)


def decide_growth(old_size, proof, checkpoint, last):
    last_size, last_root = last if last is not None else (0, None)
    if old_size > checkpoint.size:
        return 400, None
    if old_size != last_size:
        return 409, last_size
    if last is not None and old_size == checkpoint.size and last_root != checkpoint.root:
        return 409, last_size
    if last_size == 0:
        return (200 if not proof else 422), None
    is_proven = verify_consistency(old_size, checkpoint.size, last_root, checkpoint.root, proof)
    return (200 if is_proven else 422), None
