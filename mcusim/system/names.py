"""A user's name (hostile until proved otherwise) -> something safe to print, or to use as a file name."""

import re

LONGEST_FILE_NAME = 60
LONGEST_SHOWN = 2000  # letters of a line or a cell
LONGEST_REASON = 200


def printable(text: str) -> str:
    """One line without control characters: no escape sequence reaches a terminal, no newline breaks a table."""
    line = " ".join(filter(None, (part.strip() for part in text.splitlines())))
    if line.isascii() and line.isprintable():
        return line
    return "".join(
        char if char.isprintable() else " " if char.isspace() else "\N{REPLACEMENT CHARACTER}" for char in line
    )


def words_of(error: BaseException, most: int = LONGEST_REASON) -> str:
    """What an error of others says, in one line of so many letters at most; its class where it says nothing."""
    return printable(" ".join(str(error).split()) or type(error).__name__)[:most]


def shortened(text: str, most: int = LONGEST_SHOWN) -> str:
    """A name of a million letters is not read by anybody: its beginning and its end."""
    return text if len(text) <= most else f"{text[: most // 2]} [..] {text[-most // 2 :]}"


def file_name(text: str) -> str:
    """`text` as one component of a path: letters, digits, `_`, `-` and dots inside; never empty, hidden or long.

    A name that has to be changed gets its checksum, so that two never share a file.
    """
    plain = re.sub(r"[^A-Za-z0-9_.-]+", "_", text).strip("._-")[:LONGEST_FILE_NAME].rstrip(".")
    if plain and plain == text:
        return plain
    import hashlib

    return f"{plain or 'unnamed'}-{hashlib.sha256(text.encode('utf-8', 'replace')).hexdigest()[:10]}"


def cut(text: str, most_bytes: int, rest: str) -> str:
    """A text for a place that takes so much, in UTF-8: its first lines, and `rest`, which says where more is."""
    if len(text.encode("utf-8", "replace")) <= most_bytes:
        return text
    begin = text.encode("utf-8", "replace")[: most_bytes - len(rest.encode()) - 2].decode(errors="ignore")
    return begin[: max(begin.rfind("\n"), 0)] + f"\n\n{rest}"
