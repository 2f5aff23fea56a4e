"""Broken structure: lost parents, cycles, duplicates, inverted periods, wrong signs, currencies and overlaps."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from migration_assets.demo import columns as col
from migration_assets.demo.bench import Bench
from migration_assets.demo.columns import Column, Ints
from migration_assets.demo.people import NORMAL, account_ids, contact_ids

# Numbers no customer has: what orphans point at.
NOBODY_CUSTOMER = 900_000_001
NOBODY_ACCOUNT = 90_000_000


def break_parties(bench: Bench) -> None:
    """Everything about who belongs to whom."""
    _break_hierarchy(bench)
    _reuse_external_refs(bench)
    _lose_countries(bench)
    _break_links(bench)
    contacts = "crm.contacts"
    rows = bench.choose("orphan_contact", contacts, "account_id", bench.present(contacts, "job_title"))
    bench.spoil("orphan_contact", contacts, "account_id", rows, _nobody(len(rows), 500_000))


def _nobody(count: int, offset: int) -> list[str | None]:
    return account_ids(NOBODY_ACCOUNT + offset + np.arange(count)).to_pylist()


def _break_hierarchy(bench: Bench) -> None:
    """An account that is its own parent, and pairs that are each other's."""
    people, table, column = bench.people, "crm.accounts", "parent_account"
    has_child = np.zeros(people.count, dtype=bool)
    has_child[people.parent[people.parent >= 0]] = True
    alone = people.company & (people.role == NORMAL) & (people.parent < 0) & (people.payer < 0) & ~has_child
    rows = bench.choose("self_parent", table, column, alone)
    bench.spoil("self_parent", table, column, rows, account_ids(rows).to_pylist())
    first_child = np.unique(people.parent[people.parent >= 0], return_index=True)
    children = np.flatnonzero(people.parent >= 0)[first_child[1]]
    ring = np.zeros(people.count, dtype=bool)
    ring[children[people.parent[people.parent[children]] < 0]] = True
    rows = bench.choose("parent_cycle", table, column, ring)
    if len(rows) == 0:
        return
    parents = people.parent[rows]
    order = np.argsort(parents, kind="stable")
    bench.put(table, column, parents[order], account_ids(rows[order]))
    bench.used[table, column][parents] = True
    bench.note("parent_cycle", table, rows)
    bench.note("parent_cycle", table, parents)


def _reuse_external_refs(bench: Bench) -> None:
    """The external number of the account before, on another customer."""
    table = "crm.accounts"
    rows = bench.choose("duplicate_external_id", table, "external_ref", (np.arange(bench.people.count) % 2 == 1))
    refs = bench.column(table, "external_ref").take(pa.array(rows - 1)).to_pylist()
    bench.spoil("duplicate_external_id", table, "external_ref", rows, refs)


def _lose_countries(bench: Bench) -> None:
    """The country is missing everywhere: on the account, its addresses and the debtor."""
    people = bench.people
    rows = bench.choose("missing_country", "crm.accounts", "country", people.role == NORMAL)
    if len(rows) == 0:
        return
    before = bench.column("crm.accounts", "country").take(pa.array(rows)).to_pylist()
    bench.put("crm.accounts", "country", rows, pa.array([None if i % 2 else "" for i in range(len(rows))], pa.string()))
    bench.note("missing_country", "crm.accounts", rows, before)
    lost = account_ids(rows)
    for table, column in (("crm.addresses", "account_id"), ("erp.customers", "crm_account_id")):
        theirs = np.flatnonzero(np.asarray(pc.is_in(bench.column(table, column), lost)))
        bench.spoil("missing_country", table, "country", theirs, [None] * len(theirs))
        used = bench.used.setdefault((table, "country"), np.zeros(bench.tables[table].num_rows, dtype=bool))
        used[theirs] = True


def _break_links(bench: Bench) -> None:
    """Debtors that do not name their account, and some that name one the CRM does not know."""
    table, column = "erp.customers", "crm_account_id"
    company = bench.present(table, "tax_no")
    rows = bench.choose("unlinked_erp_customer", table, column, company)
    bench.spoil("unlinked_erp_customer", table, column, rows, [None] * len(rows))
    rows = bench.choose("orphan_erp_customer", table, column, ~company)
    bench.spoil("orphan_erp_customer", table, column, rows, _nobody(len(rows), 0))


