"""Charts are as long as their numbers, and show labels as text."""

from __future__ import annotations

import base64
import xml.etree.ElementTree as ET

import pytest

from migration_assets.wiring.charts import bars, picture

SVG = "{http://www.w3.org/2000/svg}"


def lengths(svg: str) -> list[float]:
    return [float(r.attrib["width"]) for r in ET.fromstring(svg).iter(f"{SVG}rect")]


def test_bars_are_as_long_as_their_numbers() -> None:
    whole, half = lengths(bars([("a", 10.0, "10"), ("b", 5.0, "5")]))
    assert half == pytest.approx(whole / 2, abs=0.1)


def test_on_a_logarithmic_scale_a_tenfold_is_a_step() -> None:
    tens, thousands = lengths(bars([("a", 9.0, "9"), ("b", 999.0, "999")], scale="log"))
    assert thousands == pytest.approx(3 * tens, abs=1)


def test_what_speaks_against_goes_to_the_other_side() -> None:
    drawn = list(ET.fromstring(bars([("for", 4.0, "+4"), ("against", -2.0, "-2")])).iter(f"{SVG}rect"))
    assert float(drawn[1].attrib["x"]) < float(drawn[0].attrib["x"])
    assert drawn[0].attrib["fill"] != drawn[1].attrib["fill"]


def test_labels_are_text_and_nothing_else() -> None:
    drawn = ET.fromstring(bars([("<script>alert(1)</script>", 1.0, "&")]))
    assert [t.text for t in drawn.iter(f"{SVG}text")] == ["<script>alert(1)</script>", "&"]
    assert not list(drawn.iter(f"{SVG}script"))


def test_the_ui_gets_the_drawing_itself() -> None:
    svg = bars([])
    shown = picture(svg, "nothing").value
    assert shown.startswith("![nothing](data:image/svg+xml;base64,")
    assert base64.b64decode(shown.partition("base64,")[2].rstrip(")")).decode() == svg
