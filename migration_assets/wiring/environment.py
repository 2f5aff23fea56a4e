"""Where one plan lives: folders, server, databases, and the variables Dagster reads. Set it up, or find it set up.

Belongs here: the only reading of the process environment's meaning (it comes in as an argument). Does not belong here:
what is inside the databases and folders, and Dagster itself, which is not imported.

`.env` in the root is read by Dagster before `dagster.yaml`. The lines between Cutover's two marks are written anew at
each set-up; all others are the user's and stay.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from io import StringIO
from pathlib import Path

from dotenv import dotenv_values

from migration_assets.connectors.databases import VARIABLE as DATABASE_URL
from migration_assets.connectors.databases import database_url, ensure_database, own_server
from migration_assets.connectors.embedded_postgres import EmbeddedServer
from migration_assets.connectors.private_files import make_folder, write_private
from migration_assets.domain.errors import Misconfigured
from migration_assets.plan.frozen import is_name
from migration_assets.plan.wording import nearest, shown

DEFAULT_PLAN = "acme"
HOME = "CUTOVER_HOME"
PLAN = "CUTOVER_PLAN"
BEGIN = "# --- Cutover writes the lines from here"
END = "# --- to here anew at each set-up; lines of your own go above or below"
STORE = "store"
REPORTS = "reports"
# The embedded server's folder stands beside the plans' folders.
RESERVED = frozenset({"postgres"})


@dataclass(frozen=True)
class Environment:
    """One plan at home. `home` is `.cutover`; what is the plan's own lies in `home/<plan>`.

    `variables` is what `${NAME}` in a plan may name: the process environment, `.env` and `exports`, later ones first.
    """

    root: Path
    plan: str
    home: Path
    server_url: str = field(repr=False)
    variables: Mapping[str, str] = field(default_factory=dict, repr=False, compare=False)

    @property
    def plan_folder(self) -> Path:
        """The plan's reviewed files."""
        return self.root / "plans" / self.plan

    @property
    def plan_home(self) -> Path:
        return self.home / self.plan

    @property
    def store(self) -> Path:
        return self.plan_home / STORE

    @property
    def logs(self) -> Path:
        return self.plan_home / "logs"

    @property
    def reports(self) -> Path:
        return self.plan_home / REPORTS

    @property
    def answers_key(self) -> Path:
        """The key without which nobody can tell what the kept answers of services were about; secret. It lies beside
        the store, so that a copy of the one is no copy of the other."""
        return self.plan_home / "answers.key"

    @property
    def dagster_url(self) -> str:
        """Dagster's own storage. Its NOTIFY needs psycopg2."""
        return database_url(self.server_url, f"{self.plan}_dagster", "psycopg2")

    @property
    def control_url(self) -> str:
        return self.database("control")

    def database(self, name: str) -> str:
        """The SQLAlchemy URL of one of the plan's databases on its server: `<plan>_<name>`."""
        return database_url(self.server_url, f"{self.plan}_{name}", "psycopg")

    @property
    def exports(self) -> dict[str, str]:
        """The variables that `dagster.yaml`, Dagster and its child processes need; secret, because of the password."""
        return {
            "DAGSTER_HOME": str(self.root),
            # The webserver and the daemon look for something to upload, and make folders for it in the root, even
            # when dagster.yaml turns telemetry off; this stops that too.
            "DAGSTER_DISABLE_TELEMETRY": "1",
            "CUTOVER_DAGSTER_URL": self.dagster_url,
            "CUTOVER_DAGSTER_ARTIFACTS": str(self.logs / "artifacts"),
            "CUTOVER_DAGSTER_LOGS": str(self.logs / "compute"),
            PLAN: self.plan,
            # A root that is copied or moved finds its own state: only a home elsewhere is written down.
            **({HOME: str(self.home)} if self.home != (self.root / ".cutover").resolve() else {}),
            **({DATABASE_URL: self.variables[DATABASE_URL]} if self.variables.get(DATABASE_URL) else {}),
        }


