"""Every option, and any of them together, is what dense autodiff has in float64: values, and derivatives each way."""

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from manual_grads.nn import linear_softmax_cross_entropy
from tests.nn.linear_cross_entropy.dense import dense
from tests.nn.linear_cross_entropy.truth import check, problem, truth
from tests.quick import quick_jit

f32 = partial(np.asarray, dtype=np.float32)
PRIMES = (2, 3, 5, 7, 11, 13, 17, 19, 23)
# Float64, and sums of up to some hundred terms of which none is beyond some hundred: 10⁻¹², relative to the largest.
CLOSE = 1e-11
NAMES = ("bias", "logit_scale", "class_weights")
SINGLE = {
    "bias": np.linspace(-1, 1, 11, dtype="float32"),
    "soft_cap": 2.0,
    "logit_scale": np.float32(0.7),
    "label_smoothing": 0.2,
    "z_loss": 0.05,
    "class_weights": np.linspace(0.5, 2, 11, dtype="float32"),
    "ignore_index": -100,
}


def drawn(seed):
    """A problem of prime sizes in float64, its options and how it is cut and reduced, all at random."""
    random = np.random.default_rng(seed)
    N, H, K = random.choice(PRIMES, 3)
    h, B, y = problem(int(N), int(H), int(K), "float64", seed=seed)
    arrays = {"bias": random.normal(0, 2, K), "logit_scale": random.normal(), "class_weights": random.uniform(0, 2, K)}
    arrays = {name: value for name, value in arrays.items() if random.random() < 0.6}
    numbers = {"soft_cap": random.uniform(0.5, 5), "label_smoothing": random.uniform(0, 0.9), "z_loss": random.random()}
    options = {name: value for name, value in numbers.items() if random.random() < 0.5}
    options["reduction"] = random.choice(["mean", "sum", "none"])
    keep = random.random(N) < 0.8
    keep[0] = True
    cuts = {"block_rows": (None, 4, 5)[random.integers(3)], "block_classes": (None, 3, 4, 128)[random.integers(4)]}
    return (h, B, y), arrays, options, keep, cuts, random


def compared(problem, arrays, options, keep, cuts, random):
    """Value, gradients by all that has some, a jvp and second derivatives along a direction: ours and dense's."""
    h, B, y = problem
    ignored = np.where(keep, y, -100)
    either = {"where": keep} if random.random() < 0.5 else {"ignore_index": -100}
    weights = np.linspace(-1, 1, len(h)) if options["reduction"] == "none" else np.ones(())
    constants = {"bias": np.zeros(len(B)), "logit_scale": 1.0, "class_weights": np.ones(len(B))}

    def ours(h, B, arrays):
        loss = linear_softmax_cross_entropy(h, B, ignored, **arrays, **options, **either, **cuts)
        return (weights * loss).sum()

    def theirs(h, B, arrays):
        bias, scale, class_weights = ((constants | arrays)[name] for name in NAMES)
        return (weights * dense(h, B, bias, scale, class_weights, y, keep=keep, **options)).sum()

    args = (jnp.asarray(h), jnp.asarray(B), jax.tree.map(jnp.asarray, arrays))
    along = jax.tree.map(jnp.sin, args)

    def derivatives(f):
        gradient = jax.grad(f, (0, 1, 2))
        found = [f(*args), gradient(*args)]
        if options["reduction"] != "none":
            found += [jax.jvp(f, args, along)[1], jax.jvp(gradient, args, along)[1]]
        inner = lambda *args: sum((a * b).sum() for a, b in zip(*map(jax.tree.leaves, (gradient(*args), along))))  # noqa: E731, B905
        return [*found, jax.grad(inner, (0, 1, 2))(*args)]

    return quick_jit(lambda: derivatives(ours))(), quick_jit(lambda: derivatives(theirs))()


@pytest.mark.parametrize(
    "seed",
    [
        0,
        *(pytest.param(seed, marks=pytest.mark.slow) for seed in range(1, 20)),
        *(pytest.param(seed, marks=pytest.mark.everything) for seed in range(20, 60)),
    ],
)
def test_any_options_together_are_dense_autodiff_s_in_float64(seed):
    with jax.enable_x64(True):
        got, want = compared(*drawn(seed))
        for mine, true in zip(*map(jax.tree.leaves, (got, want)), strict=True):
            np.testing.assert_allclose(mine, true, rtol=CLOSE, atol=CLOSE * (1 + np.abs(true).max()))