def break_contracts(bench: Bench) -> None:
    """Contracts, items, overrides."""
    subscriptions, items = "erp.subscriptions", "erp.subscription_items"
    everything = np.ones(bench.tables[subscriptions].num_rows, dtype=bool)
    rows = bench.choose("orphan_subscription", subscriptions, "customer_no", everything)
    _overwrite(bench, "orphan_subscription", subscriptions, "customer_no", rows, pa.array(NOBODY_CUSTOMER + rows))
    running = ~bench.present(subscriptions, "end_date")
    rows = bench.choose("inverted_subscription", subscriptions, "end_date", running)
    started = bench.column(subscriptions, "start_ts").take(pa.array(rows)).cast(pa.date32())
    _overwrite(bench, "inverted_subscription", subscriptions, "end_date", rows, _moved(started, -10))
    rows = bench.choose("unknown_status", subscriptions, "status", everything)
    bench.spoil("unknown_status", subscriptions, "status", rows, ["ZZZ"] * len(rows))
    add_on = np.asarray(pc.equal(bench.column(items, "item_kind"), "A"))
    rows = bench.choose("negative_quantity", items, "quantity", add_on)
    _overwrite(bench, "negative_quantity", items, "quantity", rows, pc.negate(_at(bench, items, "quantity", rows)))
    _break_overrides(bench)


def _at(bench: Bench, table: str, column: str, rows: Ints) -> Column:
    return bench.column(table, column).take(pa.array(rows))


def _moved(days: Column, by: int) -> Column:
    return pc.add(days.cast(pa.int32()), pa.scalar(by, pa.int32())).cast(pa.date32())


def _overwrite(bench: Bench, kind: str, table: str, column: str, rows: Ints, values: Column) -> None:
    if len(rows) == 0:
        return
    before = [None if v is None else str(v) for v in _at(bench, table, column, rows).to_pylist()]
    bench.put(table, column, rows, values)
    bench.note(kind, table, rows, before)


def _break_overrides(bench: Bench) -> None:
    """A last day before the first; a second override over the first, with another limit and a later start."""
    table = "erp.entitlement_overrides"
    everything = np.ones(bench.tables[table].num_rows, dtype=bool)
    rows = bench.choose("inverted_override", table, "to_date", everything)
    started = _at(bench, table, "from_date", rows)
    _overwrite(bench, "inverted_override", table, "to_date", rows, _moved(started, -5))
    rows = bench.choose("overlapping_override", table, "to_date", everything)
    if len(rows) == 0:
        return
    copies = bench.tables[table].take(pa.array(rows))
    count, first = len(rows), bench.tables[table].num_rows + 1
    added = {name: copies[name].combine_chunks() for name in copies.column_names}
    added["override_id"] = col.small_integers(first + np.arange(count))
    added["from_date"] = _moved(added["from_date"], 1)
    added["limit_value"] = col.decimals(np.where(np.arange(count) % 2 == 0, -10_000, 0).astype(np.int64), 18, 4)
    keys = bench.row_keys(table, rows)
    new = bench.append(table, pa.table(added))
    bench.note("overlapping_override", table, new, keys)


def break_billing(bench: Bench) -> None:
    """Invoices, lines, payment methods."""
    invoices, lines, methods = "erp.invoices", "erp.invoice_lines", "erp.payment_methods"
    rows = bench.choose("orphan_invoice", invoices, "customer_no", np.ones(bench.tables[invoices].num_rows, dtype=bool))
    _overwrite(bench, "orphan_invoice", invoices, "customer_no", rows, pa.array(NOBODY_CUSTOMER + 50_000_000 + rows))
    # Fils do not fit into another currency's cents, so dinar lines would break twice.
    currency = bench.column(lines, "currency")
    rows = bench.choose("currency_mismatch", lines, "currency", np.asarray(pc.not_equal(currency, "KWD")))
    wrong = ["EUR" if code == "USD" else "USD" for code in currency.take(pa.array(rows)).to_pylist()]
    bench.spoil("currency_mismatch", lines, "currency", rows, wrong)
    default = np.asarray(pc.equal(bench.column(methods, "is_default"), "Y"))
    rows = bench.choose("unverified_method", methods, "verified", default)
    bench.spoil("unverified_method", methods, "verified", rows, ["N"] * len(rows))


