"""The commands `cutover review ...`: what each takes. What it does is in `wiring.review` and the modules beside it.

Heavy imports stay inside the commands.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from migration_assets.domain.errors import BadInput
from migration_assets.session import Place, actor, json_option, limit_option, opened, plan_option

if TYPE_CHECKING:
    from rich.console import Console

    Show = Callable[[Console, dict[str, Any]], None]


@click.group()
def review() -> None:
    """Pairs of customers that a machine may not merge by itself: look at them, decide them, take merges back."""


def _answer(place: Place, as_json: bool, found: dict[str, Any], show: Show) -> None:
    if as_json:
        click.echo(json.dumps({"ok": True} | found, indent=2))
    else:
        show(place.out, found)


@review.command("list")
@plan_option
@click.option("--all", "everything", is_flag=True, help="Also those that are decided, or not found any more.")
@json_option
@click.pass_obj
def review_list(place: Place, plan: str | None, everything: bool, as_json: bool) -> None:
    """Cases that wait for a person, or for a second one, the most at stake first, then the likeliest."""
    from migration_assets.wiring.review import cases_of
    from migration_assets.wiring.review_views import print_cases

    with opened(place.root, plan) as (workspace, _):
        found = {"cases": cases_of(workspace, everything=everything)}
        _answer(place, as_json, found, lambda out, f: print_cases(out, f["cases"], workspace.plan.file))


@review.command("merges")
@plan_option
@click.option(
    "--by",
    default=None,
    help="Only those tied by this: a key or link of the plan, or link, key, likeness, decision, target.",
)
@limit_option("customers")
@json_option
@click.pass_obj
def review_merges(place: Place, plan: str | None, by: str | None, limit: int, as_json: bool) -> None:
    """Which customers the last run made of several rows, by what evidence, and who decided it where a person did; the
    least sure first."""
    from migration_assets.wiring.merges import merges_of
    from migration_assets.wiring.review_views import print_merges

    with opened(place.root, plan) as (workspace, _):
        found = merges_of(workspace, by=by, limit=limit)
    _answer(place, as_json, found, print_merges)


@review.command("show")
@plan_option
@click.argument("case")
@json_option
@click.pass_obj
def review_show(place: Place, plan: str | None, case: str, as_json: bool) -> None:
    """Both customers of a case side by side, with personal values, why they may be one, and what a merge would bring
    together; that you looked is logged. CASE is its number, or a customer who has one case only."""
    from migration_assets.wiring.review import both_of
    from migration_assets.wiring.review_views import print_both
    from migration_assets.wiring.row_names import case_named

    with opened(place.root, plan) as (workspace, _):
        found = both_of(workspace, case_named(workspace, case), actor())
        _answer(place, as_json, found, lambda out, f: print_both(out, f, workspace.plan.file))


@review.command("decide")
@plan_option
@click.argument("case")
@click.argument("answer", type=click.Choice(["same", "apart", "open"]))
@click.option("--reason", default=None, help="Why; it is kept in the audit log. An answer needs one.")
@json_option
@click.pass_obj
def review_decide(place: Place, plan: str | None, case: str, answer: Any, reason: str | None, as_json: bool) -> None:
    """Decide a case: one customer (`same`), two (`apart`), or take an answer back (`open`). The next run goes by it,
    where the plan asks for four eyes once a second person has given the same answer. CASE is its number, or a customer
    who has one case only."""
    from migration_assets.wiring.review import decide
    from migration_assets.wiring.review_views import print_decided
    from migration_assets.wiring.row_names import case_named

    if reason is None:
        raise BadInput(
            "an answer needs a reason: who comes after you will ask why",
            f"Say why: cutover review decide {case} {answer} --reason 'The customer says so, ticket 4711.'",
        )
    with opened(place.root, plan) as (workspace, _):
        found = decide(workspace, case_named(workspace, case), answer, by=actor(), reason=reason)
    _answer(place, as_json, found, print_decided)


@review.command("conflicts")
@plan_option
@click.option("--all", "everything", is_flag=True, help="Also those that are decided, or not found any more.")
@json_option
@click.pass_obj
def review_conflicts(place: Place, plan: str | None, everything: bool, as_json: bool) -> None:
    """Fields of the target that somebody else changed since they were loaded and that a load has left, the most money
    first. The values of both sides are in spot_check.html of the cohort's reports."""
    from migration_assets.wiring.conflict_views import print_conflicts
    from migration_assets.wiring.conflicts import conflicts_of

    with opened(place.root, plan) as (workspace, _):
        found = {"conflicts": conflicts_of(workspace, everything=everything)}
        exponents = workspace.plan.file.currency_exponents
    _answer(place, as_json, found, lambda out, f: print_conflicts(out, f["conflicts"], exponents))


