"""The language of pix2code's web pages: its programs, their tokens, a random source of them, and their HTML.

Beltramelli, 2017, arXiv 1705.07962. A program is a tree of blocks::

    program := header "{" nav ("," nav)* "}" row+
    nav     := btn-active | btn-inactive
    row     := row "{" cell+ "}"
    cell    := (single | double | quadruple) "{" small-title "," text "," btn "}"
    btn     := btn-green | btn-orange | btn-red

The cells of a row fill its width: a single all of it, a double half, a quadruple a quarter.
"""

from __future__ import annotations

import html
import re
import string
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import torch
from torch import Tensor

NAVS = ("btn-active", "btn-inactive")
BUTTONS = ("btn-green", "btn-orange", "btn-red")
WIDTHS = {"single": 12, "double": 6, "quadruple": 3}
"""Columns of twelve that a cell takes."""
TOKENS = (
    *("<placeholder>", "<start>", "<end>", "{", "}", ",", "\n"),
    *("header", *NAVS, "row", *WIDTHS, "small-title", "text", *BUTTONS),
)
"""The vocabulary, in the order of the tokens' numbers."""
PLACEHOLDER, START, END = range(3)
MOST_TOKENS = 150
"""Tokens of the longest program, as the authors decode them, without its start and its end."""

_NUMBERS = {token: number for number, token in enumerate(TOKENS)}
_WORD = re.compile(r"[^\s{},]+|[{},\n]|[^\S\n]+")
_LONGEST_TEXT = 1 << 16


class ProgramError(ValueError):
    """A text is no program of the language. The message says what is wrong, and in which line."""


@dataclass
class Block:
    """A block with its children, or a leaf, which has none."""

    name: str
    children: list[Block] = field(default_factory=list)


def parse(text: str) -> list[Block]:
    """Read a program: the header, and the rows.

    Raises:
        ProgramError: A brace has no partner, a name is unknown, or stands where the language has none such.
    """
    if len(text) > _LONGEST_TEXT:
        raise ProgramError(f"it is longer than {_LONGEST_TEXT} characters")
    blocks = _tree(text)
    if not blocks or blocks[0].name != "header":
        raise ProgramError("it does not begin with a header")
    _check_children(blocks[0], "header", NAVS)
    if len(blocks) == 1:
        raise ProgramError("it has no row")
    for row in blocks[1:]:
        if row.name != "row":
            raise ProgramError(f"after the header come rows, and there is {row.name!r}")
        _check_children(row, "row", WIDTHS)
        for cell in row.children:
            names = [leaf.name for leaf in cell.children]
            if names[:2] != ["small-title", "text"] or len(names) != 3 or names[2] not in BUTTONS:
                raise ProgramError(f"a {cell.name} holds small-title, text and a button, and one has {names}")
    return blocks


def _check_children(block: Block, name: str, allowed: Sequence[str] | dict[str, int]) -> None:
    if not block.children:
        raise ProgramError(f"a {name} is empty")
    for child in block.children:
        if child.name not in allowed:
            raise ProgramError(f"a {name} holds {', '.join(allowed)}, and one has {child.name!r}")


def _tree(text: str) -> list[Block]:
    """Blocks by their braces."""
    top = Block("")
    path = [top]
    opened: list[int] = []
    waiting: Block | None = None  # a name that a brace may follow
    for line, word in _words(text):
        if word == "{":
            if waiting is None:
                raise ProgramError(f"line {line}: a brace opens after no name")
            path.append(waiting)
            opened.append(line)
            waiting = None
        elif word == "}":
            if not opened:
                raise ProgramError(f"line {line}: a brace closes that was never opened")
            path.pop()
            opened.pop()
            waiting = None
        elif word == ",":
            if waiting is None:
                raise ProgramError(f"line {line}: a comma follows no name")
            waiting = None
        else:
            if waiting is not None:
                raise ProgramError(f"line {line}: {waiting.name!r} and {word!r} have no comma between them")
            waiting = Block(word)
            path[-1].children.append(waiting)
    if opened:
        raise ProgramError(f"line {opened[-1]}: a brace is never closed")
    return top.children


def _words(text: str) -> list[tuple[int, str]]:
    """Names, braces and commas with the number of their line.

    Raises:
        ProgramError: A name is unknown.
    """
    words = []
    for number, line in enumerate(text.split("\n"), 1):
        for word in _WORD.findall(line):
            if word.isspace():
                continue
            if word not in _NUMBERS or word.startswith("<"):
                raise ProgramError(f"line {number}: {word[:40]!r} is no name of the language")
            words.append((number, word))
    return words


def unparse(blocks: Sequence[Block]) -> str:
    """Write a program as the authors' files have it: a line for each brace and for each list of leaves."""
    lines: list[str] = []
    for block in blocks:
        lines.append(f"{block.name} {{")
        if any(child.children for child in block.children):
            lines += unparse(block.children).splitlines()
        else:
            lines.append(", ".join(child.name for child in block.children))
        lines.append("}")
    return "\n".join(lines) + "\n"


def tokens_of(text: str) -> list[int]:
    """Tokens of a text, which need be no whole program; blanks separate tokens and are left out.

    Raises:
        ProgramError: It has a name that is unknown.
    """
    numbers = []
    for number, line in enumerate(text.rstrip("\n").split("\n"), 1):
        if number > 1:
            numbers.append(_NUMBERS["\n"])
        numbers += [_NUMBERS[word] for _, word in _words(line)]
    return numbers