def prepare(root: Path, plan: str, env: Mapping[str, str], settings: Mapping[str, str] | None = None) -> Environment:
    """Set up one plan: server, databases, folders and `.env`. Does again only what is missing.

    `plan` is a name or `plans/<name>`. `settings` are PostgreSQL settings for the embedded server, if this starts it.
    Raises Misconfigured, with the remedy, when name, server or folder are not usable.
    """
    root = root.resolve()
    known = _known(root, env)
    name = known_plan(root, plan)
    home = _home(root, known)
    url = own_server(known) or EmbeddedServer(home / "postgres", settings or {}).start()
    environment = _environment(root, name, home, url, known)
    for database in ("dagster", "control"):
        ensure_database(url, f"{name}_{database}")
    _make_folders(environment)
    _write_env_file(environment)
    return environment


def current(root: Path, env: Mapping[str, str], plan: str | None = None) -> Environment:
    """The plan's environment as `prepare` left it; starts and asks nothing.

    The plan is the argument, else CUTOVER_PLAN, else acme. Raises Misconfigured when set-up has not run.
    """
    root = root.resolve()
    known = _known(root, env)
    name = plan_name(root, plan or known.get(PLAN) or DEFAULT_PLAN)
    home = _home(root, known)
    if not (home / name).is_dir():
        raise Misconfigured(
            f"The plan {name} has not been set up in {home}.",
            f"Run `cutover run --plan plans/{name}` first (`cutover demo` for the demo company).",
        )
    url = own_server(known) or EmbeddedServer(home / "postgres").url()
    return _environment(root, name, home, url, known)


def variables(root: Path, env: Mapping[str, str]) -> Mapping[str, str]:
    """What `${NAME}` in a plan may name, before anything is set up: the given environment, and `.env`."""
    return _known(root.resolve(), env)


def store_folder(root: Path, plan: str, env: Mapping[str, str]) -> Path:
    """Where the store of a plan is, or will be once it is set up; starts and asks nothing."""
    root = root.resolve()
    return _home(root, _known(root, env)) / plan_name(root, plan) / STORE


def reports_folder(root: Path, plan: str, env: Mapping[str, str]) -> Path:
    """Where what people read about a plan lies; starts and asks nothing."""
    return store_folder(root, plan, env).parent / REPORTS


def embedded_server(root: Path, env: Mapping[str, str]) -> EmbeddedServer | None:
    """The embedded server of this root, to be stopped or asked; None when the user brings a server."""
    root = root.resolve()
    known = _known(root, env)
    return None if own_server(known) else EmbeddedServer(_home(root, known) / "postgres")


def plan_name(root: Path, given: str) -> str:
    """The plan's name out of `<name>` or `plans/<name>`; anything that leads elsewhere is refused."""
    name, plans = given, root / "plans"
    if os.sep in given:
        path = Path(os.path.normpath(root / given))
        if path.parent != plans:
            raise Misconfigured(
                f"{shown(given)} does not name a plan: it leads out of {plans}, where plans are looked for.",
                f"Give plans/<name>. {_those_there(plans)}",
            )
        name = path.name
    if not is_name(name) or name in RESERVED:
        raise Misconfigured(
            f"{shown(given)} does not name a plan: no folder of {plans} may be called so.",
            "A name is a-z, 0-9 and _, at most 48, begins with a letter, and is not `postgres`. " + _those_there(plans),
        )
    return name


def known_plan(root: Path, given: str) -> str:
    """The same, of a plan that is there: a folder of `plans` with a plan.yaml."""
    name, plans = plan_name(root, given), root / "plans"
    if not (plans / name).is_dir():
        meant = nearest(name, _plans_in(plans), "").capitalize()
        remedy = " ".join(filter(None, ("Check the name given with --plan.", meant, _those_there(plans))))
        raise Misconfigured(f"There is no plan {name} in {plans}.", remedy)
    if not (plans / name / "plan.yaml").is_file():
        problem = f"The folder {plans / name} is no plan: it has no plan.yaml."
        raise Misconfigured(problem, f"Check the name given with --plan. {_those_there(plans)}")
    return name


