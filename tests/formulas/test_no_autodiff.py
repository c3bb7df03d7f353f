"""Nothing in `formulas/` is differentiated by JAX: a transform's name may stand in `by=` of a claim, not elsewhere."""

import ast
import re
from pathlib import Path

import jax
import pytest

import manual_grads
import manual_grads.formulas
from manual_grads.rules import RULES, Sizes

FORMULAS = Path(manual_grads.formulas.__file__).parent
FILES = {str(file.relative_to(FORMULAS)): file for file in sorted(FORMULAS.rglob("*.py"))}  # stable/ is among them
AUTODIFF = {
    *("grad", "value_and_grad", "jacobian", "jacfwd", "jacrev", "hessian", "vjp", "jvp", "hvp", "linearize"),
    *("linear_transpose", "custom_jvp", "custom_vjp", "custom_gradient", "link_jacobians"),
}
# These say how the derivative of a formula, if a user asks for one, is found: that of its careful form; that of a sum.
# No value is found by it.
OF_FORMULAS = {"stable/rows.py": {"custom_jvp", "jvp"}, "stable/sums.py": {"custom_jvp"}}
# Functions with derivative rules of their own, which would be no independent forward for autodiff.
WITH_RULES = {"nn", "logistic", "logsumexp", "stop_gradient", "expit"}


def names_outside_claims(tree):
    claims = [
        keyword.value
        for node in ast.walk(tree)
        if isinstance(node, ast.Call) and getattr(node.func, "id", "") == "derivative_of"
        for keyword in node.keywords
        if keyword.arg == "by"
    ]
    imports = [
        node for node in ast.walk(tree) if isinstance(node, ast.ImportFrom) and node.module == "manual_grads.rules"
    ]
    allowed = {id(node) for root in claims + imports for node in ast.walk(root)}
    for node in ast.walk(tree):
        if id(node) in allowed:
            continue
        if isinstance(node, ast.Name):
            yield node.id
        elif isinstance(node, ast.Attribute):
            yield node.attr
        elif isinstance(node, ast.alias):
            yield node.name.rpartition(".")[2]


@pytest.mark.parametrize("name", FILES)
def test_no_autodiff_by_name(name):
    names = set(names_outside_claims(ast.parse(FILES[name].read_text(encoding="utf-8"))))
    assert (AUTODIFF | WITH_RULES) & names == OF_FORMULAS.get(name, set())


@pytest.mark.parametrize(
    "planted",
    [
        "import jax\ndef f(x): return jax.grad(abs)(x)",
        "from jax import vjp",
        "import jax\n@derivative_of(f, by=jax.grad, example=jax.jvp)\ndef g(x): ...",
        "import jax\ny = jax.nn.softmax(x)",
    ],
)
def test_this_very_test_finds_it(planted):
    assert (AUTODIFF | WITH_RULES) & set(names_outside_claims(ast.parse(planted)))


@pytest.mark.smoke
def test_it_found_the_files():
    assert {"sigmoid.py", "softmax.py", "two_layer.py", "stable/exponentials.py", "stable/softmax.py"} <= set(FILES)


@pytest.mark.parametrize("rule", RULES.values(), ids=lambda rule: rule.name)
def test_no_custom_rule_in_what_is_traced(rule):
    """`jnp` functions such as `jnp.linalg.norm` may hide one; those of `stable.sums` are of a sum and of a product."""
    args = rule.example(jax.random.key(0), jax.numpy.dtype("float32"), Sizes())
    text = str(jax.make_jaxpr(rule.manual)(*args))
    rules = re.findall(r"custom_jvp_call\[\s*name=(\w+)", text)
    assert set(rules) <= {"compensated_sum", "finite_product"}
    assert text.count("custom_jvp_call") == len(rules)
    assert "custom_vjp" not in text
    assert "logistic" not in text
