"""The pages that are made from the code: complete, true to it, and not made where something is wrong."""

import inspect
import re
from pathlib import Path

import numpy as np
import pytest

import manual_grads as mg
from docs.pages import accuracy, bounds, copies, document, fate, reference
from manual_grads import checking, nn, rules
from manual_grads.accuracy import bounds as derived
from manual_grads.accuracy.promises import PROMISES
from manual_grads.derivations import CHAINS, task18, task19_1, task19_2, task21
from manual_grads.derivations.lines import Line
from manual_grads.derivations.verdicts import LineVerdict
from manual_grads.formulas.textbook import textbook_form
from manual_grads.rules import FLOATS

LINES = [(chain, line) for chain in CHAINS for line in chain.lines]


@pytest.mark.smoke
def test_every_chain_is_on_a_page():
    of_pages = [chain for modules in document.pages().values() for module in modules for chain in module.CHAINS]
    assert of_pages == list(CHAINS)


@pytest.mark.parametrize(("chain", "line"), LINES, ids=[f"{chain.task} {line.text}" for chain, line in LINES])
def test_the_code_beside_a_line_is_the_line_s(chain, line):
    for function in (line.value, line.misprint and line.misprint.value):
        if function and function.__name__ == "<lambda>":
            shown = eval(document.source(function), function.__globals__)
            assert shown.__code__.co_code == function.__code__.co_code
            assert [str(const) for const in shown.__code__.co_consts if not inspect.iscode(const)] == [
                str(const) for const in function.__code__.co_consts if not inspect.iscode(const)
            ]
            assert shown.__code__.co_names == function.__code__.co_names
        elif function:
            names = {}
            exec(document.source(function), function.__globals__, names)
            assert names[function.__name__].__code__.co_code == function.__code__.co_code


def test_a_page_has_every_line_with_its_reason_and_its_misprint(tmp_path):
    page = "\n".join(document.page("task19", [task19_2], tmp_path))
    for line in task19_2.LOGLOSS_GRADIENT.lines:
        assert document.latex(line.text) in page
        assert document.sentence(line.reason) in page
        assert document.source(line.value) in page
        if line.misprint:
            assert document.latex(line.misprint.printed) in page
            assert line.misprint.why in page
    assert page.count("✓ proved for every K, by [merging](../every-size.md)") == 6
    assert "{py:func}`manual_grads.logloss_grad`, of line 19.2:\n\n```python\ndef logloss_grad(g, y):\n" in page


@pytest.mark.smoke
def test_every_misprint_is_in_their_table():
    page = "\n".join(document.misprints())
    for chain, line in LINES:
        if line.misprint:
            row = f"| {chain.task} | ${document.latex(line.misprint.printed)}$ | ${document.latex(line.text)}$ |"
            assert row in page
    assert document.MISPRINTS.read_text(encoding="utf-8") == f"{page}\n", "run: python -m docs.pages.document"


@pytest.mark.smoke
def test_every_public_function_is_in_the_reference_s_table_with_its_formula():
    rows = dict(re.findall(r"^\| \{py:func\}`~manual_grads\.(\w+)` \| (.*?) \|", "\n".join(reference.overview()), re.M))
    assert sorted(rows) == sorted(mg.__all__)
    assert all(formula.count("$") >= 2 for formula in rows.values())


@pytest.mark.smoke
def test_no_page_is_made_of_what_is_false():
    false = LineVerdict(
        task="18", line=Line("1 = 0", abs), proved=False, confirmed=True, float64_error=0.0, refuted=None
    )
    with pytest.raises(ValueError, match="1 = 0 is judged FALSE"):
        document.said(false)


@pytest.mark.smoke
def test_the_arguments_have_a_page():
    page = "\n".join(document.arguments())
    assert "Merging: each of two neighbouring lines" in page
    assert "Induction: let them be equal for some K ≥ m + 1" in page
    assert "for vectors and matrices of any size" in page


def test_the_fate_of_lines_is_that_of_the_textbook():
    curves = fate.curves(task18.SIGMOID_DERIVATIVE)
    assert curves
    error = [fate.largest_errors(line, curves.numbers, curves.truth) for line in curves.lines]
    middles = curves.numbers.reshape(len(error[0]), -1).mean(1)
    at = [int(np.abs(middles - z).argmin()) for z in (-95, -60, 10, 60)]
    texts = [line.text for line in task18.SIGMOID_DERIVATIVE.lines]
    squared, last = texts.index("e^(−z) / (1 + e^(−z))²"), texts.index("σ·(1 − σ)")
    assert error[squared][at[0]] == fate.NAN
    assert error[squared][at[1]] > fate.ALL_WRONG / 2  # a result of 0 is wrong by 2²³ to 2²⁴ ULP
    assert error[squared][at[2]] < 5 > error[squared][at[3]]
    assert error[last][at[1]] < 5
    assert error[last][at[3]] > fate.ALL_WRONG / 2