def ours_in_float32(h, B, y, c, bias=None, scale=1.0, **options):
    """What `truth` has: each loss, and the gradients of c · losses by h, B, bias and scale."""

    def total(h, B, bias, scale):
        loss = linear_softmax_cross_entropy(h, B, y, bias=bias, logit_scale=scale, reduction="none", **options)
        return (c.astype(np.float32) * loss).sum(), loss

    args = (h, B, np.zeros(len(B), np.float32) if bias is None else bias, np.float32(scale))
    gradients, loss = quick_jit(jax.grad(total, (0, 1, 2, 3), has_aux=True))(*args)
    return loss, *gradients


@pytest.mark.smoke
@pytest.mark.parametrize(
    "options",
    [
        {"label_smoothing": 0.1},
        {"z_loss": 1e-3},
        {"soft_cap": 30.0},
        {"soft_cap": 3.0},
        {"class_weights": f32([1.5, 1, 2, 0.5])},
        {"label_smoothing": 0.1, "z_loss": 1e-3, "soft_cap": 25.0, "class_weights": f32([1.5, 1, 2, 0.5])},
    ],
    ids=str,
)
def test_no_option_costs_a_saturated_example_its_digits(options):
    """Componentwise: logits of 20 to 40 that are exact, labels that have nearly everything, and one that hasn't."""
    h, B, y = f32([[20], [30], [40], [25]]), f32([[1], [0], [-0.5], [0.25]]), np.array([0, 0, 0, 2])
    of_truth = {("weights" if name == "class_weights" else name): value for name, value in options.items()}
    want, _ = truth(h, B, y, np.ones(4), **of_truth)
    got = ours_in_float32(h, B, y, np.ones(4), block_classes=3, **options)
    # The logits are exact: what is left are roundings of some exponentials. XLA's tanh has 5 ULP, or 10 u, and c times
    # it 2 more: twice 12 u of a capped logit, which is 27 at most, in an exponent.
    u = 2.0**-24
    for value, true in zip(got, want, strict=True):
        np.testing.assert_allclose(value, true, rtol=(64 + 2 * 12 * 27) * u if "soft_cap" in options else 64 * u)


@pytest.mark.parametrize("cut", [{}, {"block_classes": 7}, {"block_rows": 5, "block_classes": 10}], ids=str)
def test_all_options_within_their_bounds_in_float32(cut):
    h, B, y = problem(13, 5, 29)
    random = np.random.default_rng(3)
    bias, w = (random.uniform(0.2, 2, 29).astype(np.float32) for _ in range(2))
    numbers = {"label_smoothing": 0.1, "z_loss": 0.01, "soft_cap": 3.0}
    c = np.linspace(-1, 1, 13)
    want = truth(h, B, y, c, bias=bias, logit_scale=0.7, weights=w, **numbers)
    check(ours_in_float32(h, B, y, c, bias, 0.7, class_weights=w, **numbers, **cut), *want, 2.0**-24)


def test_every_option_is_in_every_reduction():
    h, B, y = problem(13, 5, 29)
    bias, w = np.linspace(-1, 1, 29).astype(np.float32), np.linspace(0.5, 2, 29).astype(np.float32)
    numbers = {"label_smoothing": 0.1, "z_loss": 0.01, "soft_cap": 3.0}
    want, bounds = truth(h, B, y, np.ones(13), bias=bias, logit_scale=0.7, weights=w, **numbers)
    options = {"bias": bias, "logit_scale": 0.7, "class_weights": w, **numbers}
    loss = partial(linear_softmax_cross_entropy, block_classes=7, **options)
    mean, total = quick_jit(lambda *args: [loss(*args, reduction=reduction) for reduction in ("mean", "sum")])(h, B, y)
    for got, count in ((mean, w.astype(float)[y].sum()), (total, 1)):
        assert abs(got - want.loss.sum() / count) <= 2.0**-24 * 2 * bounds.loss.sum() / count


def test_an_option_that_is_off_is_not_there():
    h, B, y = problem(13, 3, 29)

    def text(**options):
        f = jax.value_and_grad(partial(linear_softmax_cross_entropy, block_classes=7, **options), (0, 1))
        return jax.jit(f).lower(h, B, y).as_text()

    off = {"bias": None, "soft_cap": None, "logit_scale": 1, "label_smoothing": 0, "z_loss": 0, "class_weights": None}
    assert text() == text(**off, ignore_index=None, has_aux=False)
    assert "tanh" in text(soft_cap=1.0) and "tanh" not in text()


