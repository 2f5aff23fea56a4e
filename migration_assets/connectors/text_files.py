"""Bytes to text, strictly: compression, size limits, byte order marks, declared and detected encodings, lines.

Nothing here knows a record format; a line is what ends with a line feed, a carriage return or both.
"""

from __future__ import annotations

import codecs
import gzip
import io
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from migration_assets.domain.errors import SourceUnreadable

if TYPE_CHECKING:
    from migration_assets.connectors.file_source import File

PIECE = 256 * 1024
# Longest first: the mark of UTF-32 begins with that of UTF-16.
_MARKS = (
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
_SINGLE_BYTE = ("cp1252", "iso8859-1")


@dataclass(frozen=True)
class Encoding:
    """Python's name of an encoding, and how it is known."""

    name: str
    known_by: str


class _Readable(Protocol):
    def read(self, size: int, /) -> bytes: ...


class _Limited(io.RawIOBase):
    """A stream that refuses to give more than a number of bytes: a bomb stops here."""

    def __init__(self, inner: _Readable, limit: int, file: File) -> None:
        self._inner = inner
        self._left = limit
        self._limit = limit
        self._file = file

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override]
        try:
            data = self._inner.read(len(buffer))
        except (EOFError, gzip.BadGzipFile, zlib.error):
            raise SourceUnreadable(
                f"{self._file.name} is a damaged or truncated gzip file", "transfer it again, and compare its size"
            ) from None
        self._left -= len(data)
        if self._left < 0:
            raise SourceUnreadable(
                f"{self._file.name} holds more than {self._limit} bytes after decompression",
                "if that is right, raise the source's option max_bytes",
            )
        buffer[: len(data)] = data
        return len(data)


@contextmanager
def opened(file: File, max_bytes: int) -> Iterator[io.BufferedReader[_Limited]]:
    """The file's bytes, decompressed if its name ends with .gz, and never more than `max_bytes`."""
    with file.path.open("rb") as raw:
        inner: _Readable = gzip.GzipFile(fileobj=raw) if file.name.lower().endswith(".gz") else raw
        with io.BufferedReader(_Limited(inner, max_bytes, file), PIECE) as reader:
            yield reader


def encoding_of(file: File, declared: str | None, certain: bool, max_bytes: int) -> Encoding:
    """The encoding to read a file with; wrong declarations and uncertain guesses are refused.

    A declared single-byte encoding reads anything, so it is also refused when the bytes are valid UTF-8 with
    non-ASCII letters, unless `certain`.
    """
    with opened(file, max_bytes) as reader:
        mark = next((name for mark, name in _MARKS if reader.peek(4)[:4].startswith(mark)), None)
    if declared is not None:
        return Encoding(_declared(file, declared, mark, certain, max_bytes), "declared")
    if mark is not None:
        return Encoding(mark, "byte order mark")
    broken_at = _first_not_utf8(file, max_bytes)
    return Encoding("utf-8", "valid throughout") if broken_at is None else _guessed(file, broken_at, max_bytes)


def _declared(file: File, declared: str, mark: str | None, certain: bool, max_bytes: int) -> str:
    try:
        name = codecs.lookup(declared).name
    except LookupError:
        raise SourceUnreadable(f"there is no encoding {declared!r}", "name one, such as utf-8 or cp1252") from None
    if mark is not None:
        if not _agrees(name, mark):
            raise SourceUnreadable(
                f"{file.name} begins with the mark of {mark}, and is declared as {declared}",
                "correct the option encoding",
            )
        return mark
    if name in _SINGLE_BYTE and not certain and _is_utf8_beyond_ascii(file, max_bytes):
        raise SourceUnreadable(
            f"{file.name} is declared as {declared}, but all of it is valid UTF-8",
            "declare utf-8; if the declaration is right after all, set the option encoding_certain: true",
        )
    return name


def _agrees(name: str, mark: str) -> bool:
    return name == mark or (name, mark) == ("utf-8", "utf-8-sig") or (name.startswith(mark) and mark != "utf-8-sig")


def _first_not_utf8(file: File, max_bytes: int) -> int | None:
    """Offset of the piece that holds the first byte which is not UTF-8; None when all is."""
    decoder, offset = codecs.getincrementaldecoder("utf-8")(), 0
    with opened(file, max_bytes) as reader:
        while piece := reader.read(PIECE):
            try:
                decoder.decode(piece)
            except UnicodeDecodeError:
                return offset
            offset += len(piece)
    try:
        decoder.decode(b"", final=True)
    except UnicodeDecodeError:
        return max(0, offset - PIECE)
    return None


def _is_utf8_beyond_ascii(file: File, max_bytes: int) -> bool:
    ascii_only = True
    with opened(file, max_bytes) as reader:
        while ascii_only and (piece := reader.read(PIECE)):
            ascii_only = piece.isascii()
    return not ascii_only and _first_not_utf8(file, max_bytes) is None


def _guessed(file: File, broken_at: int, max_bytes: int) -> Encoding:
    """Windows-1252 or Latin-1 if the letters around the first one that is not UTF-8 look it; else nobody guesses."""
    from charset_normalizer import from_bytes

    with opened(file, max_bytes) as reader:
        skipped = 0
        while skipped < broken_at:
            skipped += len(reader.read(min(PIECE, broken_at - skipped)))
        sample = reader.read(PIECE)
    match = from_bytes(sample).best()
    possible = {codecs.lookup(name).name for name in (match.could_be_from_charset if match else ())}
    for name in _SINGLE_BYTE:
        if name in possible:
            return Encoding(name, "detected, not declared")
    looks = f"; it looks like {match.encoding}" if match else ""
    raise SourceUnreadable(
        f"{file.name} is not UTF-8, and its encoding is not certain{looks}", "declare it: option encoding"
    )


def lines(file: File, encoding: Encoding, max_bytes: int, max_line: int) -> Iterator[str]:
    """Lines with their ends; a line longer than `max_line` characters, a NUL or an undecodable byte is refused."""
    number = 0
    with opened(file, max_bytes) as reader, io.TextIOWrapper(reader, encoding=encoding.name, newline="") as text:
        readline = text.readline
        try:
            while line := readline(max_line):
                number += 1
                if "\0" in line:
                    raise SourceUnreadable(
                        f"{file.name}, line {number}: there is a NUL character",
                        "export the file again as text; if it is UTF-16, declare it: option encoding",
                    )
                if len(line) >= max_line:
                    raise SourceUnreadable(
                        f"{file.name}, line {number}: longer than {max_line} characters",
                        "look for an unclosed quote or a damaged line; else raise the option max_cell_bytes",
                    )
                yield line
        except UnicodeError:
            place = _undecodable_line(file, encoding, max_bytes)
            raise SourceUnreadable(
                f"{file.name}, line {place}: bytes that are not {encoding.name} ({encoding.known_by})",
                "declare the encoding the file really has: option encoding",
            ) from None


def _undecodable_line(file: File, encoding: Encoding, max_bytes: int) -> int:
    """1-based line of the first undecodable byte: reading ahead hides it from the line reader."""
    decoder, line = codecs.getincrementaldecoder(encoding.name)(), 1
    with opened(file, max_bytes) as reader:
        ended = False
        while not ended:
            piece = reader.read(PIECE)
            ended, state = not piece, decoder.getstate()
            try:
                line += decoder.decode(piece, final=ended).count("\n")
            except UnicodeDecodeError as error:
                decoder.setstate(state)
                return line + decoder.decode(piece[: max(0, error.start - len(state[0]))]).count("\n")
            except UnicodeError:
                return line
    return line
