"""Reading exported files below one folder: where they are, whether they may be read, and that they stand still.

How one format becomes rows of text is in `csv_source`, `excel_source` and `jsonl_source`; bytes, compression and
encodings are in `text_files`.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath, PureWindowsPath
from typing import Any, Protocol, Self

import pyarrow as pa
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from migration_assets.connectors.golden_parquet import write_sorted
from migration_assets.connectors.source import UNKNOWN, Column, Look
from migration_assets.domain.errors import SourceUnreadable


class FileOptions(BaseModel):
    """Options every format knows. `max_cell_bytes`: one value; `max_bytes`: one file after decompression."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    max_cell_bytes: int = Field(default=1024 * 1024, ge=1)
    max_bytes: int = Field(default=4 * 1024**3, ge=1)

    @classmethod
    def model_validate_options(cls, options: Mapping[str, Any]) -> Self:
        """Options as the plan states them; wrong ones are refused by name."""
        try:
            return cls.model_validate(dict(options))
        except ValidationError as wrong:
            said = "; ".join(f"{'.'.join(map(str, e['loc'])) or 'options'}: {e['msg']}" for e in wrong.errors())
            raise SourceUnreadable(
                f"source options are wrong: {said}", f"known: {', '.join(sorted(cls.model_fields))}"
            ) from None


@dataclass(frozen=True)
class File:
    """One file to read. `name` is its path below the source's folder, as messages show it; `part` names a sheet."""

    path: Path
    name: str
    part: str = ""

    @property
    def label(self) -> str:
        return f"{self.name}#{self.part}" if self.part else self.name


class Format(Protocol):
    """How one file format is read. Every value is text or None."""

    def header(self, file: File) -> tuple[str, ...]:
        """The file's columns, each name once."""

    def batches(self, file: File, header: Sequence[str], columns: Sequence[str]) -> Iterator[pa.Table]:
        """All rows in the file's order, cut down to `columns`."""


class FileSource:
    """A folder of files, or one file, of one format."""

    def __init__(self, location: Path, form: Format) -> None:
        self._location = location
        self._form = form

    @contextmanager
    def snapshot(self) -> Iterator[FileSnapshot]:
        """Files have no transactions: a file that changes before the end of the snapshot is refused instead."""
        if not self._location.exists():
            raise SourceUnreadable(
                f"there is no folder or file {self._location}", "check the source's path, and variables in it"
            )
        yield FileSnapshot(self._location, self._form)


@dataclass
class FileSnapshot:
    """Reads files below a folder, and remembers each as it was first seen."""

    location: Path
    form: Format
    _seen: dict[Path, tuple[int, int]] = field(default_factory=dict)
    _headers: dict[File, tuple[str, ...]] = field(default_factory=dict)

    def columns(self, read_from: str) -> tuple[Column, ...]:
        """Columns of the file, or of all files of the pattern (which must be the same)."""
        return tuple(Column(name, "string", "text") for name in self._header(self._files(read_from)))

    def export(
        self, read_from: str, columns: Sequence[str], key: Sequence[str], destination: Path, *, table: str = ""
    ) -> int:
        """See `source.Snapshot.export`. Rows with equal keys stay in the order of the files."""
        files = self._files(read_from)
        self._header(files)
        schema = pa.schema([(name, pa.string()) for name in columns])
        rows = write_sorted(self._batches(files, columns), schema, key, destination)
        for file in files:
            self._unchanged(file)
        return rows

    def mark(self, read_from: str) -> str:
        """See `source.Snapshot.mark`: a digest of the files, byte for byte, and of their names and order."""
        files = self._files(read_from)
        whole = hashlib.sha256()
        for file in files:
            with file.path.open("rb") as stream:
                whole.update(f"{file.label}\0{hashlib.file_digest(stream, 'sha256').hexdigest()}\0".encode())
            self._unchanged(file)
        return whole.hexdigest()

    def look(self, read_from: str, key: Sequence[str], mark: str) -> Look:
        """See `source.Snapshot.look`. Other bytes may still be the same rows, which only reading them tells."""
        return Look(same=True) if self.mark(read_from) == mark else UNKNOWN

    def _batches(self, files: Sequence[File], columns: Sequence[str]) -> Iterator[pa.Table]:
        for file in files:
            yield from self.form.batches(file, self._header_of(file), columns)

    def _files(self, read_from: str) -> list[File]:
        files = find_files(self.location, read_from)
        for file in files:
            self._unchanged(file)
        return files

    def _unchanged(self, file: File) -> None:
        now = file.path.stat()
        state = (now.st_size, now.st_mtime_ns)
        if self._seen.setdefault(file.path, state) != state:
            raise SourceUnreadable(f"{file.name} changed while it was read", "run again when the export is complete")

    def _header(self, files: Sequence[File]) -> tuple[str, ...]:
        first, *rest = files
        header = self._header_of(first)
        for other in rest:
            if set(self._header_of(other)) != set(header):
                raise SourceUnreadable(
                    f"{other.label} has other columns than {first.label}, and both are read as one table",
                    "give files of one table the same header, or make `read_from` narrower",
                )
        return header

    def _header_of(self, file: File) -> tuple[str, ...]:
        if file not in self._headers:
            self._headers[file] = checked_header(self.form.header(file), file)
        return self._headers[file]


