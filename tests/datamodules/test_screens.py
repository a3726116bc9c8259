"""The language of pix2code's pages: programs, what is wrong with others, tokens, HTML."""

import re

import pytest

from datamodules.components.screens import (
    END,
    MOST_TOKENS,
    PLACEHOLDER,
    START,
    TOKENS,
    ProgramError,
    compile_html,
    encode,
    parse,
    random_program,
    text_of,
    tokens_of,
    unparse,
)

PROGRAM = """\
header {
btn-inactive, btn-active
}
row {
single {
small-title, text, btn-green
}
}
row {
double {
small-title, text, btn-red
}
double {
small-title, text, btn-orange
}
}
"""


def test_the_vocabulary_has_nineteen_tokens() -> None:
    assert len(TOKENS) == len(set(TOKENS)) == 19
    assert [TOKENS[number] for number in (PLACEHOLDER, START, END)] == ["<placeholder>", "<start>", "<end>"]


def test_parsing_and_writing_is_a_fixed_point() -> None:
    assert unparse(parse(PROGRAM)) == PROGRAM
    crowded = re.sub(r"\s+", "", PROGRAM)
    assert unparse(parse(crowded)) == PROGRAM
    assert unparse(parse(PROGRAM.replace("\n", "\n   \n"))) == PROGRAM
    for number in range(50):
        program = random_program(3, number)
        assert unparse(parse(program)) == program


def test_tokens_and_back() -> None:
    tokens = tokens_of(PROGRAM)
    names = [TOKENS[token] for token in tokens]
    assert names[:9] == ["header", "{", "\n", "btn-inactive", ",", "btn-active", "\n", "}", "\n"]
    assert names.count("{") == names.count("}") == 6
    assert text_of(tokens) == PROGRAM
    row = encode(PROGRAM)
    assert row.shape == (MOST_TOKENS + 2,)
    assert row[0] == START
    assert row[len(tokens) + 1] == END
    assert not row[len(tokens) + 2 :].any()
    assert text_of(row.tolist()) == PROGRAM
    with pytest.raises(ProgramError, match=r"it has \d+ tokens, and 10 are the most"):
        encode(PROGRAM, 10)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "it does not begin with a header"),
        ("row { }", "it does not begin with a header"),
        ("header { btn-active }", "it has no row"),
        ("header { } row { }", "a header is empty"),
        ("header {\nbtn-active\n}\n}\n", "line 4: a brace closes that was never opened"),
        ("header {\nbtn-active\n", "line 1: a brace is never closed"),
        ("header {\nbtn-active\n}\nrow {\nsingle {\n}", "line 4: a brace is never closed"),
        ("header {\nbtn-blue\n}", "line 2: 'btn-blue' is no name of the language"),
        ("header {\n<start>\n}", "line 2: '<start>' is no name"),
        ("header {\nbtn-active btn-active\n}", "line 2: 'btn-active' and 'btn-active' have no comma between them"),
        ("header {\n, btn-active\n}", "line 2: a comma follows no name"),
        ("{ }", "line 1: a brace opens after no name"),
        ("header { row } row { }", "a header holds btn-active, btn-inactive, and one has 'row'"),
        ("header { btn-active } header { btn-active }", "after the header come rows, and there is 'header'"),
        ("header { btn-active } row { text }", "a row holds single, double, quadruple, and one has 'text'"),
        ("header { btn-active } row { single { text } }", r"a single holds .* one has \['text'\]"),
        ("a" * (1 << 17), "longer than 65536 characters"),
        ("header { " * 5000, "a brace is never closed"),
    ],
)
def test_what_is_no_program_is_told(text: str, message: str) -> None:
    for use in (parse, compile_html):
        with pytest.raises(ProgramError, match=message):
            use(text)


def test_random_programs_are_a_function_of_seed_and_number() -> None:
    programs = [random_program(0, number) for number in range(300)]
    assert programs == [random_program(0, number) for number in range(300)]
    assert len(set(programs)) > 280
    assert programs[0] != random_program(1, 0)
    lengths = [len(tokens_of(program)) for program in programs]
    assert max(lengths) <= MOST_TOKENS
    assert max(lengths) > 120
    used = {token for program in programs for token in tokens_of(program)}
    assert used == set(range(3, 19))
    # The cells of every row fill its width.
    for program in programs:
        for row in parse(program)[1:]:
            assert sum({"single": 12, "double": 6, "quadruple": 3}[cell.name] for cell in row.children) == 12


def test_a_page_has_what_its_program_says() -> None:
    page = compile_html(PROGRAM, seed=1)
    assert page == compile_html(PROGRAM, seed=1)
    assert page != compile_html(PROGRAM, seed=2)
    body = page.partition("<body>")[2]
    assert re.findall(r"<li(.*?)><a", body) == ["", ' class="active"']
    assert re.findall(r"width: (\S+?)\"", body) == ["100%", "50%", "50%"]
    assert re.findall(r"btn (btn-\w+)", body) == ["btn-green", "btn-red", "btn-orange"]
    assert [len(title) for title in re.findall(r"<h4>(.*?)</h4>", body)] == [5] * 3
    words = re.findall(r"<p>(.*?)</p>", body)
    assert [len(text) for text in words] == [56] * 3
    assert all(text.count(" ") <= 7 for text in words)
    assert [len(label) for label in re.findall(r'href="#">(\w+)</a>', body)] == [10] * 5
    assert "http" not in page
