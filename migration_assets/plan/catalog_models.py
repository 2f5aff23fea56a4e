"""catalog.yaml as models: what the target sells, at which prices, and what owning it grants.

Not here: where it may be used (geo.csv, `models`), and whether what is written makes sense (`checks`).
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, StrictBool, StrictInt

from migration_assets.plan.frozen import Model


class Grant(Model):
    """What a product grants of one feature; see the canonical entity product_feature."""

    feature: str
    limit_kind: Literal["unlimited", "limited", "zero", "none"] = "none"
    limit: str | None = None
    unit: str | None = None
    per: Literal["item", "unit"] = "item"
    overage: Literal["block", "bill", "grace", "none"] = "none"


class Product(Model):
    """Something that is sold. `meters`: the feature whose use it bills, of a product of kind `usage`; where it is not
    said, nothing counts towards the product."""

    code: str
    name: str
    kind: Literal["base", "add_on", "usage", "one_off"]
    description: str = ""
    meters: str | None = None
    grants: tuple[Grant, ...] = ()


class PlanOffer(Model):
    code: str
    product: str
    name: str
    interval: Literal["month", "quarter", "year"]
    retired: StrictBool = False


PriceText = Annotated[str, Field(pattern=r"^-?[0-9]+(\.[0-9]+)?$")]


class PriceTier(Model):
    """Units up to and including `up_to` cost `unit_price` each, and `fee` on top as soon as there is one; the last tier
    has no `up_to`."""

    up_to: Annotated[StrictInt, Field(ge=1)] | None = None
    unit_price: PriceText
    fee: PriceText | None = None


class Price(Model):
    """What a product costs for one interval. `code`: of a price that is not on the list and that contracts name, such
    as an old one; a list price is named by product, interval and currency, as `basic/month/EUR`.

    `unit_price`: of one unit, or of one package of `package_size` units, of which one that is begun is charged. `tiers`
    say it instead where the model is `tiered` (each unit at the price of its own tier) or `volume` (all units at the
    price of the tier that the last one is in).
    """

    code: str | None = None
    product: str
    interval: Literal["month", "quarter", "year"]
    currency: str
    unit_price: PriceText | None = None
    model: Literal["flat", "per_seat", "tiered", "volume", "package"] = "flat"
    tiers: tuple[PriceTier, ...] = ()
    package_size: Annotated[StrictInt, Field(ge=1)] | None = None

    @property
    def price_code(self) -> str:
        """What the price is named by: its own code, or that of a list price."""
        return self.code or f"{self.product}/{self.interval}/{self.currency}"


class Feature(Model):
    """`units`: other units in which sources state this feature's limits, each as a factor to `unit` (text, exact)."""

    code: str
    name: str
    kind: Literal["switch", "quota"]
    unit: str | None = None
    units: dict[str, str] = Field(default_factory=dict)


class Catalog(Model):
    """catalog.yaml: what the target sells, at which list price, and what owning it grants. Products may come from a
    feed instead; a target without a list of them has none."""

    products: tuple[Product, ...] = ()
    plans: tuple[PlanOffer, ...] = ()
    prices: tuple[Price, ...] = ()
    features: tuple[Feature, ...] = ()
