"""The package as a whole: what importing it costs, that annotations are true, that every public name is documented."""

import importlib
import inspect
import pkgutil
import subprocess
import sys

import beartype
import jax
import jax.numpy as jnp
import jaxtyping
import pytest

import manual_grads as mg
from manual_grads.rules import RULES, Sizes
from tests.registry import RULES_AND_LABELS

PUBLIC = [getattr(mg, name) for name in mg.__all__]


def test_importing_it_imports_nothing_heavier_than_jax():
    heavy = ("chex", "rich", "flint", "sympy", "sklearn", "optax", "matplotlib", "manual_grads.checking")
    heavy += ("manual_grads.nn", "manual_grads.commands", "manual_grads.derivations")
    code = f"import sys, manual_grads; print([name for name in {heavy} if name in sys.modules])"
    assert subprocess.check_output([sys.executable, "-c", code], text=True).strip() == "[]"


def test_its_modules_are_imported_when_they_are_asked_for():
    code = (
        "import sys, manual_grads as mg; assert {'checking', 'nn', 'rules', 'sigmoid', '__version__'} <= set(dir(mg)); "
        "assert 'manual_grads.nn' not in sys.modules; print(mg.nn.softmax.__module__, mg.checking.check_gradient, "
        "mg.rules.RULES is not None)"
    )
    assert "manual_grads.nn.softmax" in subprocess.check_output([sys.executable, "-c", code], text=True)


def test_what_it_lacks_is_an_attribute_error():
    with pytest.raises(AttributeError, match="module 'manual_grads' has no attribute 'relu'"):
        _ = mg.relu  # pyright: ignore[reportAttributeAccessIssue] - for which a checker must not take `Any`
    with pytest.raises(ImportError, match="cannot import name 'relu'"):
        exec("from manual_grads import relu")


@pytest.mark.smoke
def test_every_module_imports():
    for module in pkgutil.walk_packages(mg.__path__, "manual_grads."):
        importlib.import_module(module.name)


def test_importing_it_changes_no_configuration():
    code = (
        "import jax; before = dict(jax.config.values); "
        "import manual_grads, manual_grads.checking.verify, manual_grads.derivations.verdicts; "
        "import manual_grads.commands.accuracy, manual_grads.accuracy.plots; "
        "assert before == dict(jax.config.values)"
    )
    subprocess.check_call([sys.executable, "-c", code])


def test_everything_public_is_there_once_and_sorted():
    assert mg.__all__ == sorted(set(mg.__all__))


@pytest.mark.parametrize("function", PUBLIC, ids=lambda function: function.__name__)
def test_every_public_function_is_documented(function):
    formula, _, rest = (inspect.getdoc(function) or "").partition("\n")
    assert formula.count("$") >= 2
    for section in ("Args:", "Returns:", "Raises:", "From: "):
        assert section in rest
    assert "From: Task" in rest or not RULES[function.__name__].equation
    for parameter in inspect.signature(function).parameters:
        assert f"{parameter}: " in rest


@pytest.mark.parametrize("batch", [(), (2,), (2, 7)], ids=str)
@pytest.mark.parametrize(("rule", "soft_labels"), RULES_AND_LABELS)
def test_annotations_are_true(rule, soft_labels, batch):
    checked = jaxtyping.jaxtyped(typechecker=beartype.beartype)(rule.manual)
    args = rule.example(jax.random.key(0), jnp.dtype("bfloat16"), Sizes(batch=batch, soft_labels=soft_labels))
    jax.eval_shape(checked, *args)


def test_annotations_are_checked_by_that_test():
    rule = RULES["softmax_vjp"]
    checked = jaxtyping.jaxtyped(typechecker=beartype.beartype)(rule.manual)
    with pytest.raises(jaxtyping.TypeCheckError):
        checked(jnp.zeros(3), jnp.zeros(4))