def duplicate(bench: Bench) -> None:
    """Customers entered twice, with a copy of main contact and billing address; debtors entered twice."""
    _duplicate_accounts(bench)
    _duplicate_debtors(bench)


def _keep_off(bench: Bench, table: str, key: str, *columns: str) -> None:
    """A row with a defect in one of the columns is not copied: its copy would be a defect nobody recorded."""
    spoilt = [bench.used[table, column] for column in columns if (table, column) in bench.used]
    bench.used[table, key] = np.logical_or.reduce([np.zeros(bench.tables[table].num_rows, dtype=bool), *spoilt])


def _duplicate_accounts(bench: Bench) -> None:
    table, people = "crm.accounts", bench.people
    _keep_off(bench, table, "account_id", "name", "email", "country", "parent_account", "created_on", "external_ref")
    rows = bench.choose("duplicate_account", table, "account_id", people.role == NORMAL)
    if len(rows) == 0:
        return
    count = len(rows)
    copies = bench.tables[table].take(pa.array(rows))
    added = {name: copies[name].combine_chunks() for name in copies.column_names}
    fresh = people.count + np.arange(count)
    added["account_id"] = account_ids(fresh)
    added["external_ref"] = col.joined(col.constant("EXT-", count), col.digits(fresh * 3 + 1000, 8))
    loud = np.arange(count) % 2 == 0
    spaced = col.joined(col.constant(" ", count), added["name"], col.constant("  ", count))
    added["name"] = col.chosen(loud & people.company[rows], pc.utf8_upper(added["name"]), spaced)
    added["email"] = col.chosen(loud, pc.utf8_upper(added["email"]), added["email"])
    # A phone that was spoilt is not spoilt twice: the copy goes without.
    spoilt_phone = bench.used.get((table, "phone"))
    if spoilt_phone is not None:
        added["phone"] = col.blanked(added["phone"], spoilt_phone[rows])
    added["notes"] = col.nothing(count)
    keys = bench.row_keys(table, rows)
    new = bench.append(table, pa.table(added))
    bench.note("duplicate_account", table, new, keys)
    copy_children(bench, rows, added["account_id"])


def copy_children(bench: Bench, rows: Ints, owners: Column) -> None:
    """Main contact and billing address of those accounts once more, for new owners."""
    contacts = bench.tables["crm.contacts"].take(pa.array(bench.people.first_contact[rows]))
    first = bench.tables["crm.contacts"].num_rows
    bench.append(
        "crm.contacts",
        contacts.set_column(0, "contact_id", contact_ids(first + np.arange(len(rows)))).set_column(
            1, "account_id", owners
        ),
    )
    table = bench.tables["crm.addresses"]
    billing = np.flatnonzero(np.asarray(pc.equal(bench.column("crm.addresses", "kind"), "BILL")))
    at = np.asarray(pc.index_in(account_ids(rows), bench.column("crm.addresses", "account_id").take(pa.array(billing))))
    copies = table.take(pa.array(billing[at.astype(np.int64)]))
    ids = col.integers(table.num_rows + 1 + np.arange(len(rows)))
    bench.append("crm.addresses", copies.set_column(0, "address_id", ids).set_column(1, "account_id", owners))


def _duplicate_debtors(bench: Bench) -> None:
    """Same tax number, name in capitals, half of them without the account; never billed."""
    table = "erp.customers"
    _keep_off(bench, table, "customer_no", "name", "crm_account_id", "country")
    rows = bench.choose("duplicate_erp_customer", table, "customer_no", bench.present(table, "tax_no"))
    if len(rows) == 0:
        return
    count = len(rows)
    copies = bench.tables[table].take(pa.array(rows))
    added = {name: copies[name].combine_chunks() for name in copies.column_names}
    highest = pc.max(bench.column(table, "customer_no")).as_py()
    added["customer_no"] = col.small_integers(highest + 1 + np.arange(count))
    added["crm_account_id"] = col.blanked(added["crm_account_id"], np.arange(count) % 2 == 0)
    added["name"] = pc.utf8_upper(added["name"])
    added["status"] = col.constant("P", count)
    keys = bench.row_keys(table, rows)
    new = bench.append(table, pa.table(added))
    bench.note("duplicate_erp_customer", table, new, keys)
