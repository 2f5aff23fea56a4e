"""The geo table: products and regions that there are, one row for each pair, and no row that can never decide anything.

Who writes that something is forbidden believes that it is. A row which forbids what no product grants, or which other
rows speak before in every case, is such a belief and nothing else.
"""

from __future__ import annotations

from collections.abc import Iterator

from migration_assets.domain.errors import Fault
from migration_assets.plan.catalog_models import Product
from migration_assets.plan.checks.catalog import unknown_product
from migration_assets.plan.checks.standards import is_country
from migration_assets.plan.checks.view import GEO, PlanView
from migration_assets.plan.models import GeoRow
from migration_assets.plan.wording import listing, shown

ANY = "*"


def geo_faults(view: PlanView) -> Iterator[Fault]:
    """Everything about geo.csv. Where a feed brings the products only the source knows what they are."""
    yield from _row_faults(view)
    if not view.plan.feeds_of("product"):
        yield from _idle_faults(view)


def _row_faults(view: PlanView) -> Iterator[Fault]:
    seen: dict[tuple[str, str], int] = {}
    for row in view.plan.geo:
        if row.product != ANY and (wrong := unknown_product(view, row.product)):
            yield Fault(GEO, row.row, "product", *wrong)
        if row.region != ANY and not is_country(row.region):
            remedy = "write an ISO 3166-1 code of two letters, or * for every region"
            yield Fault(GEO, row.row, "region", f"{shown(row.region)} is not a region", remedy)
        first = seen.setdefault((row.product, row.region), row.row)
        if first != row.row:
            problem = f"this product and region stand in line {first} already"
            yield Fault(GEO, row.row, "product", problem, "keep one of the rows")


def _idle_faults(view: PlanView) -> Iterator[Fault]:
    """Rows that no entitlement can ever be decided by."""
    products = {p.code: p for p in view.plan.catalog.products}
    granting = sorted(code for code, product in products.items() if _can_be_forbidden(product))
    rows = {(r.product, r.region): r for r in view.plan.geo}
    for row in view.plan.geo:
        if row.product != ANY:
            if row.product in products and row.product not in granting:
                problem = f"{row.product} grants nothing that could be forbidden, so the row decides nothing"
                yield Fault(GEO, row.row, "product", problem, _instead(view, products[row.product], granting))
        elif not granting:
            problem = "no product of the catalog grants anything, so the row decides nothing"
            yield Fault(GEO, row.row, "product", problem, "add grants to products in catalog.yaml, or remove the row")
        elif all(before := [_speaks_before(rows, product, row) for product in granting]):
            lines = ", ".join(map(str, sorted({b.row for b in before if b is not None})))
            problem = f"for every product that grants anything another row speaks before this one (lines {lines})"
            yield Fault(GEO, row.row, "product", problem, "remove the row, or those that it should stand for")


def _can_be_forbidden(product: Product) -> bool:
    """A limit of zero is no access with or without a rule."""
    return any(grant.limit_kind != "zero" for grant in product.grants)


def _speaks_before(rows: dict[tuple[str, str], GeoRow], product: str, row: GeoRow) -> GeoRow | None:
    """The row that decides for a product wherever `row`, one for every product, might."""
    return rows.get((product, row.region)) or rows.get((product, ANY))


def _instead(view: PlanView, product: Product, granting: list[str]) -> str:
    """What a row about a product without grants may have meant: those that grant what it meters."""
    catalog = {p.code: p for p in view.plan.catalog.products}
    meant = [c for c in granting if product.meters in {g.feature for g in catalog[c].grants}]
    if not meant:
        return "name a product that grants something, or remove the row"
    return f"{product.meters} is granted by {listing(meant)}: name those, or remove the row"
