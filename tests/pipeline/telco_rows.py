"""A made-up telephone company in the shape of the public file: few rows, every code, every blank, nothing random.

Everybody has a telephone or a line to the internet: who has neither is no customer."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Mapping
from pathlib import Path

Row = dict[str, str]

INTERNET = ("OnlineSecurity", "OnlineBackup", "DeviceProtection", "TechSupport", "StreamingTV", "StreamingMovies")
CONTRACTS = ("Month-to-month", "One year", "Two year")
PAYMENTS = ("Electronic check", "Mailed check", "Bank transfer (automatic)", "Credit card (automatic)")


def telco_rows(count: int = 60) -> list[Row]:
    """Row i differs from its neighbours in every column; each twentieth has just begun and has not been billed."""
    return [_row(i) for i in range(count)]


def _row(i: int) -> Row:
    internet, phone = ("DSL", "Fiber optic", "No")[i % 3], i % 7 != 0 or i % 3 == 2
    tenure = 0 if i % 20 == 19 else 1 + i * 5 % 70
    cents = 1_825 + i * 137
    return {
        "customerID": f"{1000 + i}-TESTS",
        "gender": "Female" if i % 2 else "Male",
        "SeniorCitizen": str(i % 2),
        "Partner": "Yes" if i % 3 else "No",
        "Dependents": "No",
        "tenure": str(tenure),
        "PhoneService": "Yes" if phone else "No",
        "MultipleLines": ("Yes" if i % 2 else "No") if phone else "No phone service",
        "InternetService": internet,
        **{
            name: "No internet service" if internet == "No" else "Yes" if (i + n) % 2 else "No"
            for n, name in enumerate(INTERNET)
        },
        "Contract": CONTRACTS[i // 2 % 3],
        "PaperlessBilling": "Yes",
        "PaymentMethod": PAYMENTS[i % 4],
        "MonthlyCharges": _dollars(cents),
        "TotalCharges": " " if tenure == 0 else _dollars(cents * tenure + i),
        "Churn": "Yes" if i % 4 == 1 and tenure else "No",
    }


def _dollars(cents: int) -> str:
    return f"{cents // 100}.{cents % 100:02d}"


def write_telco(path: Path, rows: Iterable[Mapping[str, str]]) -> Path:
    listed = list(rows)
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, list(listed[0]))
        writer.writeheader()
        writer.writerows(listed)
    return path
