"""How a text table is written (encoding, delimiter, header), and its columns as text.

Columns are dictionary-encoded: each distinct text is kept, and later understood, once.
"""

from __future__ import annotations

import codecs
import csv
import io
import re
from collections import Counter
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from itertools import islice
from typing import Any

import charset_normalizer
import pyarrow as pa
import pyarrow.csv as pacsv

from bundlegym.data.config import ReadOptions
from bundlegym.data.files import READ_ERRORS, Source, unreadable
from bundlegym.errors import UserError

#: Bytes of a file's beginning by which its form is found out.
SAMPLE = 1 << 20
#: Lines among which the header is looked for.
HEADER_REACH = 60
DELIMITERS = ",;\t|"
DELIMITER_NAMES = {"tab": "\t", "\\t": "\t", "space": " ", "whitespace": " "}
BYTE_ORDER_MARKS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
#: Encodings that shops' tills and spreadsheets write besides UTF-8.
LEGACY_ENCODINGS = ["cp1252", "cp1250", "cp1251", "cp1253", "cp1254", "cp932", "gb18030", "big5", "cp949"]
LATIN_ENCODINGS = ["cp1252", "cp1250", "cp1254"]
#: Rows with too many fields, as a share, beyond which the file is not understood.
MOST_LONG_ROWS = 0.01
TEXT = pa.dictionary(pa.int32(), pa.string())
NUMBER_LIKE = re.compile(r"[\s\d.,:/()+$€£-]*\d[\s\d.,:/()+$€£TZ-]*")
#: How much more disorder of text counts as nothing; charset-normalizer's own unit.
NEARLY = 0.15
CHUNK_ROWS = 100_000


@dataclass(frozen=True)
class TextForm:
    """How a text table is written; `header_line` counts from 1, 0 where there is no header."""

    encoding: str
    delimiter: str
    header_line: int
    names: tuple[str, ...]
    quoted: bool
    escaped: bool
    notes: dict[str, str]


def text_form(source: Source, options: ReadOptions, wanted: Collection[str]) -> TextForm:
    """Find out how `source` is written; what `options` states is taken as stated.

    Args:
        wanted: names of which the header is likely to hold some.
    """
    head = _head(source)
    if not head.strip(b"\x00\r\n\t \xef\xbb\xbf\xff\xfe"):
        raise UserError(f"{source.label}: the file is empty")
    notes: dict[str, str] = {}
    encoding = _known_encoding(options.encoding) if options.encoding else _encoding_of(head, source, notes)
    text = head.decode(encoding, errors="replace")
    if len(head) == SAMPLE:
        text = text[: text.rfind("\n") + 1] or text
    lines = io.StringIO(text, newline=None).readlines()[:1000]
    stated = re.fullmatch(r"sep=(.)\s*", lines[0], re.IGNORECASE)
    if options.delimiter:
        delimiter = DELIMITER_NAMES.get(options.delimiter.lower(), options.delimiter)
        if len(delimiter) != 1:
            raise UserError(f"--delimiter: '{options.delimiter}' is not one character, 'tab' or 'space'")
    elif stated:
        delimiter = stated[1]
    else:
        delimiter = _delimiter_of(lines, wanted)
    rows = list(_rows(lines, delimiter))
    header_line = options.header_line
    if header_line is None:
        header_line = _header_line(rows, wanted)
        if header_line != 1:
            notes["header"] = _header_note(header_line)
    names = _names_of(rows, header_line, source)
    return TextForm(encoding, delimiter, header_line, names, '"' in text, '\\"' in text, notes)


def read_text(source: Source, form: TextForm, columns: list[str]) -> tuple[pa.Table, dict[str, int]]:
    """`columns` of `source` as dictionary-encoded text, and how many rows were left out for which reason.

    Rows with too few fields are filled up with empty ones.
    """
    if form.delimiter != " ":
        odd: list[Any] = []
        try:
            table = _read_arrow(source, form, columns, odd)
        except READ_ERRORS as error:
            if "UTF8" in str(error):
                raise UserError(
                    f"{source.label}: not UTF-8 text beyond its beginning; name the encoding, for example "
                    "--encoding cp1252"
                ) from error
            raise unreadable(source.label, error) from error
        if not odd:
            return table, {}
    return _read_slowly(source, form, columns)


def continued_lines(source: Source, form: TextForm, rows: int) -> int:
    """Lines of the file that belong to a text in quotation marks which began on the line before."""
    if not form.quoted or form.encoding.startswith(("utf-16", "utf-32", "utf_16", "utf_32")):
        return 0
    with source.open() as file:
        lines = sum(map(bool, map(bytes.strip, islice(file, form.header_line, None))))
    return max(lines - rows, 0)


