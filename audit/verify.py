#!/usr/bin/env python3
"""Verifies ledgers, their evidence and receipts of Daybook with Python 3 alone: no package, no network, no code of the server.

A second implementation of docs/ledger-format.md (in verifier/). Exit codes: 0 intact or proven, 1 damaged or refused,
2 it could not run.
"""
import argparse
import base64
import io
import json
import sys

from verifier import ed25519, evidence, notes
from verifier.chain import parse_head
from verifier.export import verify_export
from verifier.notes import Refused
from verifier.opening import NotAnExport
from verifier.trust import make_trust
from verifier.vectors import check_vectors

EXIT_SOUND, EXIT_DAMAGED, EXIT_NOT_RUN = 0, 1, 2


def read_text(path):
    with open(path, encoding="utf-8", newline="") as file:
        return file.read()


def run_bundle(options):
    policy, since = [None if path is None else read_text(path) for path in (options.policy, options.since)]
    trust = make_trust(options.key, policy, since)
    with open(options.file, "rb") as file:
        verdict = verify_export(file, options.expect_head, options.earlier_head, trust)
    print(json.dumps(verdict))
    return EXIT_SOUND if verdict["result"] == "intact" else EXIT_DAMAGED


def run_receipt(options):
    policy = evidence.parse_policy(read_text(options.policy))
    try:
        receipt = evidence.verify_receipt(read_text(options.file), policy)
    except Refused as refusal:
        print(json.dumps({"result": "refused", "reason": str(refusal)}))
        return EXIT_DAMAGED
    said = {"result": "proven", "orgId": receipt.event["orgId"], "seq": receipt.event["seq"], "hash": receipt.hash}
    print(json.dumps({**said, "size": receipt.organisation.checkpoint.size, "event": receipt.event}))
    return EXIT_SOUND


def run_vectors(_options):
    total, failed = 0, 0
    for group, name, holds in check_vectors():
        total += 1
        if not holds:
            failed += 1
            print(f"FAILED: {group}: {name}")
    print(f"{total - failed} of {total} vectors passed")
    return EXIT_DAMAGED if failed else EXIT_SOUND


def answer_bundle(case):
    try:
        file = io.BytesIO(base64.b64decode(case["bytes"]))
        trust = make_trust(case.get("keys", ()), case.get("policy"), case.get("since"))
        return verify_export(file, case.get("expectHead"), case.get("earlierHead"), trust)
    except NotAnExport:
        return {"result": "not a bundle"}
    except Refused:
        return {"result": "refused"}


def answer_receipt(case):
    try:
        receipt = evidence.verify_receipt(case["receipt"], evidence.parse_policy(case["policy"]))
    except Refused:
        return {"result": "refused"}
    return {"result": "proven", "seq": receipt.event["seq"], "hash": receipt.hash}


def answer_checkpoint(case):
    try:
        keys = [[notes.parse_key(text) for text in case[name]] for name in ("logs", "witnesses")]
        opened = notes.open_checkpoint(case["checkpoint"], *keys)
    except Refused:
        return {"result": "refused"}
    times = [cosignature.time for cosignature in opened.cosignatures]
    return {"result": "opened", "size": opened.checkpoint.size, "times": times}


def answer_signature(case):
    parts = [bytes.fromhex(case[name]) for name in ("signature", "message", "publicKey")]
    return {"result": "valid" if ed25519.verify(*parts) else "invalid"}


ANSWERS = {
    "bundle": answer_bundle,
    "receipt": answer_receipt,
    "checkpoint": answer_checkpoint,
    "signature": answer_signature,
}


def run_cases(_options):
    for line in sys.stdin:
        case = json.loads(line)
        print(json.dumps(ANSWERS[case["kind"]](case)))
    return EXIT_SOUND


def head(text):
    parse_head(text, True)
    return text


def create_parser():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    commands = parser.add_subparsers(required=True)
    bundle = commands.add_parser("bundle", help="verify an exported ledger, plain or a bundle with its evidence")
    bundle.add_argument("file")
    bundle.add_argument("--expect-head", type=head, help="the ledger must end at this SEQ:HASH or HASH")
    bundle.add_argument("--earlier-head", type=head, help="the ledger must contain this SEQ:HASH or HASH")
    bundle.add_argument("--key", action="append", default=[], help="pin a public key of the deployment; may be repeated")
    bundle.add_argument("--policy", help="keys of logs and witnesses, and the quorum that must have cosigned")
    bundle.add_argument("--since", help="the checkpoint that an earlier audit trusted")
    bundle.set_defaults(run=run_bundle)
    receipt = commands.add_parser("receipt", help="verify a receipt under a trust policy")
    receipt.add_argument("file")
    receipt.add_argument("--policy", required=True, help="keys of logs and witnesses, and the quorum")
    receipt.set_defaults(run=run_receipt)
    vectors = commands.add_parser("vectors", help="check this verifier against every published vector")
    vectors.set_defaults(run=run_vectors)
    cases = commands.add_parser("cases", help="answer cases on standard input, one JSON object a line")
    cases.set_defaults(run=run_cases)
    return parser


def main(arguments):
    options = create_parser().parse_args(arguments)
    try:
        return options.run(options)
    except (NotAnExport, OSError, UnicodeDecodeError, Refused) as error:
        print(f"The audit could not run: {error}", file=sys.stderr)
        return EXIT_NOT_RUN


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
