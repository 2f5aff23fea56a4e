"""Certificates as files that can be verified later without a database: content with a digest of it, and a list of all
certificates of a cohort with theirs.

The digest is SHA-256 of the content as JSON with sorted keys and no spaces, in UTF-8, without the digest itself. The
list has a digest too, which whoever keeps it elsewhere can compare.
"""

from __future__ import annotations

import csv
import hashlib
import io
import json
import re
from collections.abc import Callable, Collection, Iterable, Mapping
from typing import Any

from migration_assets.domain.money import to_major
from migration_assets.stages.certificate.causes import CLASSES

Plain = dict[str, Any]
FORMAT = "cutover bill certificate 1"
LIST = "summary.csv"
NOBODY = "nobody"
_COLUMNS = (
    "certificate", "customer", "outcome", "currency", "contracts", "bills", "before", "after", "difference",
    "difference_minor", *(f"bills_{c}" for c in CLASSES), "access_differences", "signed_by", "digest", "page_digest",
)  # fmt: skip
_NAME = re.compile(r"[a-z0-9_.-]{1,120}", re.IGNORECASE)


def digest_of(content: Mapping[str, Any]) -> str:
    """Of everything but the digest."""
    told = {k: v for k, v in content.items() if k != "digest"}
    text = json.dumps(told, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return hashlib.sha256(text.encode()).hexdigest()


def sealed(content: Mapping[str, Any]) -> Plain:
    """The content with its digest."""
    return {**content, "digest": digest_of(content)}


def as_text(content: Mapping[str, Any]) -> str:
    """What a certificate's file holds: JSON for people to look into, its keys in the order of the content."""
    return json.dumps(content, indent=1, ensure_ascii=False) + "\n"


def text_digest(text: str) -> str:
    """SHA-256 of a file's text in UTF-8."""
    return hashlib.sha256(text.encode()).hexdigest()


def file_name(row: str | None, number: int | None = None) -> str:
    """Name of a certificate's files without their ending: where the customer's row stands in the golden copy, which
    says nothing about anybody. `number`: of a customer that the old systems name and have no row of; without it, of
    contracts that name none."""
    if row is not None:
        return row.replace("#", "-")
    return NOBODY if number is None else f"no-row-{number}"


def summary(rows: Iterable[Mapping[str, Any]]) -> str:
    """CSV of the rows of all certificates; key: certificate and currency. Amounts are in major units."""
    out = io.StringIO()
    writer = csv.DictWriter(out, _COLUMNS, lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return out.getvalue()


def summary_rows(content: Mapping[str, Any], page: str) -> list[dict[str, Any]]:
    """Rows of one certificate, one for each currency and one where there is none. `page`: the text of its page."""
    whole = {
        "certificate": content["certificate"],
        "customer": content["customer"]["row"] or "",
        "outcome": content["outcome"],
        "access_differences": sum(len(f["differences"]) for f in content["access"]["features"]),
        "digest": content["digest"],
        "page_digest": text_digest(page),
    }
    if not content["money"]:
        return [{**whole, "contracts": len(content["contracts"]), "bills": 0}]
    return [{**whole, **_of_currency(content, money)} for money in content["money"]]


def _of_currency(content: Mapping[str, Any], money: Mapping[str, Any]) -> dict[str, Any]:
    currency = money["currency"]
    bills = [(c["contract"], b) for c in content["contracts"] for b in c["bills"] if b["currency"] == currency]
    signers = sorted({d["signed"]["by"] for _, b in bills for d in b["due_to"] if d["signed"]})
    amounts = {n: money[f"{n}_minor"] for n in ("before", "after", "difference")}
    return {
        "currency": currency,
        "contracts": len({contract for contract, _ in bills}),
        "bills": money["bills"],
        **{n: f"{to_major(minor, currency, content['exponents']):f}" for n, minor in amounts.items()},
        "difference_minor": money["difference_minor"],
        **{f"bills_{k}": sum(b["class"] == k for _, b in bills) for k in CLASSES},
        "signed_by": "; ".join(signers),
    }


def faults(names: Collection[str], read: Callable[[str], str], page: Callable[[Mapping[str, Any]], str]) -> list[str]:
    """What is wrong with a folder of certificates, a sentence for each fault; none where all is as it was made.

    `names`: of the files there; `read` gives the text of one. `page`: makes the page of a content.
    """
    if LIST not in names:
        return [f"{LIST} is missing"]
    told = read(LIST)
    listed = list(dict.fromkeys(row.get("certificate") or "" for row in csv.DictReader(io.StringIO(told))))
    if not listed:
        return [f"{LIST} lists no certificate"]
    if bad := sum(not _NAME.fullmatch(name) for name in listed):
        return [f"{LIST} names {bad} certificates that can be no files"]
    found: list[str] = []
    rows: list[dict[str, Any]] = []
    for name in listed:
        try:
            rows += _verified(name, names, read, page)
        except _Broken as e:
            found.append(str(e))
    known = {LIST, *(f"{name}.{end}" for name in listed for end in ("json", "html"))}
    found += [f"{name} is not listed in {LIST}" for name in sorted(set(names) - known)]
    if not found and summary(rows) != told:
        found.append(f"{LIST} does not say what the certificates say")
    return found


class _Broken(ValueError):
    """A certificate is not as it was made; its text says how."""


def _verified(
    name: str, names: Collection[str], read: Callable[[str], str], page: Callable[[Mapping[str, Any]], str]
) -> list[dict[str, Any]]:
    """What the list has to say of one certificate."""
    for end in ("json", "html"):
        if f"{name}.{end}" not in names:
            raise _Broken(f"{name}.{end} is missing")
    try:
        content = json.loads(read(f"{name}.json"))
    except ValueError:
        content = None
    if not isinstance(content, dict) or content.get("format") != FORMAT:
        raise _Broken(f"{name}.json is no certificate")
    if content.get("digest") != digest_of(content):
        raise _Broken(f"{name}.json is not what its digest says")
    shown = read(f"{name}.html")
    if shown != page(content):
        raise _Broken(f"{name}.html does not show what {name}.json says")
    if content.get("certificate") != name:
        raise _Broken(f"{name}.json is the certificate of another")
    return summary_rows(content, shown)