def _read_arrow(source: Source, form: TextForm, columns: list[str], odd: list[Any]) -> pa.Table:
    def skip(row: Any) -> str:
        odd.append(row)
        return "skip" if len(odd) < 1000 else "error"

    try:
        with source.open() as file:
            return pacsv.read_csv(
                file,
                read_options=pacsv.ReadOptions(
                    column_names=list(form.names), skip_rows=form.header_line, encoding=_arrow_encoding(form)
                ),
                parse_options=pacsv.ParseOptions(
                    delimiter=form.delimiter,
                    newlines_in_values=form.quoted,
                    escape_char="\\" if form.escaped else False,
                    invalid_row_handler=skip,
                ),
                convert_options=pacsv.ConvertOptions(
                    column_types=dict.fromkeys(form.names, TEXT),
                    include_columns=columns,
                    strings_can_be_null=False,
                ),
            )
    except pa.ArrowInvalid as error:
        if odd:
            return None
        if "Empty CSV" in str(error):
            return pa.table({name: pa.array([], TEXT) for name in columns})
        raise


def _arrow_encoding(form: TextForm) -> str:
    return "utf8" if form.encoding in ("utf-8", "utf-8-sig") else form.encoding


def read_beginning(source: Source, form: TextForm, rows: int) -> pa.Table:
    """All columns of the first `rows` rows."""
    return _read_slowly(source, form, list(form.names), rows)[0]


def _read_slowly(
    source: Source, form: TextForm, columns: list[str], most: int | None = None
) -> tuple[pa.Table, dict[str, int]]:
    """Row by row, in the file's order, for files whose rows have not all the same number of fields."""
    places = [form.names.index(name) for name in columns]
    width, total, long = len(form.names), 0, 0
    chunks: list[pa.RecordBatch] = []
    rows: list[list[str]] = []

    def flush() -> None:
        texts = list(zip(*rows, strict=True)) if rows else [()] * width
        arrays = [pa.array(texts[place], pa.string()).dictionary_encode() for place in places]
        chunks.append(pa.record_batch(arrays, names=columns))
        rows.clear()

    try:
        with source.open() as file, io.TextIOWrapper(file, encoding=form.encoding, newline=None) as text:
            for number, row in _rows(text, form.delimiter, form.escaped):
                if number <= form.header_line or not any(row):
                    continue
                if total == most:
                    break
                total += 1
                if len(row) > width and any(cell.strip() for cell in row[width:]):
                    long += 1
                    continue
                rows.append(row[:width] + [""] * (width - len(row)))
                if len(rows) == CHUNK_ROWS:
                    flush()
    except (csv.Error, *READ_ERRORS) as error:
        raise unreadable(source.label, error) from error
    flush()
    if long > max(1, MOST_LONG_ROWS * total):
        raise UserError(
            f"{source.label}: {long:,} of {total:,} lines have more than the {width} fields of the header; "
            "name the right --delimiter or --header-line, or put quotes around the texts that hold it"
        )
    return pa.Table.from_batches(chunks), {"line with too many fields": long} if long else {}


def _head(source: Source) -> bytes:
    try:
        with source.open() as file:
            return file.read(SAMPLE)
    except READ_ERRORS as error:
        raise unreadable(source.label, error) from error


def _known_encoding(name: str) -> str:
    try:
        return codecs.lookup(name).name
    except LookupError as error:
        raise UserError(f"--encoding: '{name}' is no encoding that Python knows, such as cp1252") from error


def _encoding_of(head: bytes, source: Source, notes: dict[str, str]) -> str:
    for mark, encoding in BYTE_ORDER_MARKS:
        if head.startswith(mark):
            return encoding
    if wide := _wide(head):
        notes["encoding"] = f"taken as {wide}; --encoding overrules"
        return wide
    if _is_utf8(head):
        bad = [] if len(head) < SAMPLE else _lines_beyond_utf8(source)
        if not bad:
            return "utf-8"
    else:
        bad = [line for line in head.splitlines() if not line.isascii()]
    encoding = _legacy(bad)
    if encoding == "cp1252" and not _decodes(b"\n".join(bad), "cp1252"):
        encoding = "latin-1"
    example = bad[0].decode(encoding, errors="replace").strip()[:80]
    notes["encoding"] = (
        f"the text is not UTF-8 and was read as {encoding}, which gives '{example}'; --encoding overrules"
    )
    return encoding


def _legacy(lines: list[bytes]) -> str:
    """The encoding that fits best; cp1252, the most common, where a few lines or many fit it nearly so."""
    best = "cp1252"
    runs = [len(run) for run in re.findall(rb"[\x80-\xff]+", b"\n".join(lines[:2000]))]
    # Letters with accents stand alone among plain ones; other scripts come in runs.
    likely = LATIN_ENCODINGS if sum(runs) < 1.5 * len(runs) else LEGACY_ENCODINGS
    for some in (lines[:20], lines[:2000]):
        fits = charset_normalizer.from_bytes(b"\n".join(some), cp_isolation=likely)
        chaos = {LEGACY_ENCODINGS[_rank(fit)]: fit.chaos for fit in fits}
        if chaos and chaos.get("cp1252", 1.0) <= min(chaos.values()) + NEARLY:
            return "cp1252"
        found = min(fits, key=lambda fit: (fit.chaos, -fit.coherence, _rank(fit)), default=None)
        best = LEGACY_ENCODINGS[_rank(found)] if found else best
    return best


