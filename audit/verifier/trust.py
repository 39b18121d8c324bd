"""Whom an auditor believes, what they have believed before, and who of them vouches for a checkpoint."""
from collections import namedtuple

from .evidence import Policy, meets_quorum, parse_policy
from .notes import NOTE_KEY, Refused, claimed, cosignatures_of, keys_of_origin, parse_key, verify_note
from .opening import read_checkpoint

# `policy`: None when no key is pinned. `since`: a checkpoint that an earlier audit trusted, or None.
Trust = namedtuple("Trust", "policy since")
Vouchers = namedtuple("Vouchers", "signers is_quorum_met")

NOTHING_TRUSTED = Trust(None, None)


def vouchers_of(read, policy):
    """Who signed and cosigned a checkpoint. Raises Refused for a line of a known key that is not that key's."""
    if policy is None:
        return Vouchers([], False)
    keys = list(keys_of_origin(read.note.text.split("\n")[0], policy.logs))
    is_claimed = any(claimed(signature, keys) is not None for signature in read.note.signatures)
    signers = verify_note(read.note, keys) if is_claimed else []
    cosignatures = cosignatures_of(read.note, policy.witnesses.values())
    return Vouchers(signers, meets_quorum(policy, cosignatures))


def make_policy(keys, policy_text):
    pinned = [parse_key(text) for text in keys]
    if any(key.kind != NOTE_KEY for key in pinned):
        raise Refused("a witness's key is named in a policy")
    if policy_text is None:
        return Policy(pinned, {}, None) if pinned else None
    policy = parse_policy(policy_text)
    policy = policy._replace(logs=policy.logs + pinned)
    if not policy.logs:
        raise Refused("a policy that names no log, and no key beside it")
    return policy


def make_trust(keys=(), policy_text=None, since_text=None):
    """The trust of verifier keys, a policy and a published checkpoint, all of them texts. Raises Refused."""
    policy = make_policy(keys, policy_text)
    since = None if since_text is None else read_checkpoint(since_text)
    if since is not None and policy is not None and not vouchers_of(since, policy).signers:
        raise Refused("the checkpoint trusted before is not signed by a pinned key")
    return Trust(policy, since)
