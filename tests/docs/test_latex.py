"""The document's lines as LaTeX: the grammar, and that every line and misprint is written in it."""

import re

import pytest

from docs.pages.latex import LETTERS, NAMED, latex
from manual_grads.derivations import CHAINS

TEXTS = [text for c in CHAINS for line in c.lines for text in (line.text, line.misprint and line.misprint.printed)]

COMMANDS = {f"\\{name}" for name in NAMED} | {command.strip() for command in LETTERS.values()}
COMMANDS |= {
    r"\frac",
    r"\cdot",
    r"\sum",
    r"\left",
    r"\right",
    r"\operatorname",
    r"\text",
    r"\mathsf",
    r"\neq",
    r"\quad",
}
COMMANDS |= {r"\lvert", r"\rvert"}


def spaced(latex):
    """LaTeX with a space only where one makes a difference after a command: before a letter."""
    return re.sub(r"(\\[A-Za-z]+) (?![A-Za-z])", r"\1", re.sub(" +", " ", latex))


@pytest.mark.smoke
@pytest.mark.parametrize(
    ("text", "expected"),
    {
        "a b / c": r"\frac{a b}{c}",
        "a b/c": r"a \frac{b}{c}",
        "−a/b · c": r"-\frac{a}{b} \cdot c",
        "(a + b) / (c − d)²": r"\frac{a + b}{\left(c - d\right)^{2}}",
        "(a)(b) / c": r"\frac{\left(a\right)\left(b\right)}{c}",
        "e^(−z)": "e^{-z}",
        "e^s_k/Σe^s_i": r"\frac{e^{s_{k}}}{\sum_{i} e^{s_{i}}}",
        "(Σe^s_i)⁻¹": r"\left(\sum_{i} e^{s_{i}}\right)^{-1}",
        "Σ_k I(y=k) ln g_k": r"\sum_{k} I\left(y = k\right) \ln g_{k}",
        "∂(B·σ(w))/∂x": r"\frac{\partial \left(B \cdot \sigma\left(w\right)\right)}{\partial x}",
        "∂/∂s_l (s_k)": r"\frac{\partial}{\partial s_{l}} \left(s_{k}\right)",
        "diag(σ')ᵀ xᵀ": r"\operatorname{diag}\left(\sigma'\right)^{\mathsf{T}} x^{\mathsf{T}}",
        "∂g_k/∂s_l, k ≠ l": r"\frac{\partial g_{k}}{\partial s_{l}},\quad k \neq l",
        "αBh": r"\alpha Bh",
        "e^|z|": r"e^{\left\lvert z\right\rvert }",
        "the share of R (once more)": r"\text{the share of }R\text{ (once more)}",
    }.items(),
)
def test_the_grammar(text, expected):
    assert spaced(latex(text)) == spaced(expected)


@pytest.mark.parametrize("text", [text for text in TEXTS if text])
def test_every_line_and_every_misprint_is_written_in_it(text):
    parsed = latex(text)
    assert parsed.count("{") == parsed.count("}")
    assert set(re.findall(r"\\[A-Za-z]+", parsed)) <= COMMANDS
    assert parsed.count(r"\left") == parsed.count(r"\right")
    # Nothing is lost: the letters and digits are those of the text, in its order but for an index that a sum is given.
    said = re.sub(r"\\sum_\{\w\} (?=e)", "", parsed)
    commands = r"frac|partial|cdot|sum|left|right|operatorname|text|mathsf\{T\}|neq|quad|dots|lvert|rvert"
    said = re.sub(rf"\\(?:{commands})(?![a-z])", "", said)
    for letter, command in LETTERS.items():
        said = re.sub(re.escape(command.strip()) + r"(?![a-z])", letter, said)
    said = re.sub(r"\\(ln|tanh)", r"\1", said)
    powers = str.maketrans("²⁻¹", "2 1")
    assert re.findall(r"\w", said) == re.findall(r"\w", re.sub(r"[Σᵀ…]", "", text).translate(powers))


@pytest.mark.parametrize("text", ["a +", "(a", "a b)", "a / ", "?", "", "e^"])
def test_what_cannot_be_read_is_told(text):
    with pytest.raises(ValueError, match=r"docs/pages/latex\.py"):
        latex(text)


@pytest.mark.smoke
def test_every_line_has_its_reason():
    for chain in CHAINS:
        for line in chain.lines:
            assert 3 < len(line.reason) < 110, line.text
            assert not line.reason.endswith("."), line.reason
