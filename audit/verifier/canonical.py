"""RFC 8785 (JCS): the one form of a JSON value, and the proof that a text is in it."""
import json
import math
import re

SAFE = 2**53 - 1
# Longer runs of digits are no double; Python's int() would refuse or take long.
DIGITS_MAX = 400


class NotCanonical(Exception):
    pass


def parse(text):
    """The JSON value of a text: integers in the safe range as int, other numbers as the double they are."""

    def integer(digits):
        number = int(digits) if len(digits) < DIGITS_MAX else math.inf
        return number if abs(number) <= SAFE else real(digits)

    def real(digits):
        number = float(digits)
        if math.isinf(number):
            raise NotCanonical("a number that is no double")
        return number

    def constant(name):
        raise NotCanonical(f"{name} is not JSON")

    try:
        return json.loads(text, parse_int=integer, parse_float=real, parse_constant=constant)
    except (ValueError, RecursionError) as error:
        raise NotCanonical(str(error)) from error


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
TO_ESCAPE = re.compile(r'["\\\x00-\x1f]')


def is_well_formed(string):
    """Whether a text holds no lone surrogate, and so has a UTF-8 form."""
    try:
        string.encode("utf-8")
    except UnicodeEncodeError:
        return False
    return True


def string_text(string):
    if not is_well_formed(string):
        raise NotCanonical("a lone surrogate")
    return '"' + TO_ESCAPE.sub(lambda match: ESCAPES.get(match[0]) or f"\\u{ord(match[0]):04x}", string) + '"'


def canonicalize(value):
    if value is None or isinstance(value, bool):
        return {None: "null", True: "true", False: "false"}[value]
    if isinstance(value, str):
        return string_text(value)
    if isinstance(value, (int, float)):
        return number_text(value)
    if isinstance(value, list):
        return "[" + ",".join(map(canonicalize, value)) + "]"
    members = [(name.encode("utf-16-be", "surrogatepass"), string_text(name), name) for name in value]
    return "{" + ",".join(f"{text}:{canonicalize(value[name])}" for _, text, name in sorted(members)) + "}"


def parse_canonical(text):
    """The value of a text that is byte for byte the RFC 8785 form of it; raises NotCanonical for any other text.

    Written again, a value has one name once, sorted, without white space, needless escapes, -0, 1.0 or 1e0: so the
    comparison finds them all, whatever json.loads made of them.
    """
    try:
        value = parse(text)
        if canonicalize(value) != text:
            raise NotCanonical("other bytes than the canonical form")
    except RecursionError as error:
        raise NotCanonical("nested too deep") from error
    return value
