"""The lines of a text file, decoded and read in blocks of whole lines."""

from __future__ import annotations

import codecs
import io
from collections.abc import Iterator

from ..errors import TableError
from .formats import COMPRESSED, kind_of, zip_error

# Text parsed at once. Larger blocks are no faster; smaller ones pay per-call costs.
BLOCK_BYTES = 4 << 20
# No line is longer. A field that is parsed by itself has the limit of the csv module as well.
MAX_LINE = 16 << 20


class Lines:
    """The lines of a text in UTF-8 or UTF-16, read in blocks of whole lines.

    Line breaks are those of any system. Empty lines at the end are left out.

    Parameters
    ----------
    path : str
        For messages.
    file : file of bytes

    Attributes
    ----------
    bytes_read : int
    """

    def __init__(self, path: str, file: io.BufferedIOBase) -> None:
        self._path = path
        self._file = file
        self._blocks = self._read_blocks()
        self._text = ""
        self._at = 0  # what stands before has been given out
        self.bytes_read = 0

    def block(self) -> str:
        """What is left of the block, or the next one; "" at the end."""
        text = self.peek()
        self._text, self._at = "", 0
        return text

    def peek(self) -> str:
        """What `block` would return."""
        if self._at >= len(self._text):
            self._text, self._at = next(self._blocks, ""), 0
        return self._text[self._at :] if self._at else self._text

    def line(self) -> str:
        """The next line, with its end; "" at the end."""
        if self._at >= len(self._text):
            self.peek()
        start = self._at
        end = self._text.find("\n", start) + 1
        self._at = end or len(self._text)
        return self._text[start : self._at]

    def give_back(self, text: str) -> None:
        """Put text before what is left."""
        self._text, self._at = text + self._text[self._at :], 0

    def _read_blocks(self) -> Iterator[str]:
        raw = self._read_bytes()
        self._require_text(raw)
        utf16 = raw[:2] in (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)
        decode = codecs.getincrementaldecoder("utf-16" if utf16 else "utf-8-sig")()
        newlines = io.IncrementalNewlineDecoder(None, translate=True)
        carry = ""
        lines_before = 1
        while raw:
            self.bytes_read += len(raw)
            following = self._read_bytes()
            try:
                text = carry + newlines.decode(decode.decode(raw, not following), not following)
            except UnicodeDecodeError as exc:
                row = lines_before + carry.count("\n") + exc.object.count(b"\n", 0, exc.start)
                raise self._error(row, "the text is not UTF-8; convert the file first") from exc
            if "\0" in text:
                row = lines_before + text[: text.index("\0")].count("\n")
                raise self._error(row, "the file is binary, not a table of text")
            cut = text.rfind("\n") + 1
            while cut > 1 and text[cut - 2] == "\n":
                cut -= 1  # empty lines stay, to be told from those at the end
            row = lines_before + text.count("\n", 0, cut)
            if len(text) - cut > MAX_LINE:
                raise self._error(row, f"the line does not end within {MAX_LINE >> 20} MiB")
            if cut:
                yield text[:cut]
                lines_before = row
            carry = text[cut:]
            raw = following
        carry = carry.rstrip("\n")
        if carry:
            yield carry

    def _read_bytes(self) -> bytes:
        """Read the next block, fewer bytes only at the end of the file.

        One system call at a time: signals are noticed between calls only, and a single long read
        from a pipe that stalls would keep Ctrl-C waiting.
        """
        pieces = []
        missing = BLOCK_BYTES
        while missing and (piece := self._file.read1(missing)):
            pieces.append(piece)
            missing -= len(piece)
        return b"".join(pieces)

    def _require_text(self, start: bytes) -> None:
        """Refuse other formats, which come here through pipes only and need a file to seek in."""
        kind = kind_of(start)
        if kind == "zip":
            raise zip_error(self._path)
        if kind in COMPRESSED:
            raise TableError(
                f"{self._path}: {kind} data cannot be read from a pipe or standard input; give "
                "the name of the file, or decompress it before, as zcat does"
            )
        if kind is not None:
            raise TableError(
                f"{self._path}: {kind} data cannot be read from a pipe or standard input; "
                f"give the name of the file"
            )

    def _error(self, row: int, what: str) -> TableError:
        return TableError(f"{self._path}: row {row}: {what}")
