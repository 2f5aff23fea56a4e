"""Rules for phones, e-mail addresses and web sites. Their grammar is the libraries' business; nothing is looked up."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace
from functools import cache
from typing import TYPE_CHECKING

from migration_assets.engine.rules import arguments as a
from migration_assets.engine.rules.geography import country_of, in_country
from migration_assets.engine.rules.mail_domains import domain_of
from migration_assets.engine.rules.outcome import Cleaned, Cleaner, Context, Remark, Texts
from migration_assets.engine.rules.phone_numbers import plain_numbers
from migration_assets.engine.rules.text import NOT_TEXT, is_text, tidy

if TYPE_CHECKING:
    import ibis.expr.types as ir
    from phonenumbers import PhoneNumber

    from migration_assets.engine.api import Engine

_NOT_A_PHONE = Cleaned(error="not_a_phone_number")
_NOT_AN_EMAIL = Cleaned(error="not_an_email")
_NOT_A_WEBSITE = Cleaned(error="not_a_website")
_LONGEST_PHONE = 60
# An extension begins with a letter or a sign that no number itself needs.
_EXTENSION_SIGN = re.compile(r"[^\d\s()+./-]")


def phone(arguments: a.Phone, _: Context) -> Cleaner:
    """Number, read as people in its country dial it, to E.164. An extension is no part of E.164: it goes, noted."""
    otherwise = arguments.default_country

    @cache
    def named(country: str | None) -> str | None:
        return country_of(("", country), otherwise)

    def remark(texts: Texts, cleaned: Cleaned) -> Remark | None:
        given = texts[0] or ""
        if cleaned.value is None or not _EXTENSION_SIGN.search(given):
            return None
        return Remark("extension_left_out") if _has_extension(tidy(given), country_of(texts, otherwise)) else None

    def in_bulk(engine: Engine, inputs: ir.Table) -> ir.Table | None:
        return plain_numbers(engine, inputs, named)

    return replace(in_country(e164, otherwise), remark=remark, in_bulk=in_bulk)


def e164(number: str, country: str | None) -> Cleaned:
    """A valid number as E.164; one without country code needs the country."""
    import phonenumbers

    found = _valid_number(number, country)
    if found is not None:
        return Cleaned(str(phonenumbers.format_number(found, phonenumbers.PhoneNumberFormat.E164)))
    told = country or number.startswith(("+", "00")) or len(number) > _LONGEST_PHONE
    return _NOT_A_PHONE if told else Cleaned(error="phone_country_unknown")


def _has_extension(number: str, country: str | None) -> bool:
    found = _valid_number(number, country)
    return bool(found and found.extension)


def _valid_number(number: str, country: str | None) -> PhoneNumber | None:
    if len(number) > _LONGEST_PHONE:
        return None
    found = _parsed(number, country)
    if found is None and number.startswith("00"):
        # The usual way to write + where the country's own prefix for calls abroad is another one, or unknown.
        return _parsed("+" + number[2:], country)
    return found


def _parsed(number: str, country: str | None) -> PhoneNumber | None:
    import phonenumbers

    try:
        found = phonenumbers.parse(number, country)
    except phonenumbers.NumberParseException:
        return None
    return found if phonenumbers.is_valid_number(found) else None


def email(_: a.Arguments, context: Context) -> Cleaner:
    """Address in normal form and lower case, as mail systems treat it; what looks like a slip is only remarked on."""
    slips: Mapping[str, str] = context.learned or {}

    def clean(texts: Texts) -> Cleaned:
        return email_address(texts[0] or "")

    def remark(_: Texts, cleaned: Cleaned) -> Remark | None:
        name, _at, domain = (cleaned.value or "").rpartition("@")
        return Remark("domain_may_be_mistyped", f"{name}@{slips[domain]}") if domain in slips else None

    def suspected(text: ir.StringValue) -> ir.BooleanValue:
        return domain_of(text).isin(list(slips))

    def in_bulk(_: Engine, inputs: ir.Table) -> ir.Table:
        """Plain addresses in capitals or with blanks around them."""
        found = inputs.mutate(_answer=inputs["k0"].strip().lower())
        # Capitals beyond ASCII may have plain small letters.
        plain = inputs["k0"].re_search(r"^ *[!-~]+ *\z") & found["_answer"].re_search(_plain_address())
        return found.mutate(_covered=plain & ~suspected(found["_answer"]) if slips else plain)

    if not slips:
        return Cleaner(clean, unchanged=_plain_address(), in_bulk=in_bulk)
    return Cleaner(clean, unchanged=_plain_address(), in_bulk=in_bulk, remark=remark, suspected=suspected)


def email_address(given: str) -> Cleaned:
    """One address, nothing around it but white space, `mailto:` or angle brackets."""
    if not is_text(given):
        return NOT_TEXT
    text = re.sub(r"^mailto:", "", tidy(given), flags=re.IGNORECASE).strip()
    text = text[1:-1].strip() if text.startswith("<") and text.endswith(">") else text
    normal = _normal_address(text)
    if normal is None:
        return _NOT_AN_EMAIL
    lower = normal.lower()
    # Lower case of letters beyond ASCII can be longer or no longer be normal: what is kept has to be valid itself.
    return Cleaned(lower) if lower.isascii() or _normal_address(lower) == lower else _NOT_AN_EMAIL


def _normal_address(text: str) -> str | None:
    from email_validator import EmailNotValidError, validate_email

    try:
        return str(validate_email(text, check_deliverability=False).normalized)
    except EmailNotValidError:
        return None


@cache
def _plain_address() -> str:
    """Addresses the validator gives back unchanged: lower-case ASCII, plain labels, no reserved domain.

    A property test holds this against the validator.
    """
    from email_validator import SPECIAL_USE_DOMAIN_NAMES

    label = "[a-z0-9]{1,18}(-[a-z0-9]{1,18})?"
    # Only a few short endings, so that no reserved domain (`test`, `local`, `arpa` ...) can come near.
    endings = [
        e for e in ("com", "net", "org", "io", "de", "fr", "uk", "eu", "us") if e not in SPECIAL_USE_DOMAIN_NAMES
    ]
    return rf"^[a-z0-9]{{1,20}}([._-][a-z0-9]{{1,18}}){{0,2}}@{label}(\.{label}){{0,2}}\.({'|'.join(endings)})\z"


def website(_: a.Arguments, __: Context) -> Cleaner:
    """Host of a URL or bare domain, without `www.`."""
    return Cleaner(lambda texts: host(texts[0] or ""), in_bulk=_plain_sites)


_BEFORE_SITE = r"^(?:https?://)?(?:www\.)?"
# Labels without a double hyphen, so that none is in Punycode.
_SITE = r"^(?:[a-z0-9]{1,30}(?:-[a-z0-9]{1,30})?\.){1,4}[a-z]{2,12}(?:/[!-~]{0,200})?\z"


def _plain_sites(_: Engine, inputs: ir.Table) -> ir.Table:
    """Hosts in small letters, with or without what usually stands around them."""
    found = inputs.mutate(_answer=inputs["k0"].re_replace(_BEFORE_SITE, ""))
    site = found["_answer"]
    host_of = (site.find("/") >= 0).ifelse(site.left(site.find("/")), site)
    return found.mutate(_covered=site.re_search(_SITE), _answer=host_of)


_LABEL = re.compile(r"(?!-)[a-z0-9-]{1,63}(?<!-)")
_TOP = re.compile(r"[a-z]{2,63}|xn--[a-z0-9-]{1,59}")
_URL = re.compile(r"(?:(?:https?:)?//)?(?:[^/?#@]*@)?(?P<host>[^/?#@:]+)(?::[0-9]{1,5})?(?:[/?#].*)?", re.IGNORECASE)


def host(given: str) -> Cleaned:
    """A host that could be registered: two labels or more, no address in digits, in Unicode form."""
    if not is_text(given):
        return NOT_TEXT
    found = _URL.fullmatch(tidy(given))
    name = found["host"].lower().rstrip(".") if found else ""
    ascii_name = _ascii_host(name)
    labels = ascii_name.split(".")
    labels = labels[1:] if labels[0] == "www" and len(labels) > 2 else labels
    if len(labels) < 2 or not all(map(_LABEL.fullmatch, labels)) or not _TOP.fullmatch(labels[-1]):
        return _NOT_A_WEBSITE
    return Cleaned(".".join(map(_unicode_label, labels)))


def _ascii_host(name: str) -> str:
    import idna

    if name.isascii():
        return name
    try:
        return idna.encode(name, uts46=True).decode("ascii").lower()
    except idna.IDNAError:
        return ""


def _unicode_label(label: str) -> str:
    import idna

    if not label.startswith("xn--"):
        return label
    try:
        return str(idna.decode(label))
    except (idna.IDNAError, UnicodeError):
        return label
