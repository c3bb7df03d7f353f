"""Functions that have derivative rules of their own, asked about in the way that everyone would."""

import jax
import jax.numpy as jnp
import numpy as np

from tests.checking.situations import Situations

RULES = Situations()
x = np.array([0.3, -1.2, 2.0], np.float32)


def with_rule(f, forwards, backwards):
    """f with a rule for reverse mode."""
    ruled = jax.custom_vjp(f)
    ruled.defvjp(forwards, backwards)
    return ruled


def cubes(x):
    return (x**3).sum()


drops = with_rule(cubes, lambda x: (cubes(x), x), lambda x, c: (3 * x**2,))
squares_it = with_rule(cubes, lambda x: (cubes(x), x), lambda x, c: (3 * c**2 * x**2,))
flips = with_rule(cubes, lambda x: (cubes(x), x), lambda x, c: (3 * abs(c) * x**2,))
keeps = with_rule(cubes, lambda x: (cubes(x), x), lambda x, c: (3 * c * x**2,))
for name, f in (("ignores", drops), ("squares", squares_it), ("takes the absolute value of", flips)):
    RULES.wrong(f"a rule that {name} its cotangent", cubes, jax.grad(f), x)
    RULES.wrong(f"the same of itself: {name}", f, jax.grad(f), x)
    RULES.wrong(f"the same, quickly: {name}", cubes, jax.grad(f), x, thorough=False)
RULES.wrong("a rule that ignores it, within", cubes, jax.grad(lambda x: drops(x) + 0.0), x)
RULES.right("a rule that keeps it", cubes, jax.grad(keeps), x)
RULES.right("the same of itself", keeps, jax.grad(keeps), x)
RULES.right("on purpose", drops, jax.grad(drops), x, trust_rules=True)


@jax.custom_vjp
def clipped(x):
    """The identity, whose cotangent is clipped."""
    return x


clipped.defvjp(lambda x: (x, None), lambda _, c: (jnp.clip(c, -1, 1),))
RULES.wrong("a gradient that is clipped", lambda x: (clipped(x) ** 2).sum(), lambda x: 2 * x, x)
RULES.right(
    "on purpose, a gradient that is clipped",
    lambda x: (clipped(x) ** 2).sum(),
    lambda x: jnp.clip(2 * x, -1, 1),
    x,
    trust_rules=True,
)


def softplus(x):
    return jnp.logaddexp(x, 0.0)


for cut in (-8, -12):
    in_tail = with_rule(
        softplus, lambda x: (softplus(x), x), lambda x, c, k=cut: (jnp.where(x < k, 0, c * jax.nn.sigmoid(x)),)
    )
    total = lambda x, f=in_tail: f(x).sum()  # noqa: E731
    RULES.wrong(f"a tail that is cut off at {cut}", total, jax.grad(total), x)
    RULES.wrong(f"a tail that is cut off at {cut}, quickly", total, jax.grad(total), x, thorough=False)
