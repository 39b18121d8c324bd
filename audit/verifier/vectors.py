"""Every published vector against this implementation: pairs of a name and whether it holds."""
import json
import struct
from pathlib import Path

from . import evidence, merkle, notes
from .canonical import NotCanonical, canonicalize, number_text, parse, parse_canonical
from .event import an_id, event_hash, genesis_hash, is_event, is_ledger_value
from .export import verify_export
from .notes import Refused
from .trust import make_trust

FOLDER = Path(__file__).resolve().parents[2] / "vectors"


def cases(name):
    return json.loads((FOLDER / name).read_text("utf-8"))


def is_canonical(text):
    try:
        parse_canonical(text)
    except NotCanonical:
        return False
    return True


def attempt(check, *arguments):
    """The result of a check, or None when it refuses."""
    try:
        return check(*arguments)
    except Refused:
        return None


def of_canonical_form():
    for case in cases("canonical.json"):
        yield case["name"], canonicalize(parse(case["json"])) == case["canonical"]
        yield case["name"], case["canonical"].encode().hex() == case["canonicalHex"]
        yield case["name"], is_canonical(case["canonical"])
    for case in cases("not-canonical.json"):
        yield case["name"], not is_canonical(case["text"])
    for path in sorted((FOLDER / "jcs/input").iterdir()):
        text = canonicalize(parse(path.read_text("utf-8")))
        yield path.name, text.encode() == (FOLDER / "jcs/output" / path.name).read_bytes()
    for line in (FOLDER / "jcs/es6-numbers-10000.txt").read_text().split():
        bits, expected = line.split(",")
        yield line, number_text(struct.unpack(">d", bytes.fromhex(bits.zfill(16)))[0]) == expected


def of_events():
    for case in cases("ledger-values.json"):
        data = parse_canonical(case["text"])
        yield case["name"], (isinstance(data, dict) and is_ledger_value(data)) == case["allowed"]
    for case in cases("ids.json"):
        yield case["text"], an_id(case["prefix"])(case["text"]) == case["valid"]
    for case in cases("genesis.json"):
        yield case["orgId"], genesis_hash(case["orgId"]) == case["hash"]
    for case in cases("events.json"):
        sound = is_event(case["event"]) and canonicalize(case["event"]) == case["canonical"]
        yield case["name"], sound and event_hash(case["canonical"]) == case["hash"]


def of_chains():
    for case in cases("chains.json"):
        with open(FOLDER / case["file"], "rb") as file:
            found = verify_export(file, case.get("expectHead"), case.get("earlierHead"))
        verdict = {name: found[name] for name in ("result", "seq", "kind") if name in found}
        yield f"{case['file']}: {verdict}", verdict == case["verdict"]


def of_bundles():
    for case in cases("bundles.json"):
        trust = make_trust(case.get("keys", ()), case.get("policy"), case.get("since"))
        with open(FOLDER / case["file"], "rb") as file:
            found = verify_export(file, case.get("expectHead"), case.get("earlierHead"), trust)
        verdict = {name: value for name, value in found.items() if name != "root"}
        yield f"{case['file']}: {case['what']}: {verdict}", verdict == case["verdict"]


def hashes(texts):
    return [bytes.fromhex(text) for text in texts]


def of_trees():
    tree = cases("evidence/tree.json")
    frontier = merkle.Frontier()
    for size, head in enumerate(tree["heads"]):
        said = (size, [root.hex() for root in frontier.roots], frontier.root().hex())
        yield f"tree of {size}", said == (head["size"], head["frontier"], head["root"])
        if size < len(tree["leafData"]):
            leaf = merkle.leaf_hash(bytes.fromhex(tree["leafData"][size]))
            yield f"leaf {size}", leaf.hex() == tree["leafHashes"][size]
            frontier.append(leaf)
    for case in cases("evidence/inclusion.json"):
        leaf, root = hashes([case["leafHash"], case["root"]])
        valid = merkle.verify_inclusion(case["index"], case["size"], leaf, hashes(case["proof"]), root)
        yield case["name"], valid == case["valid"]
    for case in cases("evidence/consistency.json"):
        roots = hashes([case["oldRoot"], case["newRoot"]])
        valid = merkle.verify_consistency(case["oldSize"], case["newSize"], *roots, hashes(case["proof"]))
        yield case["name"], valid == case["valid"]