def checked_header(header: tuple[str, ...], file: File) -> tuple[str, ...]:
    """The header, if every column has a name of its own (capital and small letters are no difference)."""
    seen: dict[str, int] = {}
    for place, name in enumerate(header, start=1):
        if not name.strip():
            raise SourceUnreadable(f"{file.label}, line 1: column {place} has no name", "name every column")
        if "\0" in name or not _is_text(name):
            raise SourceUnreadable(f"{file.label}, line 1: the name of column {place} is not text", "mend the header")
        if name.casefold() in seen:
            raise SourceUnreadable(
                f"{file.label}, line 1: columns {seen[name.casefold()]} and {place} have the same name {name!r}",
                "rename one of them in the export; capital and small letters are no difference",
            )
        seen[name.casefold()] = place
    return header


def _is_text(name: str) -> bool:
    return not any("\ud800" <= letter <= "\udfff" for letter in name)


def find_files(location: Path, read_from: str) -> list[File]:
    """Files a table is read from, in name order: a name or a pattern below `location`, `#Sheet` for a workbook.

    Nothing outside the folder is read, whether by `..`, an absolute path or a link. Where `location` is itself a
    file, `read_from` is its name or `.`.
    """
    name, _, part = _split_part(location, read_from)
    if location.is_file():
        if name not in ("", ".", location.name):
            raise SourceUnreadable(
                f"the source's path is the file {location.name}, and read_from asks for {name!r}",
                "write `read_from: .`, or give the folder as path",
            )
        return [File(location, location.name, part)]
    _refuse_escape(name)
    if name == ".":
        raise SourceUnreadable(
            "the source's path is no file, and read_from names none in it",
            "give the file itself as path, or the folder as path and the file's name in read_from",
        )
    literal = location / name
    paths = [literal] if literal.is_file() else sorted(p for p in location.glob(name) if p.is_file())
    if not paths:
        raise SourceUnreadable(f"there is no file {name!r} below the source's folder", "check `path` and `read_from`")
    return [File(_contained(path, location), path.relative_to(location).as_posix(), part) for path in paths]


def _split_part(location: Path, read_from: str) -> tuple[str, str, str]:
    """File and sheet. A `#` belongs to the name when a file is called so."""
    if location.is_dir() and not _escapes(read_from) and (location / read_from).is_file():
        return read_from, "", ""
    name, mark, part = read_from.partition("#")
    return name, mark, part


def _refuse_escape(name: str) -> None:
    if _escapes(name):
        raise SourceUnreadable(
            f"read_from {name!r} does not stay below the source's folder", "name a file below the folder"
        )


def _escapes(name: str) -> bool:
    if not name or "\0" in name:
        return True
    path, windows = PurePosixPath(name), PureWindowsPath(name)
    return path.is_absolute() or bool(windows.drive or windows.root) or ".." in (*path.parts, *windows.parts)


def _contained(path: Path, folder: Path) -> Path:
    real = path.resolve()
    if not real.is_relative_to(folder.resolve()):
        raise SourceUnreadable(
            f"{path.relative_to(folder).as_posix()} is a link that leads out of the source's folder",
            "put the file itself into the folder",
        )
    return real
