"""The verdict on an export, plain or with its evidence, from one pass over its lines."""
from .chain import Damage, Verifier, parse_head
from .judge import LACKING, Judge, Judged
from .notes import Refused
from .opening import read_lines, read_opening
from .trust import NOTHING_TRUSTED


def wanted_sizes(evidence, trust):
    """The sizes at which the tree of the events has to be known."""
    reads = evidence.checkpoints + [anchor.organisation for anchor in evidence.anchors]
    reads += [] if trust.since is None else [trust.since]
    return {read.checkpoint.size for read in reads}


def first_damage(verifier, lines):
    try:
        verifier.take_all(lines)
    except Damage as damage:
        return damage
    return None


def reported(chain_damage, evidence_damage):
    """The lower one, the chain's own on a tie."""
    if chain_damage is None or evidence_damage is None:
        return chain_damage or evidence_damage
    return evidence_damage if evidence_damage.seq < chain_damage.seq else chain_damage


def said_of(damage, judged):
    """What a verdict says beside the sound part."""
    found = {} if damage is None else {"seq": damage.seq, "kind": damage.kind}
    proven = {"checkpoints": judged.checkpoints, "signedTo": judged.signed_to, "provenTo": judged.proven_to}
    return {"result": "intact" if damage is None else "damaged", **found, **proven}


def verify_export(file, expect_head=None, earlier_head=None, trust=NOTHING_TRUSTED):
    """The verdict on an export in a binary file: `result`, the damage's `seq` and `kind`, what the evidence proves
    (`checkpoints`, `signedTo`, `provenTo`), and `count`, `headHash` and `root` of the sound part. Raises NotAnExport,
    and Refused for a trusted checkpoint of another organisation."""
    lines = read_lines(file)
    try:
        manifest, evidence = read_opening(lines)
    except Damage as damage:
        return {**said_of(damage, Judged(0, 0, 0, None)), "count": 0}
    org_id = manifest["orgId"]
    if trust.since is not None and trust.since.checkpoint.origin.org_id != org_id:
        raise Refused("the checkpoint trusted before is of another log")
    heads = [(manifest["headSeq"], manifest["headHash"], True)]
    heads += [parse_head(expect_head, True)] if expect_head else []
    heads += [parse_head(earlier_head, False)] if earlier_head else []
    verifier = Verifier(org_id, heads, wanted_sizes(evidence, trust))
    chain_damage = first_damage(verifier, lines)
    judged = Judge(verifier, chain_damage is None, trust).judge(evidence)
    damage = reported(chain_damage, judged.damage)
    count = verifier.count
    if damage is not None and damage is judged.damage and damage.kind not in LACKING:
        count = damage.seq - 1
    sound = verifier.tree_at(count)
    return {**said_of(damage, judged), "count": count, "headHash": sound.hash, "root": sound.root.hex()}
