"""Signed notes and their keys, checkpoints and cosignatures (C2SP signed-note, tlog-checkpoint, tlog-cosignature)."""
import base64
import binascii
import hashlib
import re
from collections import namedtuple

from . import ed25519
from .canonical import SAFE, is_well_formed
from .event import ULID
from .merkle import EMPTY_ROOT


class Refused(Exception):
    """Evidence that is not in its form, or proves nothing under the pinned keys."""


NOTE_LENGTH_MAX = 1_048_576
SIGNATURES_MAX = 128
NAME_LENGTH_MAX = 255
NOTE_KEY, COSIGNATURE_KEY = 1, 4
TIME_BYTES = 8

Key = namedtuple("Key", "name key_id kind public_key")
Signature = namedtuple("Signature", "name key_id signature")
Note = namedtuple("Note", "text signatures")
Origin = namedtuple("Origin", "deployment org_id")
Checkpoint = namedtuple("Checkpoint", "origin size root text")
Cosignature = namedtuple("Cosignature", "witness time")
Opened = namedtuple("Opened", "checkpoint signers cosignatures")


def from_base64(text):
    """The bytes of padded base 64 whose unused bits are zero, and of nothing else."""
    try:
        decoded = base64.b64decode(text.encode("ascii"), validate=True)
    except (UnicodeEncodeError, binascii.Error) as error:
        raise Refused("not base 64") from error
    if base64.b64encode(decoded).decode() != text:
        raise Refused("base 64 in another spelling")
    return decoded


def hash_from_base64(text):
    decoded = from_base64(text)
    if len(decoded) != 32:
        raise Refused("not a hash of 32 bytes")
    return decoded


def from_decimal(text):
    number = int(text) if re.fullmatch("0|[1-9][0-9]{0,15}", text) else SAFE + 1
    if number > SAFE:
        raise Refused("not a decimal number")
    return number


def utf16_length(text):
    return len(text.encode("utf-16-le", "surrogatepass")) // 2


# White space of Unicode, control characters of category Cc, and the plus.
NOT_IN_A_NAME = re.compile("[\x00-\x20\x7f-\xa0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000+]")


def is_key_name(text):
    return text != "" and utf16_length(text) <= NAME_LENGTH_MAX and is_well_formed(text) and not NOT_IN_A_NAME.search(text)


def make_key(name, kind, public_key):
    digest = hashlib.sha256(name.encode("utf-8") + b"\n" + bytes([kind]) + public_key).digest()
    return Key(name, digest[:4].hex(), kind, public_key)


def parse_key(text):
    """A verifier key: `<name>+<id>+<base64(type ‖ public key)>`."""
    name, plus, rest = text.partition("+")
    key_id, second_plus, encoded = rest.partition("+")
    if not plus or not second_plus or not is_key_name(name) or not re.fullmatch("[0-9a-f]{8}", key_id):
        raise Refused("not a key")
    typed = from_base64(encoded)
    if len(typed) != 33 or typed[0] not in (NOTE_KEY, COSIGNATURE_KEY):
        raise Refused("not an Ed25519 key of a known type")
    key = make_key(name, typed[0], typed[1:])
    if key.key_id != key_id:
        raise Refused("another key's id")
    return key


def parse_signature_line(line):
    name, space, encoded = line[2:].partition(" ")
    if not line.startswith("\u2014 ") or not space or not is_key_name(name):
        raise Refused("not a line of a signature")
    decoded = from_base64(encoded)
    if len(decoded) <= 4:
        raise Refused("an empty signature")
    return Signature(name, decoded[:4].hex(), decoded[4:])


def parse_note(note):
    if utf16_length(note) > NOTE_LENGTH_MAX or not is_well_formed(note) or re.search("[\x00-\x09\x0b-\x1f]", note):
        raise Refused("a note that is too long, not UTF-8, or has a control character")
    text, blank, lines = note.rpartition("\n\n")
    if not blank or not lines.endswith("\n"):
        raise Refused("a note without its blank line or its end")
    signatures = lines[:-1].split("\n")
    if len(signatures) > SIGNATURES_MAX:
        raise Refused("too many signatures")
    return Note(text + "\n", [parse_signature_line(line) for line in signatures])


def claimed(signature, keys):
    """The known key that a signature says it is of, if any."""
    return next((key for key in keys if (key.name, key.key_id) == (signature.name, signature.key_id)), None)


def verify_note(note, keys):
    """The known keys that signed, each once, in the order of the lines."""
    note_keys = [key for key in keys if key.kind == NOTE_KEY]
    signers = []
    for signature in note.signatures:
        key = claimed(signature, note_keys)
        if key is None:
            continue
        if not ed25519.verify(signature.signature, note.text.encode("utf-8"), key.public_key):
            raise Refused(f"a signature that is not of {key.name}")
        if key not in signers:
            signers.append(key)
    if not signers:
        raise Refused("no known key signed")
    return signers


HOST = "[a-z0-9](?:[a-z0-9.-]{0,98}[a-z0-9])?(?::[1-9][0-9]{0,4})?"
SEGMENT = "/(?!(?:org|log)(?:/|\\Z))[a-z0-9](?:[a-z0-9._-]{0,30}[a-z0-9])?"
ORIGIN = re.compile(f"({HOST}(?:{SEGMENT}){{0,2}})/(?:log|org/(org_{ULID}))")


def parse_origin(text):
    """Of a deployment's log of logs, with `org_id` None, or of an organisation's ledger."""
    match = ORIGIN.fullmatch(text)
    if match is None:
        raise Refused("not an origin")
    return Origin(match[1], match[2])


def parse_checkpoint(text):
    lines = text.split("\n")
    if len(lines) != 4 or lines[3] != "":
        raise Refused("a checkpoint has three lines")
    origin, size, root = parse_origin(lines[0]), from_decimal(lines[1]), hash_from_base64(lines[2])
    if size == 0 and root != EMPTY_ROOT:
        raise Refused("an empty tree with another root")
    return Checkpoint(origin, size, root, text)


def keys_of_origin(origin_line, pinned):
    """Pinned keys as keys of this log: named after it, or after its deployment and then under its name."""
    deployment = parse_origin(origin_line).deployment
    for key in pinned:
        if key.kind == NOTE_KEY and key.name == origin_line:
            yield key
        elif key.kind == NOTE_KEY and key.name == deployment:
            yield make_key(origin_line, NOTE_KEY, key.public_key)


def verify_cosignature(signature, text, witness):
    time = int.from_bytes(signature[:TIME_BYTES], "big")
    message = f"cosignature/v1\ntime {time}\n{text}".encode("utf-8")
    if len(signature) != TIME_BYTES + 64 or time > SAFE:
        raise Refused("not a cosignature")
    if not ed25519.verify(signature[TIME_BYTES:], message, witness.public_key):
        raise Refused(f"a cosignature that is not of {witness.name}")
    return Cosignature(witness, time)


def cosignatures_of(note, witnesses):
    keys = [key for key in witnesses if key.kind == COSIGNATURE_KEY]
    pairs = [(signature, claimed(signature, keys)) for signature in note.signatures]
    return [verify_cosignature(line.signature, note.text, key) for line, key in pairs if key is not None]


def open_checkpoint(published, logs, witnesses):
    """A published checkpoint under pinned keys: what it says, who signed and who cosigned. Raises Refused."""
    note = parse_note(published)
    checkpoint = parse_checkpoint(note.text)
    signers = verify_note(note, list(keys_of_origin(note.text.split("\n")[0], logs)))
    return Opened(checkpoint, signers, cosignatures_of(note, witnesses))