@pytest.mark.parametrize("smoothing", [0.0, 0.1])
def test_optax_s_results(smoothing):
    h, B, y = problem(13, 5, 29)
    bias = np.linspace(-1, 1, 29).astype(np.float32)
    targets = optax.smooth_labels(jax.nn.one_hot(y, 29), smoothing)

    def theirs(h, B, bias):
        return optax.softmax_cross_entropy(h @ B.T + bias, targets).mean()

    def ours(h, B, bias):
        return linear_softmax_cross_entropy(h, B, y, bias=bias, label_smoothing=smoothing)

    got, want = (quick_jit(jax.value_and_grad(f, (0, 1, 2)))(h, B, bias) for f in (ours, theirs))
    jax.tree.map(partial(np.testing.assert_allclose, rtol=1e-5, atol=1e-6), got, want)


def test_a_mean_of_weighted_classes_is_torch_s():
    """`torch.nn.functional.cross_entropy(logits, y, weight=w, ignore_index=-100)`: Σ w_y R / Σ w_y over the others."""
    h, B, y = problem(6, 5, 4)
    w, kept = f32([1, 0, 2, 0.5]), np.arange(6) != 2
    s = np.asarray(h, float) @ np.asarray(B, float).T
    R = np.log(np.exp(s).sum(1)) - s[np.arange(6), y]
    want = (w[y] * R)[kept].sum() / w[y][kept].sum()
    y = np.where(kept, y, -100)
    loss = quick_jit(partial(linear_softmax_cross_entropy, h, B, class_weights=w, ignore_index=-100))
    np.testing.assert_allclose(loss(y), want, rtol=1e-6)
    none = quick_jit(partial(linear_softmax_cross_entropy, h, B, class_weights=w, z_loss=0.1))(np.full(6, 1))
    assert none == 0  # the weights that take part add up to 0


@pytest.mark.parametrize("reduction", ["mean", *(pytest.param(x, marks=pytest.mark.slow) for x in ("sum", "none"))])
def test_what_has_aux_gives_is_from_the_same_passes_and_not_differentiated(reduction):
    h, B, y = problem(13, 5, 29)
    keep = np.arange(13) % 4 != 1
    options = {"soft_cap": 3.0, "label_smoothing": 0.1, "where": keep, "block_rows": 5, "block_classes": 7}

    loss = partial(linear_softmax_cross_entropy, reduction=reduction, **options)

    def with_aux(h):
        value, aux = loss(h, B, y, has_aux=True)
        return value.sum(), aux

    @quick_jit
    def results(h):
        without = jax.value_and_grad(lambda h: loss(h, B, y).sum())(h)
        of_aux = jax.grad(lambda h: sum(x.sum() for x in with_aux(h)[1][:2]))(h)
        return jax.value_and_grad(with_aux, has_aux=True)(h), without, of_aux

    ((value, aux), gradient), without, of_aux = results(h)
    s = 3 * np.tanh(np.asarray(h, float) @ np.asarray(B, float).T / 3)
    log_z = np.log(np.exp(s).sum(1))
    np.testing.assert_allclose(aux.log_normalizer, np.where(keep, log_z, 0), rtol=1e-5)
    np.testing.assert_allclose(aux.label_log_prob, np.where(keep, s[np.arange(13), y] - log_z, 0), rtol=1e-4)
    np.testing.assert_array_equal(aux.prediction, np.where(keep, s.argmax(1), -1))
    np.testing.assert_allclose(value, without[0], rtol=1e-6)
    np.testing.assert_allclose(gradient, without[1], rtol=1e-5, atol=1e-7)
    np.testing.assert_array_equal(of_aux, 0)


def test_the_prediction_is_the_first_class_of_the_largest_logit():
    h, B = np.ones((1, 1), np.float32), f32([[0], [2], [1], [2], [2]])
    loss = partial(linear_softmax_cross_entropy, has_aux=True)

    @quick_jit
    def predictions(h):
        return [loss(h, B, np.array([4]), block_classes=tile)[1].prediction[0] for tile in (1, 2, 3, 5)]

    assert predictions(h) == [1, 1, 1, 1]


def test_the_prediction_is_the_largest_logit_s_class_where_the_cap_saturates():
    """In float32 tanh(12) is 1, as tanh(14) is: capped, both logits are the same."""
    h, B = np.ones((1, 1), np.float32), f32([[6], [7]])
    loss = partial(linear_softmax_cross_entropy, has_aux=True, soft_cap=0.5)
    _, aux = quick_jit(loss)(h, B, np.array([0]))
    assert aux.prediction[0] == 1


