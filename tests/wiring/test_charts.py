"""Charts are as long as their numbers, and show labels as text."""

from __future__ import annotations

import re
import xml.etree.ElementTree as ET
from urllib.parse import unquote

import pytest

from migration_assets.wiring.charts import SHOWN_IN_PLACE, bars, picture
from migration_assets.wiring.words import CAUSE

SVG = "{http://www.w3.org/2000/svg}"


def drawn_bars(svg: str) -> list[tuple[str, float, float]]:
    """Colour, where it begins and how long it is (leftwards: below nought), of each bar."""
    return [
        (path.attrib["stroke"], float(x), float(length))
        for path in ET.fromstring(svg).iter(f"{SVG}path")
        for x, length in re.findall(r"M(\d+) \d+h(-?\d+)", path.attrib["d"])
    ]


def lengths(svg: str) -> list[float]:
    return [length for _, _, length in drawn_bars(svg)]


def test_bars_are_as_long_as_their_numbers() -> None:
    whole, half = lengths(bars([("a", 10.0, "10"), ("b", 5.0, "5")]))
    assert half == pytest.approx(whole / 2, abs=1)


def test_on_a_logarithmic_scale_a_tenfold_is_a_step() -> None:
    tens, thousands = lengths(bars([("a", 9.0, "9"), ("b", 999.0, "999")], scale="log"))
    assert thousands == pytest.approx(3 * tens, abs=1)


def test_what_speaks_against_goes_to_the_other_side() -> None:
    (colour, _, length), (other, _, less) = drawn_bars(bars([("for", 4.0, "+4"), ("against", -2.0, "-2")]))
    assert length == pytest.approx(-2 * less, abs=1) and less < 0
    assert colour != other


def test_labels_are_text_and_nothing_else() -> None:
    drawn = ET.fromstring(bars([("<script>alert(1)</script>", 1.0, "&")]))
    assert [t.text for t in drawn.iter(f"{SVG}text")] == ["<script>alert(1)</script>", "&"]
    assert not list(drawn.iter(f"{SVG}script"))


def test_the_ui_gets_the_drawing_itself() -> None:
    svg = bars([])
    shown = picture(svg, "nothing").value
    address = re.fullmatch(r"!\[nothing\]\(<data:image/svg\+xml,([^<>]*)>\)", shown)
    assert address is not None and unquote(address[1]) == svg.replace('"', "'")


def test_a_picture_of_three_bars_is_shown_in_its_place() -> None:
    longest = sorted(CAUSE.values(), key=len)[-3:]
    drawn = bars([(cause, 900.0 * n, f"{900 * n:,}") for n, cause in enumerate(longest, start=1)], scale="log")
    assert len(picture(drawn, "bills that differ, by cause").value) <= SHOWN_IN_PLACE


def test_a_logarithmic_axis_has_its_numbers_and_says_what_it_is() -> None:
    svg = bars([("a", 9.0, "9"), ("b", 2_500.0, "2,500")], scale="log")
    drawn = ET.fromstring(svg)
    said = [t.text for t in drawn.iter(f"{SVG}text")]
    assert [t for t in said if t in ("1", "10", "100", "1,000", "10,000")] == ["1", "10", "100", "1,000"]
    assert "logarithmic axis" in said
    (hundred,) = [t for t in drawn.iter(f"{SVG}text") if t.text == "100"]
    assert float(hundred.attrib["x"]) < max(x + length for _, x, length in drawn_bars(svg))
    assert max(float(t.attrib["y"]) for t in drawn.iter(f"{SVG}text")) < float(drawn.attrib["height"])


def test_a_plain_axis_says_nothing_of_it() -> None:
    assert "logarithmic" not in bars([("a", 9.0, "9")])
