r"""A line of the document as LaTeX: `Line.text`, which is typed once, parsed by the grammar that it is written in.

From the loosest to the tightest: a comma before a condition, relations, sums, `·`, a quotient with spaces around its
slash, a product without a sign, a quotient without spaces. So `a b / c` is
$\frac{ab}{c}$, and `a b/c` is $a\frac{b}{c}$.
"""

import re
from collections.abc import Callable

TOKEN = re.compile(
    r"(?P<space>\s*)(?P<token>∂/∂(?=\w)|[A-Za-z]+(?:-[a-z]+)+|[A-Za-z]+|\d+(?:\.\d+)?|[⁻⁺]?[⁰¹²³⁴-⁹]|\S)"
)
LETTERS = {
    "σ": r"\sigma",
    "δ": r"\delta",
    "ε": r"\varepsilon",
    "λ": r"\lambda",
    "τ": r"\tau",
    "α": r"\alpha",
    "β": r"\beta",
    "γ": r"\gamma",
    "μ": r"\mu",
    "∞": r"\infty",
    "∂": r"\partial",
    "…": r"\dots",
}
OPERATORS = {"·": r" \cdot ", "∘": r" \circ ", "×": r" \times ", "*": r" \cdot "}
RELATIONS = {"=": " = ", "≠": r" \neq ", "≤": r" \leq ", "≥": r" \geq ", "<": " < ", ">": " > ", "≈": r" \approx "}
SIGNS = {"+": " + ", "−": " - ", "-": " - ", "±": r" \pm "}
POWERS = str.maketrans("⁻⁺⁰¹²³⁴⁵⁶⁷⁸⁹", "-+0123456789")
NAMED = ("ln", "log", "exp", "tanh", "cosh", "sinh", "max", "min", "det")
PROSE = re.compile(r"(?P<before>(?:[A-Za-z][\w'-]* )+of )?(?P<line>.*?)(?P<after> \([a-z]+(?: [a-z]+)+\))?")


def latex(text: str) -> str:
    """A line of the document as LaTeX.

    Raises:
        ValueError: if the text isn't written in the grammar above: which one, and where it stops to be.
    """
    parts = PROSE.fullmatch(text)
    assert parts
    parsed = _Parser(parts["line"]).whole()
    for words, template in ((parts["before"], "{0}{1}"), (parts["after"], "{1}{0}")):
        if words:
            parsed = template.format(rf"\text{{{words}}}", parsed)
    return parsed


