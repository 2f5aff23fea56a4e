"""The errors a value can end in, in words: which rule gives which, and which come from the field's own type.

They stand as `reason` in the notes. A value with an error is set aside or its row rejected, as the mapping row says.
"""

from __future__ import annotations

from collections.abc import Mapping

ERRORS: Mapping[str, str] = {
    "ambiguous_order": "Day and month could change places, and the other dates of the column prove no order, or both; "
    "name the `order`.",
    "blank_not_allowed": "The column is blank, and the condition under which a value may stand in does not hold.",
    "currency_missing": "The row has no currency, and an amount without one is no amount.",
    "finer_than_a_microsecond": "The time has more than six digits after the second.",
    "has_a_time_of_day": "A date is wanted, and the value has a time of day that is not midnight.",
    "incomplete_key": "Some parts of a composite key are there and others are not.",
    "local_time_ambiguous": "The clocks showed this local time twice; `overlap` decides which is meant.",
    "local_time_in_gap": "The clocks jumped over this local time: it never was.",
    "no_such_date": "The calendar has no such day, or the clock no such time.",
    "no_time_zone": "A local time without a zone is no instant; use the rule `timestamp`.",
    "not_a_boolean": "The value is neither a spelling of true nor of false.",
    "not_a_country_code": "The value is not two capitals.",
    "not_a_currency_code": "The value is not three capitals.",
    "not_a_date": "The text does not have the order or one of the formats that the rule is told.",
    "not_a_number": "The text is not a number as the rule is told they are written.",
    "not_a_number_of_months": "The value is not a whole number of months.",
    "not_a_phone_number": "No phone number of the country (or of any, with a prefix) looks like this.",
    "not_a_postal_code": "The country's postal codes look different.",
    "not_a_tax_id": "Letters and digits are not all that is left when separators are out.",
    "not_a_website": "There is no host name in the text.",
    "not_a_whole_number": "The number has a fraction, and nothing is rounded.",
    "not_an_email": "The text is not one e-mail address.",
    "not_an_iso_date": "The text is not a date such as 2026-01-31; use the rule `date`.",
    "not_an_iso_instant": "The text is not an instant such as 2026-01-31T00:00:00Z; use the rule `timestamp`.",
    "not_e164": "The number does not begin with + and the country's code; use the rule `phone`.",
    "not_exact": "The result has more than eight decimal places, and nothing is rounded.",
    "not_text": "The value holds half a character (a lone surrogate), which no UTF-8 text can.",
    "not_whole_minor_units": "The amount is finer than its currency; `rounding` decides what becomes of it.",
    "out_of_range": "The value is larger than the field can hold.",
    "phone_country_unknown": "The number has no prefix, and the country that would tell it is missing or unknown.",
    "placeholder_tax_id": "Letters alone, one digit over and over, or 123456789: typed where there is no number.",
    "state_country_unknown": "The country that the state would be part of is missing or unknown.",
    "unit_missing": "The row names no unit.",
    "unknown_code": "The code stands in no code list: somebody has to decide what it becomes.",
    "unknown_country": "No country has this code or name, or more than one has.",
    "unknown_currency": "ISO 4217 does not have the code, and neither has `currency_exponents` of the plan.",
    "unknown_language": "There is no such language.",
    "unknown_state": "The country has no part of this code or name.",
    "unknown_time_zone": "The IANA database has no such zone.",
    "unknown_unit": "The unit has no factor in `factors`.",
}

_MOMENT = ("ambiguous_order", "finer_than_a_microsecond", "no_such_date", "not_a_date")
_LOCAL = ("local_time_ambiguous", "local_time_in_gap", "out_of_range", "unknown_time_zone")

# What can be said of a value that stays.
REMARKS: Mapping[str, str] = {
    "address_not_understood": "The text is no address as its country writes them, or the country is unknown: all of it "
    "stands in line1.",
    "domain_may_be_mistyped": "The address has a domain one slip away from one that very many have; the note has the "
    "address that may be meant.",
    "extension_left_out": "The number has an extension, which E.164 does not; it stands in the note alone.",
}

# A rule that is not here gives none of its own.
OF_RULE: Mapping[str, tuple[str, ...]] = {
    "address_part": ("not_text", "state_country_unknown", "unknown_state"),
    "address_text": ("not_text",),
    "boolean": ("not_a_boolean",),
    "case": ("not_text",),
    "company_name": ("not_text",),
    "country": ("not_text", "unknown_country"),
    "currency": ("unknown_currency",),
    "date": ("has_a_time_of_day", *_MOMENT),
    "decimal": ("not_a_number", "not_exact", "out_of_range"),
    "default": ("blank_not_allowed",),
    "email": ("not_an_email", "not_text"),
    "exact_line_amount": ("not_a_number", "not_exact", "out_of_range"),
    "language": ("not_text", "unknown_language"),
    "line_amount": (
        "currency_missing",
        "not_a_number",
        "not_exact",
        "not_whole_minor_units",
        "out_of_range",
        "unknown_currency",
    ),
    "lookup": ("unknown_code",),
    "money": (
        "blank_not_allowed",
        "currency_missing",
        "not_a_number",
        "not_whole_minor_units",
        "out_of_range",
        "unknown_currency",
    ),
    "months_before_as_of": ("not_a_number_of_months", "out_of_range"),
    "person_name": ("not_text",),
    "phone": ("not_a_phone_number", "not_text", "phone_country_unknown"),
    "postal_code": ("not_a_postal_code", "not_text"),
    "quantity": ("not_a_number", "not_exact", "out_of_range", "unit_missing", "unknown_unit"),
    "reference": ("incomplete_key",),
    "repair": ("not_text",),
    "state": ("not_text", "state_country_unknown", "unknown_state"),
    "street": ("not_text",),
    "tax_id": ("not_a_tax_id", "not_text", "placeholder_tax_id"),
    "text": ("not_text",),
    "time_zone": ("unknown_time_zone",),
    "timestamp": (*_MOMENT, *_LOCAL),
    "website": ("not_a_website", "not_text"),
}

# What a field refuses whatever rule the value comes from.
OF_TYPE: Mapping[str, tuple[str, ...]] = {
    "boolean": ("not_a_boolean",),
    "code": ("unknown_code",),
    "country": ("not_a_country_code",),
    "currency": ("not_a_currency_code",),
    "date": ("has_a_time_of_day", "not_an_iso_date"),
    "decimal": ("not_a_number", "out_of_range"),
    "email": ("not_an_email",),
    "instant": ("no_time_zone", "not_an_iso_instant"),
    "integer": ("not_a_number", "not_a_whole_number", "out_of_range"),
    "money": ("not_a_number", "not_a_whole_number", "out_of_range"),
    "phone": ("not_e164",),
}