def _plans_in(plans: Path) -> list[str]:
    """Names of the folders that are plans, in order."""
    return sorted(f.parent.name for f in plans.glob("*/plan.yaml") if is_name(f.parent.name))


def _those_there(plans: Path) -> str:
    """What can be named, in a sentence."""
    there = _plans_in(plans)
    if not there:
        return "No plan is there yet: a plan is a folder with a plan.yaml."
    return f"There {'is' if len(there) == 1 else 'are'} {', '.join(there)}."


def _environment(root: Path, plan: str, home: Path, url: str, known: Mapping[str, str]) -> Environment:
    bare = Environment(root, plan, home, url, known)
    return Environment(root, plan, home, url, {**known, **bare.exports})


def _home(root: Path, known: Mapping[str, str]) -> Path:
    return (root / (known.get(HOME) or ".cutover")).resolve()


def _known(root: Path, env: Mapping[str, str]) -> dict[str, str]:
    """The given environment over the user's own lines of `.env` over Cutover's lines there.

    Of Cutover's lines only where the state lives is believed: the plan of the last set-up is not the plan of this one.
    """
    mine, users = _split(_read_env_file(root))
    kept = {name: value for name, value in _values(mine).items() if name in (HOME, DATABASE_URL)}
    return {**kept, **_values(users), **env}


def _make_folders(environment: Environment) -> None:
    exports = environment.exports
    dagster = (Path(exports["CUTOVER_DAGSTER_ARTIFACTS"]), Path(exports["CUTOVER_DAGSTER_LOGS"]))
    try:
        make_folder(environment.home, passable=True)
        for folder in (environment.store, environment.logs, environment.reports, *dagster):
            make_folder(folder)
    except OSError as error:
        raise _not_writable(environment.home, error) from error


def _write_env_file(environment: Environment) -> None:
    """Keep the user's lines, put Cutover's after them so that they win, and prove that they read back as meant."""
    root, exports = environment.root, environment.exports
    before = _read_env_file(root)
    _, users = _split(before)
    ours = {name: value for name, value in exports.items() if _values(users).get(name) != value}
    lines = [BEGIN, *(f"{name}={_quoted(value)}" for name, value in ours.items()), END]
    text = "\n".join([*([users.rstrip("\n")] if users.strip() else []), *lines, ""])
    read_back = _values(text)
    wrong = [name for name, value in exports.items() if read_back.get(name) != value]
    if wrong:
        raise Misconfigured(
            f"The value of {', '.join(wrong)} cannot be written to {root / '.env'}.",
            "Use folders without line breaks and ${ in their names.",
        )
    if text != before or (root / ".env").stat().st_mode & 0o077:
        try:
            write_private(root / ".env", text)
        except OSError as error:
            raise _not_writable(root, error) from error


def _read_env_file(root: Path) -> str:
    try:
        return (root / ".env").read_text(encoding="utf-8")
    except FileNotFoundError:
        return ""
    except (OSError, UnicodeDecodeError) as error:
        raise Misconfigured(
            f"{root / '.env'} cannot be read.", "Run as the account that owns it; it must be a UTF-8 text file."
        ) from error


def _split(text: str) -> tuple[str, str]:
    """Cutover's lines of `.env`, and everybody else's."""
    before, begin, rest = text.partition(BEGIN + "\n")
    mine, _, after = rest.partition(END + "\n")
    return (mine, before + after) if begin else ("", text)


def _values(text: str) -> dict[str, str]:
    found = dotenv_values(stream=StringIO(text))
    return {name: value for name, value in found.items() if value is not None}


def _quoted(value: str) -> str:
    return "'" + value.replace("\\", "\\\\").replace("'", "\\'") + "'"


def _not_writable(folder: Path, error: OSError) -> Misconfigured:
    return Misconfigured(
        f"The folder {folder} cannot be written: {error.strerror}.",
        f"Run as the account that owns it, or move the state elsewhere with {HOME}.",
    )