def test_a_line_of_a_margin_has_a_picture_and_one_of_a_network_none(tmp_path):
    curves = fate.curves(task19_1.SOFTMAX_JACOBIAN)
    assert curves
    assert curves.label == "margin m"
    fate.draw(curves, 1, tmp_path / "a.svg")
    fate.draw(curves, 1, tmp_path / "b.svg")
    assert (tmp_path / "a.svg").read_bytes() == (tmp_path / "b.svg").read_bytes()
    assert fate.curves(task21.LOSS) is None


@pytest.mark.smoke
@pytest.mark.parametrize("module", [mg, nn, checking, rules], ids=lambda module: module.__name__)
def test_every_public_name_is_in_the_reference(module):
    page = "\n".join(reference.module_page(module))
    names = reference.public(module)
    assert len(names) >= 4
    for name in names:
        assert re.search(rf"^````\{{py:(?:function|class)\}} {name}\b", page, re.M), name


@pytest.mark.smoke
def test_beside_a_derivative_is_the_textbook_s_code():
    page = "\n".join(reference.module_page(mg))
    assert "def softmax_jacobian(s):\n    g = softmax(s)\n    return jnp.diag(g) - jnp.outer(g, g)\n```" in page
    assert page.count("**In a textbook's code**") == sum(bool(textbook_form(rule)) for rule in rules.RULES.values())


def undocumented(x): ...


def half_documented(x, y):
    """Says something.

    Args:
        x: of this argument alone.
    """


@pytest.mark.smoke
def test_what_a_docstring_lacks_stops_the_build():
    with pytest.raises(ValueError, match="undocumented has no docstring"):
        list(reference.described("a", "undocumented", undocumented))
    with pytest.raises(ValueError, match="half_documented says nothing of y"):
        list(reference.described("a", "half_documented", half_documented))


@pytest.mark.smoke
def test_the_measured_accuracy_is_of_every_promise_and_kept_it():
    rows = accuracy.results()["rows"]
    assert [(row["name"], row["dtype"]) for row in rows] == [
        (name, dtype) for name in accuracy.measurable() for dtype in FLOATS
    ]
    for row in rows:
        assert row["passed"]
        assert row["by_hand"]["ulp"] <= row["by_hand"]["bound"]
        if row["dtype"] in ("float32", "float64") and PROMISES[row["name"]].magnitude is None:
            promise = PROMISES[row["name"]]
            promised = (promise.ulp64 if row["dtype"] == "float64" else None) or promise.ulp
            assert promised is not None
            assert row["by_hand"]["bound"] == min(promised, row["derived"])
    page = "\n".join(accuracy.tables())
    assert page.count("| `sigmoid_grad` |") == len(FLOATS)
    assert "at most 2.5 ULP" in accuracy.measured("sigmoid_grad")
    assert set(accuracy.measurable()) == set(PROMISES)


@pytest.mark.smoke
def test_the_bounds_are_told_by_their_terms():
    page = "\n".join(bounds.tables())
    for name in (*derived.OF_NUMBERS, *derived.OF_ROWS):
        assert page.count(f"| `{name}` |") >= 2 + 2, name  # terms, sums, and both formats of what was found
        for term in derived.derivation(name, "float32", bounds.SHOWN_CLASSES):
            assert f"{term.size:.3g} ({term.name})" in page.replace("\\|", "|") or not term.size


@pytest.mark.smoke
def test_a_copy_s_links_are_those_of_its_place():
    root, page = copies.ROOT, copies.DOCS / "generated" / "page.md"
    text = "[a](docs/sharding.md#x) [b](tests/docs) ![c](docs/images/sigmoid-grad.png) [d](https://e.org)"
    text += " [e](CONTRIBUTING.md)"
    linked = copies.relinked(f"{text}\n\n```md\n[f](nowhere)\n```\n", root / "README.md", page)
    assert linked.startswith(
        "[a](../sharding.md#x) b ![c](../images/sigmoid-grad.png) [d](https://e.org) [e](contributing.md)\n"
    )
    assert "[f](nowhere)" in linked
    with pytest.raises(ValueError, match=r"README.md links to gone\.md, which isn't there"):
        copies.relinked("[a](gone.md)", Path(root / "README.md"), page)
