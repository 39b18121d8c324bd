"""The structure of an event, the table of types, and the hashes."""
import hashlib
import re

from .canonical import SAFE

DEPTH_MAX = 16
ULID = "[0-7][0-9A-HJKMNP-TV-Z]{25}"


def tagged_hash(tag, text):
    return hashlib.sha256(f"{tag}\n{text}".encode("utf-8")).hexdigest()


def event_hash(text):
    return tagged_hash("daybook-event-v1", text)


def genesis_hash(org_id):
    return tagged_hash("daybook-genesis-v1", org_id)


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
# Each shape: the members that must be there, those that may, and how their values are checked.
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
CAUSE = {"causationId": an_id("evt")}


def is_event(value):
    return has_members(value, ENVELOPE, CAUSE)


# The table of types: how a stream begins, then each type's last word, and its sources when they are not `command` alone.
TABLE = {
    "organization/org_": "created renamed frozen:command,operator unfrozen:command,operator closed"
    " providerLinked:command,operator providerUnlinked:command,operator",
    "invitation/inv_": "created accepted revoked",
    "member/usr_": "joined roleChanged removed suspended reinstated sessionsRevoked",
    "service/svc_": "defined retired",
    "booking/bkg_": "requested confirmed rescheduled assigned unassigned started completed noShowMarked cancelled",
    "stripeAccount/org_": "linkBegun linkReturned linked:job linkFailed:job unlinked:command,job,webhook/stripe",
    "payment/pay_": "requested created:job creationUnknown:job creationFailed:job cancelRequested:command,job"
    " cancelled:command,job,webhook/stripe processing:webhook/stripe failed:webhook/stripe confirmed:webhook/stripe"
    " refundRequested refundApproved refundDeclined refundSubmitted:job refundUnknown:job refundNotSubmitted:job"
    " refundPending:webhook/stripe refunded:webhook/stripe refundFailed:webhook/stripe disputeOpened:webhook/stripe"
    " disputeUpdated:webhook/stripe disputeFundsWithdrawn:webhook/stripe disputeFundsReinstated:webhook/stripe"
    " disputeClosed:webhook/stripe",
    "export/exp_": "begun",
    "reading/rdg_": "begun",
}


def read_table():
    for start, words in TABLE.items():
        for word in words.split():
            verb, _, sources = word.partition(":")
            yield f"{start.split('/')[0]}.{verb}", (start, set((sources or "command").split(",")))


TYPES = dict(read_table())


def source_label(source):
    """How the table names a source: its kind, a webhook's with its provider."""
    return f"webhook/{source['provider']}" if source["kind"] == "webhook" else source["kind"]


def broken_type_rule(event):
    """Which of the checks 8 and 9 an event fails, as a kind of damage; None when it passes both."""
    start, sources = TYPES.get(event["type"], (None, ()))
    if start is None or event["typeVersion"] != 1 or not event["stream"].startswith(start):
        return "unknown type"
    return None if source_label(event["source"]) in sources else "forbidden source"
