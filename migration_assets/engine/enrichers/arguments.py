"""What a plan may say to each enricher, as frozen models that refuse unknown keys."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Annotated
from urllib.parse import urlsplit

from pydantic import BaseModel, ConfigDict, Field, StrictBool, StrictInt, field_validator

from migration_assets.engine.enrichers.postal_shapes import SHAPES
from migration_assets.engine.rules.arguments import CountryCode

_VARIABLE = re.compile(r"\$\{[A-Z_][A-Z0-9_]*\}")


class NoArguments(BaseModel):
    """Takes none."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    def misfits(self, reads: int, codes: Mapping[str, object]) -> list[str]:
        """What is wrong between the arguments, the number of fields that are read and the plan's code lists."""
        return []


class Countries(NoArguments):
    """`countries`: where customers can be at all. A number that two of them share tells neither. None is all."""

    countries: tuple[CountryCode, ...] = ()


class PostalCountries(NoArguments):
    """`countries`: where addresses can be; the code tells the one whose form it has, if it is one alone."""

    countries: Annotated[tuple[CountryCode, ...], Field(min_length=1)]

    @field_validator("countries")
    @classmethod
    def _shapes_are_known(cls, countries: tuple[str, ...]) -> tuple[str, ...]:
        unknown = [c for c in countries if c not in SHAPES]
        if unknown:
            raise ValueError(f"the form of postal codes of {', '.join(unknown)} is not known here")
        return countries


class CodeList(NoArguments):
    """`list`: a code list of the plan (`codes/<list>.csv`); several fields are one code, joined with `=`. A code of it
    that ends in `*` stands for all that begin so; the longest one counts. Case does not count, `-` is no value."""

    code_list: str = Field(alias="list")

    def misfits(self, reads: int, codes: Mapping[str, object]) -> list[str]:
        return [] if self.code_list in codes else [f"there is no code list codes/{self.code_list}.csv"]


class Service(NoArguments):
    """A service that is asked with POST, one JSON object a question, and answers with JSON.

    `url`, and `token` if it wants one (sent as a bearer token), come from the environment: `${NAME}`. Only what `reads`
    names leaves the house, under the keys of `sends` in that order. `answer` is a JSON pointer into what comes back;
    nothing there means that the service does not know. At most `per_second` questions are put; each is tried `attempts`
    times, waits `timeout_seconds` at most, and after `gives_up_after` failures in a row no more is asked in this run.
    `required`: the cohort is stopped while a question is without an answer; else its values stay missing.
    """

    url: str
    token: str = ""
    sends: Annotated[tuple[Annotated[str, Field(min_length=1)], ...], Field(min_length=1)]
    answer: Annotated[str, Field(pattern=r"^(/[^/]*)+$")]
    per_second: Annotated[StrictInt, Field(ge=1, le=1000)] = 5
    timeout_seconds: Annotated[StrictInt, Field(ge=1, le=120)] = 10
    attempts: Annotated[StrictInt, Field(ge=1, le=10)] = 3
    gives_up_after: Annotated[StrictInt, Field(ge=1, le=1000)] = 3
    required: StrictBool = False

    @field_validator("token")
    @classmethod
    def _token_is_not_written_out(cls, token: str) -> str:
        if token and not _VARIABLE.fullmatch(token):
            raise ValueError("write it as ${NAME}: a token never stands in a plan")
        return token

    @field_validator("url")
    @classmethod
    def _url_tells_no_secret(cls, url: str) -> str:
        if "${" in _VARIABLE.sub("", url):
            raise ValueError("${...} is a name in capitals, digits and _: write it as ${NAME}")
        if "@" in urlsplit(_VARIABLE.sub("variable", url)).netloc:
            raise ValueError("names an account: leave it out, and let `token` name a variable")
        return url

    def misfits(self, reads: int, codes: Mapping[str, object]) -> list[str]:
        if len(set(self.sends)) < len(self.sends):
            return ["sends names a key twice"]
        return [] if len(self.sends) == reads else [f"sends {len(self.sends)} keys for {reads} fields that are read"]