class _Parser:
    """Recursive descent over the tokens of a text, each with whether a space comes before it."""

    def __init__(self, text: str) -> None:
        self.text, self.at = text, 0
        self.tokens = [(match["token"], bool(match["space"])) for match in TOKEN.finditer(text)]

    def whole(self) -> str:
        """The whole text, with what is said of it after commas."""
        parsed = self.listed(r",\quad ")
        if self.token:
            raise ValueError(f"{self.text!r} can't be read as mathematics from {self.token!r} on (docs/pages/latex.py)")
        return parsed

    @property
    def token(self) -> str:
        """The next token; nothing at the end."""
        return self.tokens[self.at][0] if self.at < len(self.tokens) else ""

    @property
    def spaced(self) -> bool:
        """Whether a space comes before the next token."""
        return self.at < len(self.tokens) and self.tokens[self.at][1]

    def take(self) -> str:
        """The next token, which is then behind."""
        self.at += 1
        return self.tokens[self.at - 1][0]

    def listed(self, comma: str = ", ") -> str:
        """Relations between commas."""
        parsed = self.joined(self.sum, RELATIONS)
        while self.token == ",":
            self.take()
            parsed += comma + self.joined(self.sum, RELATIONS)
        return parsed

    def joined(self, part: Callable[[], str], signs: dict[str, str]) -> str:
        """Parts with such signs between them."""
        parsed = part()
        while self.token in signs:
            parsed += signs[self.take()] + part()
        return parsed

    def sum(self) -> str:
        """Terms with + and − between them, and perhaps a sign before the first."""
        sign = SIGNS[self.take()].strip() if self.token in SIGNS else ""
        return sign + self.joined(lambda: self.joined(self.spaced_quotient, OPERATORS), SIGNS)

    def spaced_quotient(self) -> str:
        """`a b / c d`."""
        parsed = self.product()
        while self.token == "/":
            self.take()
            parsed = fraction(parsed, self.product())
        return parsed

    def product(self) -> str:
        """Factors with spaces between them."""
        factors = [self.tight_quotient()]
        while self.spaced and self.begins_a_factor():
            factors.append(self.tight_quotient())
        return " ".join(factors)

    def tight_quotient(self) -> str:
        """`ab/cd`."""
        parsed = self.word()
        if self.token == "/" and not self.spaced:
            self.take()
            parsed = fraction(parsed, self.word())
        return parsed

    def word(self) -> str:
        """Factors without spaces between them."""
        parsed = self.factor()
        while not self.spaced and self.begins_a_factor():
            parsed += self.factor()
        return parsed

    def begins_a_factor(self) -> bool:
        """Whether the next token can be the first of a factor."""
        token = self.token
        return bool(token) and (token[0].isalnum() or token in "(Σ∂…∞" or token == "∂/∂" or token in LETTERS)

    def factor(self) -> str:
        """A name, a number, a sum sign or a bracket, with its index and powers."""
        if not self.begins_a_factor() and self.token != "|":
            raise ValueError(
                f"{self.text!r} can't be read as mathematics: {self.token or 'its end'!r} stands where a name, "
                "a number or a bracket is expected (docs/pages/latex.py)"
            )
        token = self.take()
        if token == "∂/∂":
            return rf"\frac{{\partial}}{{\partial {self.factor()}}}"
        if token == "Σ":
            return self.summed()
        if token in ("(", "|"):
            left, right = ("(", ")") if token == "(" else (r"\lvert ", r"\rvert ")
            inside = self.listed()
            if self.token != (")" if token == "(" else "|"):
                raise ValueError(f"{self.text!r} has a bracket that isn't closed (docs/pages/latex.py)")
            self.take()
            parsed = rf"\left{left}{inside}\right{right}"
        else:
            parsed = name(token)
        return self.with_scripts(parsed)

    def summed(self) -> str:
        """A sum: over what its sign says, or else over the index of what is added up."""
        if self.token == "_":
            return self.with_scripts(r"\sum")
        added = self.factor()
        index = re.search(r"_\{(\w)\}", added)
        return (rf"\sum_{{{index[1]}}} " if index else r"\sum ") + added

    def with_scripts(self, parsed: str) -> str:
        """What stands at a factor: an index, a prime, a power, a transpose."""
        while self.token and (self.token in "_^'ᵀ" or self.token.translate(POWERS) != self.token):
            token = self.take()
            if token == "_":
                parsed += f"_{{{name(self.take())}}}"
            elif token == "^":
                parsed += f"^{{{without_brackets(self.factor())}}}"
            elif token == "'":
                parsed += "'"
            else:
                parsed += r"^{\mathsf{T}}" if token == "ᵀ" else f"^{{{token.translate(POWERS)}}}"
        return parsed


def name(token: str) -> str:
    """A name or a number: letters, or a word."""
    if token in LETTERS:
        return f"{LETTERS[token]} "  # or a letter after it would belong to the command
    if token in NAMED:
        return rf"\{token}"
    if "-" in token:
        return rf"\text{{ {token}}}"
    return rf"\operatorname{{{token}}}" if token.isalpha() and len(token) > 2 else token


def fraction(above: str, below: str) -> str:
    """A fraction, without the brackets that its bar makes superfluous."""
    return rf"\frac{{{without_brackets(above)}}}{{{without_brackets(below)}}}"


def without_brackets(parsed: str) -> str:
    r"""What is within `\left( … \right)`, if nothing is outside it."""
    depth = 0
    for match in re.finditer(r"\\left\(|\\right\)", parsed):
        depth += 1 if match[0] == r"\left(" else -1
        if depth == 0:
            whole = parsed.startswith(r"\left(") and match.end() == len(parsed)
            return parsed[len(r"\left(") : match.start()] if whole else parsed
    return parsed
