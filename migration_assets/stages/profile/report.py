"""A profile for people: one self-contained HTML page per cohort, and a short summary in markdown.

Everything shown comes from the four tables of a `Profile`, which hold no value of a personal column. All text passes
through `_text` (HTML) or `_plain_markdown`: names and values of a source are written by strangers.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from html import escape
from importlib.resources import files
from string import Template, punctuation
from typing import Any

from migration_assets.stages.profile.diagram import diagram
from migration_assets.stages.profile.model import Profile
from migration_assets.stages.profile.quality import DIMENSIONS

Row = Mapping[str, Any]

WORST_SHOWN = 12
# A renderer that knows no backslash still must not see a tag.
_ENTITIES = {"&": "&amp;", "<": "&lt;", ">": "&gt;"}
LABELS = {
    "missing": "missing",
    "blank": "blank",
    "placeholder": "a word for 'nothing'",
    "missing_key": "key incomplete",
    "bad_email": "not an e-mail address",
    "bad_phone": "not a phone number",
    "impossible_date": "no such day",
    "unlike_column": "unlike the rest of the column",
    "not_finite": "not a finite number",
    "mojibake": "broken encoding",
    "control_character": "invisible characters",
    "surrounding_space": "space around the value",
    "case_variant": "spelling variant",
    "minority_format": "uncommon format",
    "orphan": "points nowhere",
    "duplicate_key": "key used again",
    "duplicate_row": "row repeated",
    "outlier": "far from the rest",
    "negative_amount": "negative",
    "future_date": "in the future",
    "implausible_date": "implausible year",
    "inverted_dates": "ends before it starts",
}


@dataclass(frozen=True)
class Heading:
    """What stands above a report. `as_of` is text, as the record keeps it."""

    title: str
    cohort: str
    snapshot: str
    as_of: str = ""


def html_report(profile: Profile, heading: Heading) -> str:
    """One HTML page with everything inline: no script, no network."""
    tables, columns, links, findings = _rows(profile)
    page = Template(files(__package__).joinpath("report.html").read_text(encoding="utf-8"))
    return page.substitute(
        title=_text(heading.title),
        cohort=_text(heading.cohort),
        snapshot=_text(heading.snapshot),
        as_of=f"<span>as of <b>{_text(heading.as_of)}</b></span>" if heading.as_of else "",
        navigation="".join(f'<a href="#{_anchor(tables, t)}">{_text(t["table"])}</a>' for t in tables),
        cards=_cards(tables, columns, links, findings),
        scorecard=_scorecard(tables, findings),
        worst=_finding_table(findings[:WORST_SHOWN], with_place=True),
        diagram=diagram(tables, links, _text) or '<p class="quiet">No table points at another.</p>',
        relationships=_link_table(links),
        sections="".join(_section(tables, t, columns, links, findings) for t in tables),
    )


def markdown_summary(profile: Profile) -> str:
    """A few short markdown tables: size, the four dimensions, the worst findings. No values, only names and counts."""
    tables, _, links, findings = _rows(profile)
    scored = [
        [
            _plain_markdown(t["table"]),
            _count(t["rows"]),
            *(_percent(_score(t, findings, d)) for d in DIMENSIONS),
            _key_words(t),
        ]
        for t in tables
    ]
    worst = [
        [*_place(f), f["dimension"], LABELS[f["measure"]], _count(f["rows"]), _percent(f["share"])]
        for f in findings[:WORST_SHOWN]
    ]
    dangling = [[*_place(k), _plain_markdown(k["to_table"]), _count(k["orphans"])] for k in links if k["orphans"]]
    parts = [_markdown_table(["table", "rows", *DIMENSIONS, "key"], scored)]
    if worst:
        parts.append(_markdown_table(["table", "column", "dimension", "finding", "rows", "share"], worst))
    if dangling:
        parts.append(_markdown_table(["table", "column", "points at", "orphans"], dangling))
    return "\n\n".join(parts) + "\n"


def scores(profile: Profile) -> dict[str, dict[str, float | None]]:
    """Table -> dimension -> share of its cells without a finding of that dimension; None for an empty table.

    A column counts as many cells as its findings of the dimension have rows, at most all of them.
    """
    tables, _, _, findings = _rows(profile)
    return {t["table"]: {d: _score(t, findings, d) for d in DIMENSIONS} for t in tables}


# --- parts of the page -------------------------------------------------------------------------------------------


def _cards(tables: Sequence[Row], columns: Sequence[Row], links: Sequence[Row], findings: Sequence[Row]) -> str:
    empty = sum(not t["rows"] for t in tables)
    orphans = sum(k["orphans"] for k in links if k["declared"])
    keys = sum(t["key_duplicates"] + t["key_nulls"] for t in tables)
    cards = [
        (_count(len(tables)), "tables", f"{empty} empty" if empty else "none empty"),
        (
            _count(sum(t["rows"] for t in tables)),
            "rows",
            f"largest {_count(max((t['rows'] for t in tables), default=0))}",
        ),
        (_count(len(columns)), "columns", f"{sum(c['masked'] for c in columns)} masked as personal"),
        (_count(len(findings)), "findings", f"in {len({f['table'] for f in findings})} tables"),
        (_count(keys), "key problems", "repeated or incomplete keys"),
        (_count(orphans), "orphans", f"over {sum(k['declared'] for k in links)} declared references"),
    ]
    return "".join(
        f'<div class="card"><b>{number}</b><span>{label}</span><small>{note}</small></div>'
        for number, label, note in cards
    )


def _scorecard(tables: Sequence[Row], findings: Sequence[Row]) -> str:
    head = "".join(f"<th>{d}</th>" for d in DIMENSIONS)
    body = "".join(
        f'<tr><th><a href="#{_anchor(tables, t)}">{_text(t["table"])}</a></th><td class="n">{_count(t["rows"])}</td>'
        + "".join(f"<td>{_meter(_score(t, findings, d))}</td>" for d in DIMENSIONS)
        + "</tr>"
        for t in tables
    )
    head = f'<tr><th>table</th><th class="n">rows</th>{head}</tr>'
    return f'<table class="score"><thead>{head}</thead><tbody>{body}</tbody></table>'


def _section(
    tables: Sequence[Row], t: Row, columns: Sequence[Row], links: Sequence[Row], findings: Sequence[Row]
) -> str:
    own = [c for c in columns if c["table"] == t["table"]]
    found = [f for f in findings if f["table"] == t["table"]]
    about = f"<p>{_text(t['description'])}</p>" if t["description"] else ""
    home = f'<span class="tag">accounted for as {_text(t["home"])}</span>' if t["home"] else ""
    top = (
        f'<section id="{_anchor(tables, t)}"><header><h2>{_text(t["table"])}</h2>'
        f'<span class="tag">{_count(t["rows"])} rows</span>'
        f'<span class="tag">{_count(t["columns"])} columns</span>{home}'
        f'<a class="up" href="#top">top</a></header>{about}'
    )
    if not t["rows"]:
        return f'{top}<p class="quiet">No rows in this cohort.</p></section>'
    own_links = [k for k in links if t["table"] in (k["table"], k["to_table"])]
    return (
        f'{top}<div class="pair"><div class="panel"><h3>Keys</h3>{_key_list(t)}</div>'
        f'<div class="panel"><h3>Relationships</h3>{_link_table(own_links)}</div></div>'
        f"<h3>Columns</h3>{_column_table(own, t)}<h3>Findings</h3>{_finding_table(found, with_place=False)}</section>"
    )


def _key_list(t: Row) -> str:
    facts = [
        ("declared key", _text(" + ".join(t["key"]))),
        ("repeated", _flagged(t["key_duplicates"], "rows")),
        ("incomplete", _flagged(t["key_nulls"], "rows")),
        ("whole row repeated", _flagged(t["duplicate_rows"], "rows")),
        ("could be a key", " ".join(f"<code>{_text(k)}</code>" for k in t["candidate_keys"]) or "nothing"),
    ]
    if t["newest_at"] is not None:
        age = f", {_count(t['age_days'])} days old" if t["age_days"] is not None else ""
        facts.append(
            ("last written", f"{t['newest_at']:%Y-%m-%d %H:%M} by <code>{_text(t['newest_column'])}</code>{age}")
        )
    return "<dl>" + "".join(f"<dt>{k}</dt><dd>{v}</dd>" for k, v in facts) + "</dl>"


def _link_table(links: Sequence[Row]) -> str:
    if not links:
        return '<p class="quiet">None declared, none likely.</p>'
    rows = "".join(
        f"<tr><td><code>{_text(k['table'])}.{_text(k['column'])}</code></td><td><code>{_text(k['to_table'])}</code>"
        f'{"" if k["declared"] else " <i>likely</i>"}</td><td class="n">{_count(k["rows"] - k["nulls"])}</td>'
        f'<td class="n">{_flagged(k["orphans"])}</td><td>{_meter(k["share"])}</td></tr>'
        for k in links
    )
    head = '<tr><th>column</th><th>points at</th><th class="n">filled</th><th class="n">orphans</th><th>found</th></tr>'
    return f"<table><thead>{head}</thead><tbody>{rows}</tbody></table>"


def _column_table(columns: Sequence[Row], t: Row) -> str:
    head = _head("column", "holds", "filled", "distinct", "range", "most frequent", "patterns")
    rows = "".join(_column_row(c, c["column"] in t["key"]) for c in columns)
    return f'<div class="wide"><table class="columns"><thead>{head}</thead><tbody>{rows}</tbody></table></div>'


def _column_row(c: Row, is_key: bool) -> str:
    filled = c["rows"] - c["nulls"] - c["blanks"]
    marks = ('<i class="mark key">key</i>' if is_key else "") + ('<i class="mark">unique</i>' if c["is_unique"] else "")
    masked = '<i class="mark personal">personal</i>' if c["masked"] else ""
    content = (
        ""
        if c["content_type"] in (c["type"], "text")
        else f"<small>{_text(c['content_type']).replace('_', ' ')}</small>"
    )
    lacking = " · ".join(f"{_count(c[k])} {k}" for k in ("nulls", "blanks") if c[k])
    return (
        f"<tr><td><code>{_text(c['column'])}</code>{marks}{masked}</td><td>{_text(c['type'])}{content}</td>"
        f"<td>{_spark(filled, c['rows'])}<small>{lacking}</small></td>"
        f"<td>{_spark(c['distinct_values'], c['rows'], 'distinct')}<small>{_count(c['distinct_values'])}</small></td>"
        f"<td>{_range(c)}</td><td>{_top_values(c)}</td><td>{_chips(c['patterns'], 'pattern')}{_style_note(c)}</td></tr>"
    )


def _top_values(c: Row) -> str:
    if c["masked"]:
        return '<span class="quiet">not shown</span>'
    if c["is_unique"]:
        return '<span class="quiet">each once</span>'
    return _chips(c["top_values"][:6], "") or '<span class="quiet">no repeats</span>'


def _style_note(c: Row) -> str:
    more = c["distinct_patterns"] - len(c["patterns"])
    if c["pattern_style"] == "runs" and c["patterns"]:
        return "<small>a letter stands for a run</small>"
    return f"<small>{_count(more)} more</small>" if more > 0 else ""


def _range(c: Row) -> str:
    length = ""
    if c["max_length"] is not None:
        fewest = "" if c["min_length"] == c["max_length"] else f"{c['min_length']} to "
        length = f"<small>{fewest}{c['max_length']} characters</small>"
    if c["min_value"] is None or c["content_type"] == "uuid":
        return length
    low, high = (_text(_short(c[k], 28)) for k in ("min_value", "max_value"))
    shown = low if low == high else f'{low} <span class="quiet">to</span> {high}'
    mean = (
        f"<small>mean {_short(c['mean'], 18)} · median {_short(c['p50'], 18)}</small>"
        if c["mean"] and not c["is_unique"]
        else ""
    )
    return f'<span class="range">{shown}</span>{mean or length}'


def _finding_table(findings: Sequence[Row], *, with_place: bool) -> str:
    if not findings:
        return '<p class="good">Nothing found.</p>'
    rows = "".join(_finding_row(f, with_place) for f in findings)
    place = ("table",) if with_place else ()
    head = _head(*place, "column", "dimension", "finding", "rows", "share", "for example", "what is done")
    return f'<div class="wide"><table class="findings"><thead>{head}</thead><tbody>{rows}</tbody></table></div>'


def _finding_row(f: Row, with_place: bool) -> str:
    place = f"<td><code>{_text(f['table'])}</code></td>" if with_place else ""
    column = f"<code>{_text(f['column'])}</code>" if f["column"] else "<i>row</i>"
    spark = _spark(f["rows"], max(1, round(f["rows"] / f["share"])), "bad")
    return (
        f'<tr>{place}<td>{column}</td><td><span class="dim {f["dimension"]}">{f["dimension"]}</span></td>'
        f'<td>{LABELS[f["measure"]]}</td><td class="n">{_count(f["rows"])}</td>'
        f"<td>{spark}<small>{_percent(f['share'])}</small></td><td>{_samples(f)}</td><td>{_text(f['action'])}</td></tr>"
    )


def _samples(f: Row) -> str:
    """Row numbers only: the table stands beside them or above."""
    return " ".join(f'<code title="{_text(k)}">#{_text(k.rpartition("#")[2])}</code>' for k in f["sample_keys"])


# --- small pieces ------------------------------------------------------------------------------------------------


def _rows(profile: Profile) -> tuple[list[Row], list[Row], list[Row], list[Row]]:
    links = profile.relationships.to_pylist()
    return (
        profile.tables.to_pylist(),
        profile.columns.to_pylist(),
        sorted(links, key=lambda k: (-k["orphans"], k["table"], k["column"])),
        profile.findings.to_pylist(),
    )


def _score(t: Row, findings: Iterable[Row], dimension: str) -> float | None:
    if not t["rows"]:
        return None
    by_column: dict[str, int] = {}
    for f in findings:
        if f["table"] == t["table"] and f["dimension"] == dimension:
            by_column[f["column"]] = min(t["rows"], by_column.get(f["column"], 0) + f["rows"])
    return max(0.0, 1 - sum(by_column.values()) / (t["rows"] * t["columns"]))


def _meter(share: float | None) -> str:
    if share is None:
        return '<span class="quiet">no rows</span>'
    grade = "good" if share >= 0.99 else "fair" if share >= 0.95 else "poor"
    bar = f'<span class="meter {grade}"><i style="width:{share * 100:.2f}%"></i></span>'
    return f'{bar}<span class="pc">{_percent(share)}</span>'


def _head(*names: str) -> str:
    """A header row; `rows` stands over numbers."""
    return "<tr>" + "".join(f'<th class="n">{n}</th>' if n == "rows" else f"<th>{n}</th>" for n in names) + "</tr>"


def _spark(part: int, whole: int, kind: str = "filled") -> str:
    share = part / whole if whole else 0.0
    return f'<span class="spark {kind}" title="{_percent(share)}"><i style="width:{share * 100:.2f}%"></i></span>'


def _chips(entries: Sequence[Row], kind: str) -> str:
    return "".join(
        f'<span class="chip {kind}"><span>{_text(_short(e["value"], 32))}</span><b>{_count(e["rows"])}</b></span>'
        for e in entries
    )


def _flagged(number: int, unit: str = "") -> str:
    return f'<b class="warn">{_count(number)}</b> {unit}' if number else "none" if unit else "0"


def _key_words(t: Row) -> str:
    problems = [f"{_count(t[k])} {w}" for k, w in (("key_duplicates", "repeated"), ("key_nulls", "incomplete")) if t[k]]
    return ", ".join(problems) or "ok"


def _anchor(tables: Sequence[Row], t: Row) -> str:
    """Numbered, so that no name of a stranger stands in a link."""
    return f"table-{tables.index(t) + 1}"


def _count(number: int) -> str:
    return f"{number:,}"


def _percent(share: float | None) -> str:
    """Never 0 % for something nor 100 % for not quite all."""
    if share is None:
        return "-"
    if 0 < share < 0.0001:
        return "under 0.01 %"
    if 0.9999 < share < 1:
        return "over 99.99 %"
    return f"{share * 100:.2f}".rstrip("0").rstrip(".") + " %"


def _short(text: str | None, limit: int) -> str:
    text = text or ""
    return text if len(text) <= limit else text[: limit - 1] + "…"


def _visible(text: str) -> str:
    """Control, invisible and direction characters written out: they can deceive a reader or a terminal."""
    return "".join(c if c.isprintable() else f"\\u{ord(c):04x}" for c in text)


def _text(text: str | None) -> str:
    return escape(_visible(text or ""), quote=True)


def _plain_markdown(text: str) -> str:
    return "".join(_ENTITIES.get(c) or (f"\\{c}" if c in punctuation else c) for c in _visible(text))


def _place(row: Row) -> tuple[str, str]:
    return _plain_markdown(row["table"]), _plain_markdown(row["column"]) or "(row)"


def _markdown_table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [" | ".join(head), " | ".join("---" for _ in head)]
    lines += [" | ".join(row) for row in rows]
    return "\n".join(f"| {line} |" for line in lines)