@pytest.mark.parametrize("reduction", ["mean", "sum", "none"])
def test_the_weight_of_a_class_has_its_gradient_where_it_is_0_too(reduction):
    """R of its examples, each in its share: a weight that is learned may start at 0."""
    h, B, y = problem(5, 3, 4, "float64")
    c = np.linspace(-1, 1, 5) if reduction == "none" else 1.0

    def total(loss, w, bias):
        return (c * loss(w, bias)).sum()

    def ours(w, bias):
        return linear_softmax_cross_entropy(h, B, y, bias=bias, class_weights=w, reduction=reduction)

    def theirs(w, bias):
        return dense(h, B, bias, 1.0, w, y, reduction=reduction)

    with jax.enable_x64(True):
        w, bias = jnp.array([0, 2.0, 0, 0.5]), jnp.linspace(-1, 1, 4)
        assert (w[y] == 0).any()
        got, want = (quick_jit(jax.grad(partial(total, loss), (0, 1)))(w, bias) for loss in (ours, theirs))
        for mine, true in zip(got, want, strict=True):
            np.testing.assert_allclose(mine, true, rtol=CLOSE, atol=CLOSE)


@pytest.mark.parametrize("reduction", ["sum", "none"])
@pytest.mark.parametrize("tile", [2, 3, 7])
def test_a_bias_of_minus_infinity_masks_a_class(tile, reduction):
    """Wherever it stands in the tiles, the classes left have the loss and gradients that they have alone."""
    h, B, y = problem(5, 3, 7)
    kept, bias = np.array([2, 3, 5]), np.full(7, -np.inf, np.float32)
    bias[kept] = [0.5, -1, 0.25]
    y = np.arange(5) % 3
    options = {"reduction": reduction, "z_loss": 0.1}

    def total(h, B, bias, y, **cut):
        return linear_softmax_cross_entropy(h, B, y, bias=bias, **options, **cut).sum()

    got = quick_jit(jax.value_and_grad(partial(total, y=kept[y], block_classes=tile), (0, 1, 2)))(h, B, bias)
    want = quick_jit(jax.value_and_grad(partial(total, y=y), (0, 1, 2)))(h, B[kept], bias[kept])
    np.testing.assert_allclose(got[0], want[0], rtol=1e-6)
    np.testing.assert_allclose(got[1][0], want[1][0], rtol=1e-4, atol=1e-6)
    for mine, true in zip(got[1][1:], want[1][1:], strict=True):
        np.testing.assert_allclose(mine[kept], true, rtol=1e-4, atol=1e-6)
        assert (np.delete(mine, kept, 0) == 0).all()


@pytest.mark.parametrize("reduction", ["sum", "none"])
def test_a_masked_label_costs_infinity_and_has_a_finite_gradient(reduction):
    """And nothing at all if its example is left out, or its class's weight is 0."""
    h, B, _ = problem(3, 2, 5)
    bias, w = f32([-np.inf, -np.inf, 0, 0, 0]), f32([0, 1, 1, 1, 1])

    @quick_jit
    @jax.value_and_grad
    def total(h, where, class_weights, label):
        labels = jnp.array([label, 2, 3])
        options = {"where": where, "class_weights": class_weights, "bias": bias, "block_classes": 2}
        return linear_softmax_cross_entropy(h, B, labels, **options, reduction=reduction).sum()

    everything = np.ones(3, bool)
    value, dh = total(h, everything, None, 1)
    assert value == np.inf
    assert np.isfinite(dh).all()
    for where, weights, label in ((everything > [1, 0, 0], None, 1), (everything, w, 0)):
        value, dh = total(h, where, weights, label)
        assert np.isfinite(value)
        assert (dh[0] == 0).all()
        assert np.isfinite(dh).all()


@pytest.mark.parametrize(
    "names", [tuple(SINGLE), *(pytest.param((name,), id=name, marks=pytest.mark.slow) for name in SINGLE)]
)
def test_under_vmap_scan_and_checkpoint(names):
    h, B, y = problem(12, 3, 11)
    options = {name: SINGLE[name] for name in names}
    y = np.where(np.arange(12) % 5 == 3, -100, y) if "ignore_index" in names else y
    parts = h.reshape(3, 4, 3), jnp.asarray(y).reshape(3, 4)

    def loss(h, y):
        return linear_softmax_cross_entropy(h, B, y, reduction="sum", block_classes=4, **options)

    def scanned(h):
        @jax.checkpoint
        def step(total, part):
            return total + loss(*part), None

        return jax.lax.scan(step, 0.0, (h, parts[1]))[0]

    @quick_jit
    def gradients(h):
        plain = jax.grad(lambda h: sum(loss(h[i], parts[1][i]) for i in range(3)))(h)
        return plain, [jax.grad(scanned)(h), jax.vmap(jax.grad(loss))(h, parts[1]), jax.jacfwd(scanned)(h)]

    plain, others = gradients(parts[0])
    for other in others:
        np.testing.assert_allclose(other, plain, rtol=1e-4, atol=1e-5)
