"""How wide the output is, what a table leaves out where it is narrow, and what JSON holds."""

import fcntl
import io
import json
import os
import pty
import struct
import termios

import numpy as np
import pytest
from rich.cells import cell_len
from rich.table import Table

from manual_grads.accuracy.survey import Measured, Worst
from manual_grads.checking.report import wrapped
from manual_grads.checking.verify import RuleVerdict
from manual_grads.commands import accuracy, lines, printing, train, verify
from manual_grads.commands.printing import Column
from manual_grads.derivations import CHAINS
from manual_grads.derivations.verdicts import LineVerdict
from manual_grads.rules import FLOATS, RULES
from manual_grads.training.comparison import Comparison
from manual_grads.training.digits import Run
from manual_grads.training.large import Large
from manual_grads.training.words import Run as RunOnWords
from manual_grads.training.words import Words


@pytest.fixture
def terminal():
    """Makes terminals of some width."""
    opened = []

    def of(columns):
        leader, follower = pty.openpty()
        fcntl.ioctl(follower, termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))
        opened.extend([os.fdopen(leader, "rb", buffering=0), os.fdopen(follower, "w")])
        return opened[-1]

    yield of
    for stream in opened:
        stream.close()


@pytest.mark.parametrize(
    ("asked", "columns", "width"),
    [
        (None, 73, 73),
        ("90", 73, 90),  # what is asked for counts more than what there is
        ("0", 73, 73),
        ("wide", 73, 73),
        ("-5", 73, 73),
        (None, 0, 80),  # a terminal that doesn't know
        ("1", 73, printing.NARROWEST),
        ("²", 73, 73),  # a digit, and no number
        ("9" * 5000, 73, 73),
    ],
)
def test_the_width_of_a_terminal(asked, columns, width, terminal, monkeypatch):
    monkeypatch.delenv("COLUMNS", raising=False)
    if asked is not None:
        monkeypatch.setenv("COLUMNS", asked)
    assert printing.width_of(terminal(columns), otherwise=120) == width


@pytest.mark.parametrize("variable", ["COLUMNS", "LINES"])
def test_a_console_where_a_size_is_no_number(variable, monkeypatch):
    monkeypatch.setenv(variable, "²")
    assert printing.console(io.StringIO(), otherwise=77).width == 77


def test_the_width_of_a_file(monkeypatch):
    monkeypatch.delenv("COLUMNS", raising=False)
    assert printing.width_of(io.StringIO(), otherwise=120) == 120
    monkeypatch.setenv("COLUMNS", "66")
    assert printing.width_of(io.StringIO(), otherwise=120) == 66


def test_a_dumb_terminal_is_as_wide_as_it_is(terminal, monkeypatch):
    monkeypatch.delenv("COLUMNS", raising=False)
    monkeypatch.setenv("TERM", "dumb")
    stream = terminal(50)
    assert printing.console(stream).width == 50
    assert not printing.is_terminal(stream)


