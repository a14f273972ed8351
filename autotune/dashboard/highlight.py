"""Python source with its comments, texts, keywords and numbers told apart."""

import io
import keyword
import tokenize
from itertools import groupby

from dash import html
from dash.development.base_component import Component

_CLASSES = {tokenize.COMMENT: "comment", tokenize.STRING: "string", tokenize.NUMBER: "figure"}


def python(text: str) -> list[Component | str]:
    """The text in pieces, those of a kind marked; what is no Python stays in one piece."""
    try:
        tokens = list(tokenize.generate_tokens(io.StringIO(text).readline))
    except (tokenize.TokenError, SyntaxError):
        return [text]
    starts = [0]
    for line in text.splitlines(keepends=True):
        starts.append(starts[-1] + len(line))
    kinds: list[str | None] = [None] * len(text)
    for token in tokens:
        kind = "keyword" if keyword.iskeyword(token.string) else _CLASSES.get(token.type)
        if kind is not None:
            begin = starts[token.start[0] - 1] + token.start[1]
            kinds[begin : begin + len(token.string)] = [kind] * len(token.string)
    pieces: list[Component | str] = []
    place = 0
    for kind, group in groupby(kinds):
        piece = text[place : place + len(list(group))]
        place += len(piece)
        pieces.append(html.Span(piece, className=kind) if kind else piece)
    return pieces