KINDS = {notes.NOTE_KEY: "note", notes.COSIGNATURE_KEY: "cosignature"}


def keys_of(texts):
    return [notes.parse_key(text) for text in texts]


def of_notes():
    for case in cases("evidence/keys.json"):
        key = attempt(notes.parse_key, case["text"])
        said = key and (key.name, key.key_id, KINDS[key.kind], key.public_key.hex())
        expected = tuple(case[name] for name in ("keyName", "keyId", "kind", "publicKey")) if case["valid"] else None
        yield case["name"], said == expected
    for case in cases("evidence/notes.json"):
        signers = attempt(lambda: notes.verify_note(notes.parse_note(case["note"]), keys_of(case["keys"])))
        yield case["name"], (signers and [key.name for key in signers]) == case.get("signers")
    for case in cases("evidence/checkpoints.json"):
        pinned = (keys_of(case["logs"]), keys_of(case["witnesses"]))
        opened = attempt(notes.open_checkpoint, case["checkpoint"], *pinned)
        said = opened and {
            "origin": opened.checkpoint.text.split("\n")[0],
            "size": opened.checkpoint.size,
            "root": opened.checkpoint.root.hex(),
            "cosignatures": [{"witness": each.witness.name, "time": each.time} for each in opened.cosignatures],
        }
        yield case["name"], said == ({name: case[name] for name in said} if case["valid"] and said else None)
        yield case["name"], (opened is not None) == case["valid"]


def of_policies():
    for case in cases("evidence/policies.json"):
        policy = attempt(evidence.parse_policy, case["policy"])
        yield case["name"], (policy is not None) == case["valid"]
        for quorum in case.get("quorums", []) if policy else []:
            cosignatures = [notes.Cosignature(policy.witnesses[name], 1) for name in quorum["cosigned"]]
            yield f"{case['name']}: {quorum}", evidence.meets_quorum(policy, cosignatures) == quorum["met"]


def of_evidence():
    for case in cases("evidence/witness.json"):
        last = case["last"] and (case["last"]["size"], bytes.fromhex(case["last"]["root"]))
        said = evidence.decide_witness(case["body"], last, keys_of(case["logs"]))
        yield case["name"], said == (case["status"], case.get("size"))
    for case in cases("evidence/log-of-logs.json"):
        data = evidence.log_of_logs_data(notes.parse_checkpoint(case["checkpoint"]))
        yield case["data"], (data.hex(), merkle.leaf_hash(data).hex()) == (case["data"], case["leafHash"])
    for case in cases("evidence/anchors.json"):
        found = attempt(evidence.verify_anchor, case["anchor"], evidence.parse_policy(case["policy"]))
        said = found and (found[1], found[0].checkpoint.size)
        yield case["name"], said == ((case["index"], case["size"]) if case["valid"] else None)
    for case in cases("evidence/receipts.json"):
        found = attempt(evidence.verify_receipt, case["receipt"], evidence.parse_policy(case["policy"]))
        said = found and (found.event["seq"], found.hash)
        yield case["name"], said == ((case["seq"], case["hash"]) if case["valid"] else None)


GROUPS = (of_canonical_form, of_events, of_chains, of_bundles, of_trees, of_notes, of_policies, of_evidence)


def check_vectors():
    """Each vector's group, name and whether it holds."""
    for group in GROUPS:
        for name, holds in group():
            yield group.__name__.removeprefix("of_"), name, holds
