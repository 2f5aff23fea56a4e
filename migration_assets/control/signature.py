"""What every answer, waiver and sign-off carries: who gave it, and why. Pure."""

from __future__ import annotations

import unicodedata

from migration_assets.domain.errors import BadInput

# In characters. A reason is read by people who have many to read; longer ones belong where it can point at.
LONGEST_REASON = 1_000
_LINES = "\t\n\r"


def reason_fault(text: str) -> str | None:
    """What is wrong with a reason, in words; None where nothing is."""
    if any(_is_no_text(c) for c in text):
        return "the reason holds characters that are no text (control characters, or bytes that are not UTF-8)"
    if not any(_is_seen(c) for c in text):
        return "a decision needs a reason"
    length = len(text.strip())
    if length > LONGEST_REASON:
        return f"the reason has {length:,} characters, and {LONGEST_REASON:,} are the most"
    return None


def reason_given(text: str) -> str:
    """The reason as it is kept, without blanks around it. BadInput for one that is empty, too long or no text."""
    fault = reason_fault(text)
    if fault is not None:
        raise BadInput(
            fault, f"Say why in plain text of 1 to {LONGEST_REASON:,} characters, and where more is to be found."
        )
    return text.strip()


def same_person(one: str, other: str) -> bool:
    """Whether two names are one person's: case, blanks around it and how accents are encoded make nobody another."""
    return _person(one) == _person(other)


def _person(name: str) -> str:
    return unicodedata.normalize("NFC", unicodedata.normalize("NFC", name).strip().casefold())


def _is_no_text(character: str) -> bool:
    return unicodedata.category(character) in ("Cc", "Cs") and character not in _LINES


def _is_seen(character: str) -> bool:
    return unicodedata.category(character)[0] not in "CZ"