@pytest.mark.parametrize(("variable", "coloured"), [({}, True), ({"NO_COLOR": "1"}, False), ({"TERM": "dumb"}, False)])
def test_colours_are_for_terminals_that_want_them(variable, coloured, terminal, monkeypatch):
    for name in ("NO_COLOR", "FORCE_COLOR", "COLORTERM"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("TERM", "xterm-256color")
    for name, value in variable.items():
        monkeypatch.setenv(name, value)
    out = printing.console(terminal(80))
    with out.capture() as printed:
        out.print(printing.mark(True))
    assert ("\x1b[32m" in printed.get()) == coloured
    assert "✓" in printed.get()


RULE = [RULES["softmax_cross_entropy_hessian"], RULES["sigmoid"], RULES["two_layer_jacobians"]]
WORST = Worst(2.3456, 12.0, 100_000, "spread 80", 12345, (np.zeros(3),))
RUNS = {name: Run([2.3, 0.1], 0.97, 0.001) for name in ("by hand", "jax.grad of the plain network")}
MANY = Large({"nn.linear_softmax_cross_entropy": [9.1, 3.2]}, {"nn.linear_softmax_cross_entropy": 10**7})
WORDS = Words(4444, 0.3, 5.5, {name: RunOnWords([8.5, 4.5], 4.1, 0.25, 10**7) for name in MANY.losses})


MEASURED = [
    Measured(rule=r, dtype=d, inputs=2**32, derived=14.2, by_hand=WORST, autodiff={"plain": WORST, "jax.nn": WORST})
    for r in RULE
    for d in FLOATS
]


def line_verdicts():
    return [LineVerdict(chain.task, line, True, True, 0.0, True) for chain in CHAINS for line in chain.lines]


def printed_at(width, *tables_of):
    stream = io.StringIO()
    out = printing.console(stream, otherwise=width)
    for table_of in tables_of:
        tables = table_of(out)
        out.print(*(tables if hasattr(tables, "__iter__") else [tables]), sep="\n")
    return stream.getvalue().splitlines()


@pytest.mark.parametrize("width", [40, 60, 80, 100, 120])
def test_tables_can_be_read_at_any_width(width, monkeypatch):
    monkeypatch.delenv("COLUMNS", raising=False)
    found = printed_at(
        width,
        lambda out: verify._rules_table(out, [RuleVerdict(rule, [], []) for rule in RULE]),
        lambda out: accuracy.table(out, MEASURED),
        lambda out: train._digits_table(out, Comparison(RUNS, [0.0], MANY, [0.0], WORDS, [0.0], 0.96)),
        lambda out: train._large_table(out, MANY),
        lambda out: train._words_table(out, WORDS),
        lambda out: lines.misprints_table(out, line_verdicts()),
    )
    assert max(cell_len(line) for line in found) <= width
    of_training = [(name, 1) for name in RUNS] + [(name, 2) for name in MANY.losses]
    for name, times in [(rule.name, 1 + len(FLOATS)) for rule in RULE] + of_training:
        of_it = [line for line in found if f" {name} " in f" {line} "]
        assert len(of_it) >= times, name  # no name is broken
    ticks = [line for line in found if "✓" in line]
    assert len(ticks) == len(RULE) * (1 + len(FLOATS)) + len(RUNS) + len(WORDS.runs)


@pytest.mark.parametrize("width", [30, 60, 80, 100, 120])
def test_a_caption_explains_what_is_shown_and_nothing_else(width, monkeypatch):
    monkeypatch.delenv("COLUMNS", raising=False)
    printed = printed_at(width, lambda out: accuracy.table(out, MEASURED))
    said = " ".join(" ".join(printed).split())
    headings = said.partition("✓")[0]
    explained = {"bound": "~: in ULP", "plain": "plain: JAX's", "jax.nn": "jax.nn: JAX's", "0s": "0s: results of"}
    explained |= {"derived": "derived: what no input", "/derived": "/derived: the error"}
    for heading, explanation in explained.items():
        assert (explanation in said) == (heading in headings.split() or f"{heading}," in headings.split()), heading
    assert "∞: NaN." in said


LONG = " ".join(f"word{i}" for i in range(60))
CODE = "import jax; from functools import partial; " + "; ".join(f"x{i} = {i}" for i in range(40))


@pytest.mark.parametrize("width", [40, 60, 80, 99, 100, 120])
def test_a_failure_is_wrapped_once_and_its_code_never(width):
    first, *rest = wrapped(f"1. {LONG}", "     ")  # as causes are
    text = "\n".join(["", "a fails", *wrapped(LONG, "  "), f"  {CODE}", "diagnosis:", first[3:], *rest, "  end"])
    out = printing.console(io.StringIO(), otherwise=width)
    with out.capture() as printed:
        printing.print_failure(out, text)
    found = printed.get().splitlines()
    assert f"  {CODE}" in found
    others = [line for line in found if line != f"  {CODE}"]
    assert max(map(len, others)) <= width
    assert " ".join(printed.get().split()) == " ".join(text.split())
    ragged = [line for line in others if "word" in line and "word59" not in line and len(line) < min(width, 100) - 10]
    assert not ragged
    assert found[-1] == "  end" and "diagnosis:" in found and "a fails" in found


@pytest.mark.smoke
def test_columns_are_left_out_one_after_the_other():
    columns = Column("name"), Column("less", spare=2), Column("least", spare=3), Column("more", spare=1)
    row = [("a" * 10, "b" * 10, "c" * 10, "d" * 10)]
    headings = {}
    for width in range(24, 60):
        out = printing.console(io.StringIO(), otherwise=width)
        table = printing.fitting(out, columns, row, by=None)
        assert isinstance(table, Table)
        headings[width] = [column.header for column in table.columns]
        left_out = [name for name in ("less", "least", "more") if name not in headings[width]]
        assert table.caption == (f"Not shown in {width} columns: {', '.join(left_out)}." if left_out else None)
        with out.capture() as printed:
            out.print(table)
        assert printed.get().count("a" * 10) == 1
    assert list(dict.fromkeys(map(tuple, headings.values()))) == [
        ("name",),
        ("name", "more"),
        ("name", "less", "more"),
        ("name", "less", "least", "more"),
    ]
    assert len(headings[4 * 13 + 1]) == 4 and len(headings[4 * 13]) == 3


def test_a_long_cell_is_folded_not_left_out():
    out = printing.console(io.StringIO(), otherwise=40)
    table = printing.fitting(out, (Column("a"), Column("b", spare=1, folds_at=12)), [("x", "y" * 100)], by=None)
    assert isinstance(table, Table)
    assert [column.header for column in table.columns] == ["a", "b"]


def test_json_has_no_number_that_json_lacks(capsys):
    printing.print_json(command="x", found={"a": [float("nan"), float("inf"), 1.5], "b": (2, None, True)}, line="σ")

    def refuse(constant):
        raise AssertionError(constant)

    found = json.loads(capsys.readouterr().out, parse_constant=refuse)
    assert found["found"] == {"a": [None, None, 1.5], "b": [2, None, True]}
    assert found["line"] == "σ"
    assert found["versions"]["manual-grads"]
