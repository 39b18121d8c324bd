"""Holds a bundle's evidence against the tree of its events, the pinned keys and the checkpoint trusted before."""
from collections import namedtuple

from .chain import Damage
from .evidence import log_of_logs_data
from .merkle import leaf_hash, verify_inclusion
from .notes import Refused
from .trust import vouchers_of

# Kinds that say what is lacking and nothing against the chain.
LACKING = ("unsigned", "not cosigned")

# A checkpoint that agrees, and who vouches for it and, once an anchor was judged, for its log.
Agreeing = namedtuple("Agreeing", "checkpoint vouchers log_vouchers")
Judged = namedtuple("Judged", "checkpoints signed_to proven_to damage")


class Fault(Exception):
    def __init__(self, kind):
        super().__init__(kind)
        self.kind = kind


def is_witnessed(agreeing):
    """Whether the quorum is met on a checkpoint, or on the log of its anchor, which a pinned key signed."""
    log = agreeing.log_vouchers
    return agreeing.vouchers.is_quorum_met or (log is not None and bool(log.signers) and log.is_quorum_met)


class Judge:
    """`chain` has verified every entry; its tree is known at the size of each checkpoint within it."""

    def __init__(self, chain, is_whole, trust):
        self.chain, self.is_whole, self.trust = chain, is_whole, trust
        self.agreeing, self.logs = {}, {}
        self.damage = None

    def judge(self, evidence):
        self.run(self.checkpoint, evidence.checkpoints, lambda read: read.checkpoint.size)
        self.run(self.anchor, evidence.anchors, lambda anchor: anchor.organisation.checkpoint.size)
        trusted = [] if self.trust.since is None else [self.trust.since]
        self.run(self.since, trusted, lambda read: read.checkpoint.size)
        sizes = [size for size in sorted(self.agreeing) if self.damage is None or size < self.damage.seq]
        signed = [size for size in sizes if self.agreeing[size].vouchers.signers]
        proven = [size for size in signed if is_witnessed(self.agreeing[size])]
        if self.trust.policy is not None and self.damage is None and self.is_whole and not self.tells(proven):
            self.damage = Damage("not cosigned" if self.tells(signed) else "unsigned", 1)
        return Judged(len(sizes), max(signed, default=0), max(proven, default=0), self.damage)

    def tells(self, sizes):
        """Whether one of these checkpoints says something of the ledger: that of no event agrees with every ledger."""
        return any(size > 0 or self.chain.count == 0 for size in sizes)

    def run(self, check, items, size_of):
        """Checks a list up to its first fault, or to what lies above the sound events of a damaged chain."""
        for item in items:
            size = size_of(item)
            if size > self.chain.count and not self.is_whole:
                return
            try:
                check(item)
            except Fault as fault:
                self.note(fault.kind, size)
                return

    def note(self, kind, size):
        below = max((agreeing for agreeing in self.agreeing if agreeing < size), default=0)
        seq = (self.chain.count if kind == "rolled back" else below) + 1
        if self.damage is None or seq < self.damage.seq:
            self.damage = Damage(kind, seq)

    def checkpoint(self, read):
        self.hold(read.checkpoint)
        agreeing = Agreeing(read.checkpoint, self.vouchers(read), None)
        self.agreeing.setdefault(read.checkpoint.size, agreeing)

    def hold(self, checkpoint):
        if checkpoint.origin.org_id != self.chain.org_id:
            raise Fault("foreign organisation")
        if checkpoint.size > self.chain.count:
            raise Fault("rolled back")
        if self.chain.tree_at(checkpoint.size).root != checkpoint.root:
            raise Fault("checkpoint mismatch")

    def vouchers(self, read):
        try:
            return vouchers_of(read, self.trust.policy)
        except Refused as refusal:
            raise Fault("forged signature") from refusal

    def anchor(self, anchor):
        self.checkpoint(anchor.organisation)
        self.place(anchor)
        size = anchor.organisation.checkpoint.size
        self.agreeing[size] = self.agreeing[size]._replace(log_vouchers=self.vouchers(anchor.log))

    def place(self, anchor):
        checkpoint, log = anchor.organisation.checkpoint, anchor.log.checkpoint
        is_own = self.agreeing[checkpoint.size].checkpoint.text == checkpoint.text
        is_own = is_own and log.origin.deployment == checkpoint.origin.deployment
        leaf = leaf_hash(log_of_logs_data(checkpoint))
        if not is_own or not verify_inclusion(anchor.proof.index, log.size, leaf, anchor.proof.hashes, log.root):
            raise Fault("checkpoint mismatch")
        if self.logs.setdefault(log.size, log.root) != log.root:
            raise Fault("split view")

    def since(self, read):
        try:
            self.checkpoint(read)
        except Fault as fault:
            if fault.kind == "checkpoint mismatch" and self.is_split(read.checkpoint.size):
                raise Fault("split view") from fault
            raise

    def is_split(self, size):
        """Whether a pinned key signed an agreeing checkpoint of at least this size. It signed the trusted one too, or
        there would be no verdict."""
        return any(own >= size and agreeing.vouchers.signers for own, agreeing in self.agreeing.items())