def _rank(fit: charset_normalizer.CharsetMatch) -> int:
    """The first place in our list of those encodings in which the text is the same."""
    return min(LEGACY_ENCODINGS.index(name) for name in fit.could_be_from_charset if name in LEGACY_ENCODINGS)


def _wide(head: bytes) -> str:
    """UTF-16 without a mark shows as a zero in nearly every second byte."""
    part = head[:4000]
    even, odd = part[::2].count(0), part[1::2].count(0)
    if odd > 0.4 * len(part) / 2 and even < 0.1 * len(part):
        return "utf-16-le"
    return "utf-16-be" if even > 0.4 * len(part) / 2 and odd < 0.1 * len(part) else ""


def _decodes(text: bytes, encoding: str) -> bool:
    try:
        text.decode(encoding)
    except UnicodeDecodeError:
        return False
    return True


def _is_utf8(head: bytes) -> bool:
    try:
        head.decode("utf-8")
    except UnicodeDecodeError as error:
        return len(head) == SAMPLE and error.start > SAMPLE - 4
    return True


def _lines_beyond_utf8(source: Source) -> list[bytes]:
    """Lines that are not UTF-8, up to some thousands; empty where all are."""
    decoder = codecs.getincrementaldecoder("utf-8")()
    try:
        with source.open() as file:
            while part := file.read(16 << 20):
                try:
                    decoder.decode(part)
                except UnicodeDecodeError:
                    return [line for line in part.splitlines() if not _decodes(line, "utf-8")][:2000]
    except READ_ERRORS as error:
        raise unreadable(source.label, error) from error
    return []


def _rows(lines: Any, delimiter: str, escaped: bool = False) -> Iterator[tuple[int, list[str]]]:
    """Number of the last line, from 1, and fields of each row."""
    if delimiter == " ":
        for number, line in enumerate(lines, 1):
            yield number, line.split()
        return
    reader = csv.reader(
        (line.replace("\x00", "") for line in lines),
        delimiter=delimiter,
        escapechar="\\" if escaped else None,
    )
    for row in reader:
        yield reader.line_num, row


def _delimiter_of(lines: list[str], wanted: Collection[str]) -> str:
    """The delimiter whose rows hold most of the wanted names, then those that are most alike in width."""

    def score(delimiter: str) -> tuple[int, float]:
        try:
            rows = [row for _, row in _rows(lines, delimiter) if any(row)]
        except csv.Error:
            return 0, -1.0
        width, count = Counter(map(len, rows)).most_common(1)[0]
        hits = max(_hits(row, wanted) for row in rows[:HEADER_REACH])
        return hits if width > 1 else 0, (width - 1) * count / len(rows)

    scores = {delimiter: score(delimiter) for delimiter in DELIMITERS}
    best = max(DELIMITERS, key=scores.__getitem__)
    if scores[best][1] < 0.5:
        hits, alike = score(" ")
        if alike > 1:
            return " "
    return best


def _hits(row: list[str], wanted: Collection[str]) -> int:
    return len({cell.strip() for cell in row} & set(wanted))


def _header_line(rows: list[tuple[int, list[str]]], wanted: Collection[str]) -> int:
    """The first line that holds most of the wanted names; else the first of the common width, unless it
    looks like data."""
    near = rows[:HEADER_REACH]
    hits = [_hits(row, wanted) for _, row in near]
    if max(hits) > 0:
        return near[hits.index(max(hits))][0]
    width = Counter(len(row) for _, row in rows if any(row)).most_common(1)[0][0]
    number, row = next(((n, r) for n, r in near if len(r) == width), near[0])
    looks_like_data = sum(bool(NUMBER_LIKE.fullmatch(cell)) for cell in row) > 0
    return 0 if looks_like_data else number


def _header_note(line: int) -> str:
    if line == 0:
        return "no header was found; columns are called 'column 1' and so on; --header-line overrules"
    return f"the header is line {line}, and what stands above it is left out; --header-line overrules"


def _names_of(rows: list[tuple[int, list[str]]], header_line: int, source: Source) -> tuple[str, ...]:
    """Names without blanks around them; a name that comes again gets a number."""
    if header_line == 0:
        width = Counter(len(row) for _, row in rows if any(row)).most_common(1)[0][0]
        return tuple(f"column {i + 1}" for i in range(width))
    header = next((row for number, row in rows if number >= header_line), None)
    if header is None or not any(header):
        raise UserError(f"{source.label}: line {header_line} is no header; see --header-line")
    return unique_names(header)


def unique_names(header: list[str]) -> tuple[str, ...]:
    """Names without blanks around them; an empty one is its place, one that comes again gets a number."""
    names: list[str] = []
    for place, cell in enumerate(header, 1):
        name = cell.replace("\ufeff", "").replace("\x00", "").strip() or f"column {place}"
        again = 2
        unique = name
        while unique in names:
            unique, again = f"{name} ({again})", again + 1
        names.append(unique)
    return tuple(names)
