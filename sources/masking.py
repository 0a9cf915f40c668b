"""Masks of personal data in texts: e-mail addresses, public IP addresses and phone numbers.

Off by default. Each kind is found by a kept library, not by a pattern of this project's: `email-validator` decides on
addresses, Python's `ipaddress` on IP addresses, and `phonenumbers`, the Python port of Google's libphonenumber, finds
phone numbers. A simple pattern only chooses the texts and the words that they look at.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from ipaddress import IPv4Address, IPv6Network, ip_address
from typing import Literal, get_args

import pyarrow as pa
import pyarrow.compute as pc

from open_ml_embed.core.errors import UnknownNameError
from open_ml_embed.core.optional import check_installed, require

Kind = Literal["email", "ip", "phone"]
KINDS: tuple[Kind, ...] = get_args(Kind)
"""What can be masked, in the order in which it is."""
MASKS: dict[Kind, str] = {"email": "[EMAIL]", "ip": "[IP]", "phone": "[PHONE]"}
"""Kind → what stands in its place."""
_HINTS: dict[Kind, str] = {
    "email": r"[^\s@]@[^\s@]+\.",
    "ip": r"\d\.\d{1,3}\.\d|[0-9A-Fa-f]:[0-9A-Fa-f]{0,4}:[0-9A-Fa-f:]",
    "phone": r"\+\W{0,2}\d(?:[\s().\-/]{0,3}\d){6}",
}
"""Kind → what a text has that may hold one (RE2). Texts without it are not looked at."""
_NATIONAL = r"\d(?:[\s().\-/]{0,3}\d){5}"
"""The hint of phone numbers where numbers without a country code are looked for too."""
_ADDRESS = re.compile(r"[^\s@<>()\[\]{},;:\"'`|\\/=?&]+@[\w.\-]+")
_END = ".!?…。।_*-~"
"""Characters that end a sentence or emphasis and no address."""
_IP = re.compile(r"(?<![\w.:])(?:\d{1,3}(?:\.\d{1,3}){3}|[0-9A-Fa-f]{1,4}:[0-9A-Fa-f:]+(?:\.\d{1,3}){0,3})(?![\w:])")
_PUBLIC_V6 = IPv6Network("2000::/3")
"""The only part of IPv6 that is given out; `ab::cd` of a C++ program is not in it."""


class Masker:
    """Masks personal data.

    Attributes:
        kinds: what it masks.
        counts: kind → how many it has masked so far.

    """

    def __init__(self, kinds: Sequence[Kind], regions: Sequence[str] = ()) -> None:
        """Choose what is masked.

        Args:
            kinds: in any order.
            regions: countries (ISO 3166, as `US`) whose phone numbers are masked without a country code too, if they
                are grouped as is usual there. Numbers with a country code are masked anyway.

        Raises:
            MissingPackageError: a library is not installed.
            UnknownNameError: there are no phone numbers of such a region.

        """
        self.kinds = tuple(kind for kind in KINDS if kind in kinds)
        self.counts: Counter[str] = Counter()
        if "email" in kinds:
            check_installed("email_validator", what="masking e-mail addresses", where="normalize.mask")
        self._regions: tuple[str, ...] = ()
        if "phone" in kinds:
            supported = require("phonenumbers", what="masking phone numbers", where="normalize.mask").SUPPORTED_REGIONS
            for region in regions:
                if region not in supported:
                    raise UnknownNameError("region", region, sorted(supported), where="normalize.phone_regions")
            self._regions = tuple(regions)

    def __call__(self, texts: pa.StringArray) -> pa.StringArray:
        """Return the texts with masks in the place of personal data, string[n].

        >>> masker = Masker(["email", "ip"])
        >>> masker(pa.array(["Write to jane@uni-koeln.de.", "8.8.8.8 and 127.0.0.1", "none"])).to_pylist()
        ['Write to [EMAIL].', '[IP] and 127.0.0.1', 'none']
        >>> dict(masker.counts)
        {'email': 1, 'ip': 1}

        """
        for kind in self.kinds:
            hint = _NATIONAL if kind == "phone" and self._regions else _HINTS[kind]
            found = pc.fill_null(pc.match_substring_regex(texts, hint), fill_value=False)
            if found.true_count:
                masked = [self._masked(text, kind) for text in texts.filter(found).to_pylist()]
                texts = pc.replace_with_mask(texts, found, pa.array(masked, texts.type))
        return texts

    def _masked(self, text: str, kind: Kind) -> str:
        pieces, at = [], 0
        for start, end in _FINDERS[kind](text, self._regions):
            pieces += [text[at:start], MASKS[kind]]
            at = end
            self.counts[kind] += 1
        return "".join([*pieces, text[at:]]) if pieces else text


def _addresses(text: str, _regions: tuple[str, ...]) -> Iterator[tuple[int, int]]:
    from email_validator import EmailNotValidError, validate_email

    for match in _ADDRESS.finditer(text):
        address = match[0].rstrip(_END)
        try:
            validate_email(address, check_deliverability=False)
        except EmailNotValidError:
            continue
        yield match.start(), match.start() + len(address)


def _ip_addresses(text: str, _regions: tuple[str, ...]) -> Iterator[tuple[int, int]]:
    for match in _IP.finditer(text):
        address = match[0].rstrip(":")
        try:
            found = ip_address(address)
        except ValueError:
            continue
        if found.is_global and (isinstance(found, IPv4Address) or found in _PUBLIC_V6):
            yield match.start(), match.start() + len(address)


def _phone_numbers(text: str, regions: tuple[str, ...]) -> Iterator[tuple[int, int]]:
    from phonenumbers import Leniency, PhoneNumberMatcher

    found = {(match.start, match.end) for match in PhoneNumberMatcher(text, None, Leniency.VALID)}
    for region in regions:
        found |= {(match.start, match.end) for match in PhoneNumberMatcher(text, region, Leniency.STRICT_GROUPING)}
    reached = 0
    for start, end in sorted(found, key=lambda place: (place[0], -place[1])):
        if start >= reached:
            yield start, end
            reached = end


_FINDERS: dict[Kind, Callable[[str, tuple[str, ...]], Iterator[tuple[int, int]]]] = {
    "email": _addresses,
    "ip": _ip_addresses,
    "phone": _phone_numbers,
}
"""Kind → what yields where it is in a text: (start, end), ascending and apart."""