@review.command("settle")
@plan_option
@click.argument("conflict", type=click.IntRange(1, 2**63 - 1))
@click.argument("answer", type=click.Choice(["source", "target", "open"]))
@click.option("--reason", required=True, help="Why; it is kept in the audit log.")
@json_option
@click.pass_obj
def review_settle(place: Place, plan: str | None, conflict: int, answer: Any, reason: str, as_json: bool) -> None:
    """Decide a conflict by its number: the next load writes what the source says (`source`), the target keeps what it
    has (`target`), or an answer is taken back (`open`). It holds for these two values: when one of them changes, it is
    asked again."""
    from migration_assets.wiring.conflict_views import print_settled
    from migration_assets.wiring.conflicts import settle

    with opened(place.root, plan) as (workspace, _):
        found = settle(workspace, conflict, answer, by=actor(), reason=reason)
    _answer(place, as_json, found, print_settled)


def _with_a_sheet(command: Callable[..., None]) -> Callable[..., None]:
    """What both ways of the spreadsheet take: the plan, the file, and how to answer."""
    file = click.argument("file", type=click.Path(dir_okay=False, path_type=Path))
    return plan_option(file(json_option(click.pass_obj(command))))


@review.command("export")
@_with_a_sheet
def review_export(place: Place, plan: str | None, file: Path, as_json: bool) -> None:
    """Write what waits for a person to a spreadsheet (.xlsx) to be filled in. It holds personal data; that you took it
    is logged."""
    from migration_assets.wiring.review_sheet import export
    from migration_assets.wiring.review_views import print_export

    _carry(place, plan, file, as_json, export, print_export)


@review.command("import")
@_with_a_sheet
def review_import(place: Place, plan: str | None, file: Path, as_json: bool) -> None:
    """Take over the answers of a spreadsheet that was exported, all or none, as yours."""
    from migration_assets.wiring.review_sheet import import_
    from migration_assets.wiring.review_views import print_import

    _carry(place, plan, file, as_json, import_, print_import)


def _carry(place: Place, plan: str | None, file: Path, as_json: bool, way: Callable[..., Any], show: Show) -> None:
    with opened(place.root, plan) as (workspace, _):
        found = way(workspace, file, actor())
    _answer(place, as_json, found, show)


@review.command("unmerge")
@plan_option
@click.argument("customer")
@click.option("--member", default=None, help="Take out this row only, with what the source ties to it.")
@click.option("--reason", default=None, help="Why; it is kept in the audit log.")
@click.option("--dry-run", is_flag=True, help="Only say what would come apart.")
@json_option
@click.pass_obj
def review_unmerge(
    place: Place,
    plan: str | None,
    customer: str,
    member: str | None,
    reason: str | None,
    dry_run: bool,
    as_json: bool,
) -> None:
    """Take apart what was merged into a customer, named by the key of any of its rows (`crm.accounts:12`), by a row as
    the UI shows it (`crm.accounts#206`), or by its id in the target. The next run does it; what the source itself ties
    stays together."""
    from migration_assets.wiring.review_views import print_unmerge
    from migration_assets.wiring.unmerge import unmerge

    if reason is None and not dry_run:
        raise BadInput(
            "what takes a merge apart needs a reason: who comes after you will ask why",
            "Say with --reason why they are not one customer, or look first with --dry-run.",
        )
    with opened(place.root, plan) as (workspace, _):
        found = unmerge(workspace, customer, member=member, reason=None if dry_run else reason, by=actor())
    _answer(place, as_json, found, print_unmerge)
