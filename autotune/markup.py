"""HTML of objects as notebooks show them: tables of escaped text."""

from collections.abc import Iterable, Mapping, Sequence
from html import escape


def text(value: object) -> str:
    """What `value` prints as, with nothing in it that HTML takes for markup."""
    return escape(str(value), quote=True)


def card(title: str, facts: Mapping[str, object], *tables: str) -> str:
    """A title, names with their values one a line, and tables made by `table`."""
    lines = "".join(
        f'<tr><th style="text-align:left;font-weight:normal;opacity:.65;vertical-align:top">{text(name)}</th>'
        f'<td style="text-align:left">{text(value)}</td></tr>'
        for name, value in facts.items()
    )
    body = f'<table style="border-collapse:collapse">{lines}</table>' if lines else ""
    return f"<div><strong><code>{text(title)}</code></strong>{body}{''.join(tables)}</div>"


def table(columns: Sequence[str], rows: Iterable[Sequence[object]], *, numbers: Iterable[str] = ()) -> str:
    """A table with these headings; the columns called `numbers` are aligned to the right."""
    right = set(numbers)
    sides = ["right;white-space:nowrap" if column in right else "left" for column in columns]
    head = "".join(
        f'<th style="text-align:{side}">{text(column)}</th>' for column, side in zip(columns, sides, strict=True)
    )
    body = "".join(
        "<tr>"
        + "".join(
            f'<td style="text-align:{side};font-variant-numeric:tabular-nums">{text(value)}</td>'
            for value, side in zip(row, sides, strict=True)
        )
        + "</tr>"
        for row in rows
    )
    return f'<table style="border-collapse:collapse"><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>'