def text_of(tokens: Sequence[int]) -> str:
    """The text of tokens up to the first end, program or not; starts and placeholders are left out."""
    words = []
    for token in tokens:
        if token == END:
            break
        if token not in (PLACEHOLDER, START):
            words.append(TOKENS[token])
    text = " ".join(words).replace(" ,", ",").replace(" \n", "\n").replace("\n ", "\n")
    return text.strip(" ") + "\n"


def encode(text: str, length: int = MOST_TOKENS) -> Tensor:
    """Tokens of a program from its start to its end, then placeholders: int64, (length + 2,).

    Raises:
        ProgramError: It is longer.
    """
    numbers = tokens_of(text)
    if len(numbers) > length:
        raise ProgramError(f"it has {len(numbers)} tokens, and {length} are the most")
    row = torch.full((length + 2,), PLACEHOLDER)
    row[: len(numbers) + 2] = torch.tensor([START, *numbers, END])
    return row


def random_program(seed: int, number: int) -> str:
    """Draw program ``number`` of the sequence given by ``seed``: one to five buttons in the header, one to four rows.

    A row is equally likely to be of a single, of two doubles, of four quadruples, or of a double and two quadruples in
    any order. Programs of more than ``MOST_TOKENS`` tokens are drawn again.
    """
    random = np.random.default_rng((seed, number))
    while True:
        navs = [Block(str(name)) for name in random.choice(NAVS, random.integers(1, 6))]
        rows = [Block("row", _random_cells(random)) for _ in range(random.integers(1, 5))]
        text = unparse([Block("header", navs), *rows])
        if len(tokens_of(text)) <= MOST_TOKENS:
            return text


def _random_cells(random: np.random.Generator) -> list[Block]:
    kinds = [["single"], ["double"] * 2, ["quadruple"] * 4, ["double", "quadruple", "quadruple"]]
    names = kinds[random.integers(len(kinds))]
    leaves = ("small-title", "text")
    return [
        Block(str(name), [*map(Block, leaves), Block(str(random.choice(BUTTONS)))])
        for name in random.permutation(names)
    ]


_PAGE = """\
<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<title>{title}</title>
<style>
* {{ box-sizing: border-box; }}
body {{ margin: 0; padding: 16px; font: 14px/1.42 Helvetica, Arial, sans-serif; color: #333; background: #fff; }}
ul {{ list-style: none; margin: 0 0 16px; padding: 0; display: flex; border-bottom: 1px solid #e5e5e5; }}
li a {{ display: block; padding: 10px 14px; color: #337ab7; border-radius: 4px; text-decoration: none; }}
li.active a {{ color: #fff; background: #337ab7; }}
.row {{ display: flex; flex-wrap: wrap; margin: 0 -8px 8px; }}
.col {{ padding: 8px; overflow-wrap: anywhere; }}
.col > div {{ padding: 12px; background: #f3f3f3; border-radius: 4px; }}
h4 {{ margin: 0 0 8px; font-size: 18px; font-weight: 500; }}
p {{ margin: 0 0 10px; }}
.btn {{ display: inline-block; padding: 6px 12px; color: #fff; border-radius: 4px; text-decoration: none; }}
.btn-green {{ background: #5cb85c; }}
.btn-orange {{ background: #f0ad4e; }}
.btn-red {{ background: #d9534f; }}
</style>
</head>
<body>
{body}
</body>
</html>
"""


def compile_html(text: str, seed: int = 0) -> str:
    """Compile a program to a page of HTML that needs no other file.

    Leaves get random letters: 10 on buttons, 5 in titles, 56 with up to 7 blanks in texts. The authors' pages load
    Bootstrap 3; the style of these has its grid of twelve columns and its colours.

    Args:
        text: The program.
        seed: Of the letters.

    Raises:
        ProgramError: It is no program.
    """
    header, *rows = parse(text)
    random = np.random.default_rng(seed)
    navs = []
    for nav in header.children:
        active = ' class="active"' if nav.name == "btn-active" else ""
        navs.append(f'<li{active}><a href="#">{_letters(random, 10)}</a></li>')
    lines = ["<ul>", *navs, "</ul>"]
    for row in rows:
        cells = [_cell(cell, random) for cell in row.children]
        lines += ['<div class="row">', *cells, "</div>"]
    return _PAGE.format(title=html.escape(f"{len(rows)} rows"), body="\n".join(lines))


def _cell(cell: Block, random: np.random.Generator) -> str:
    width = f"{100 * WIDTHS[cell.name] / 12:g}%"
    title, words, label = (_letters(random, 5), _letters(random, 56, 7), _letters(random, 10))
    button = cell.children[2].name
    return (
        f'<div class="col" style="width: {width}"><div><h4>{title}</h4><p>{words}</p>'
        f'<a class="btn {button}" href="#">{label}</a></div></div>'
    )


def _letters(random: np.random.Generator, count: int, blanks: int = 0) -> str:
    """Random letters, some of them replaced by blanks."""
    letters = random.choice(list(string.ascii_letters), count)
    if blanks:
        letters[random.integers(0, count, random.integers(0, blanks + 1))] = " "
    return "".join(letters)
