"""Points made from one example: of every kind, and none that the example says can't be."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from manual_grads.checking import check_gradient
from manual_grads.checking.claim import as_claim
from manual_grads.checking.trials.points import IN_TAIL, NEGATIVE_TOO, Sampling, points_of
from manual_grads.rules import vjp

X = np.array([0.5, -1.0, 2.0], np.float32)


def points(forward, args, thorough=True, by=jax.grad, dtype="float32"):
    claim, example = as_claim(forward, by(forward), args, by)
    dtypes = [jnp.dtype(dtype) if np.issubdtype(x.dtype, np.floating) else x.dtype for x in example]
    return points_of(claim, example, dtypes, 0, thorough)


@pytest.mark.smoke
def test_every_kind_is_there():
    names = set(points(lambda x: (x**2).sum(), (X,)).names)
    for name in (
        "example",
        "zeros",
        "ties",
        "negated",
        "permuted",
        "offset 100",
        "random, scale 1000",
        "one entry large",
    ):
        assert name in names


@pytest.mark.parametrize(
    ("thorough", "counts"),
    [
        (True, {1e-8: 1, 1e-6: 1, 1e-4: 2, 1e-2: 2, 0.3: 3, 1: 7, 3: 4, 10: 4, 30: 3, 100: 2, 1000: 1}),
        (False, {1e-2: 1, 1: 4, 10: 2, 30: 1, 1000: 1}),
    ],
)
def test_every_scale_at_which_functions_change_their_form_is_there(thorough, counts):
    x = np.random.default_rng(1).normal(size=400).astype(np.float32)
    names, (got,), *_ = points(lambda x: (x**2).sum(), (x,), thorough)
    for scale, count in counts.items():
        at = [i for i, name in enumerate(names) if name == f"random, scale {scale:g}"]
        assert len(at) == count
        assert len({got[i].tobytes() for i in at}) == count
        np.testing.assert_allclose(got[at].std(axis=1), scale, rtol=0.15)
    assert names.count("near the example") == (6 if thorough else 2)
    assert sum(name.startswith("random, scale") for name in names) == sum(counts.values())


def test_a_narrow_format_is_tried_at_scales_that_it_holds():
    names = points(lambda x: (x**2).sum(), (X,), dtype="float16").names
    assert {name for name in names if "scale" in name} == {
        f"random, scale {scale:g}" for scale in (0.01, 0.3, 1, 3, 10, 30)
    }
    assert "offset 10" in names
    assert "random, scale 1000" in points(lambda x: (x**2).sum(), (X,), dtype="bfloat16").names


def test_what_each_special_point_is():
    names, (got,), *_ = points(lambda x: (x**2).sum(), (X,))
    at = dict(zip(names, got, strict=True))
    np.testing.assert_array_equal(at["example"], X)
    assert not at["zeros"].any()
    np.testing.assert_array_equal(at["negated"], -X)
    np.testing.assert_array_equal(at["absolute"], np.abs(X))
    np.testing.assert_array_equal(at["all negative"], -np.abs(X))
    np.testing.assert_array_equal(at["example × 10"], 10 * X)
    np.testing.assert_array_equal(at["example / 10"], (X.astype(float) / 10).astype(np.float32))
    np.testing.assert_array_equal(at["reversed"], X[::-1])
    np.testing.assert_array_equal(np.sort(at["permuted"]), np.sort(X))
    assert len(set(at["constant"])) == 1
    assert len(set(at["ties"])) <= 2
    assert set(at["from {-1, 0, 1}"]) <= {-1.0, 0.0, 1.0}
    assert (np.abs(at["offset 100"] - 100) < 5).all()
    assert (np.abs(at["offset -100"] + 100) < 5).all()
    near = np.array([x for name, x in zip(names, got, strict=True) if name == "near the example"]) - X
    assert 0.03 < near.std() / np.sqrt(np.mean(X**2)) < 0.3


def test_each_entry_of_each_argument_is_alone_and_large():
    names, (x, y), *_ = points(lambda x, y: x.sum() * y.sum(), (X, X[:2] - 0.7), by=lambda f: jax.grad(f, (0, 1)))
    alone = [(a, b) for name, a, b in zip(names, x, y, strict=True) if name == "one entry alone"]
    large = [(a, b) for name, a, b in zip(names, x, y, strict=True) if name == "one entry large"]
    assert len(alone) == len(large) == 5
    for i, (a, b) in enumerate(alone):
        one, other = (a, b) if i < 3 else (b, a)
        assert np.flatnonzero(one).tolist() == [i if i < 3 else i - 3]
        assert np.abs(one).max() == 5
        assert (other != 0).all()
        assert (np.abs(np.subtract(large[i][0 if i < 3 else 1], one)) < 4).all()
    assert [name for name in names if name.endswith(" zero")] == ["args[0] zero", "args[1] zero"]
    assert not x[names.index("args[0] zero")].any()
    assert y[names.index("args[0] zero")].all()


def test_of_many_entries_some_are_alone():
    names = points(lambda x: (x**2).sum(), (np.ones((7, 1)) - 1.5 * np.eye(7, 1),)).names
    assert names.count("one entry alone") == 4


def test_usual_points_are_those_of_the_example_s_scale():
    made = points(lambda x: (x**2).sum(), (X,))
    usual = {name for name, is_usual in zip(made.names, made.usual, strict=True) if is_usual}
    assert usual == {"example", "near the example", "random, scale 1"}


def test_a_sampler_draws_every_point():
    claim, example = as_claim(lambda x: (x**2).sum(), lambda x: 2 * x, (X,), jax.grad)

    def draw(key):
        return [np.random.default_rng(np.asarray(jax.random.key_data(key))).normal(size=3)]

    quick, other, thorough = (
        points_of(claim, example, [jnp.dtype("float32")], seed, thorough, Sampling(draw))
        for seed, thorough in ((0, False), (1, False), (0, True))
    )
    assert (quick.names, thorough.names) == (["drawn"] * 8, ["drawn"] * 32)
    assert quick.usual.all()
    assert len(set(thorough.arrays[0][:, 0])) == 32
    assert not set(quick.arrays[0][:, 0]) & set(other.arrays[0][:, 0])


def test_another_seed_draws_other_points():
    claim, example = as_claim(lambda x: (x**2).sum(), lambda x: 2 * x, (X,), jax.grad)
    first, again, other = (points_of(claim, example, [jnp.dtype("f4")], s, True).arrays[0] for s in (0, 0, 1))
    np.testing.assert_array_equal(first, again)
    assert (first != other).any(1).mean() > 0.6


def test_booleans_are_as_they_are_and_integers_are_drawn():
    mask, labels = np.array([True, False, True]), np.array([0, 5, 2], np.int8)
    _, (_, m, y), *_ = points(lambda x, m, y: (x * m * y).sum(), (X, mask, labels))
    assert (m.sum(1) == 2).all()
    assert set(np.unique(y)) == {0, 2, 5}


def test_integers_stay_in_their_range():
    labels = np.array([3, 5, 4], np.int32)
    (_, got) = points(lambda x, y: (x * y).sum(), (X, labels)).arrays
    assert got.min() == 3
    assert got.max() == 5
    assert {3, 4, 5} <= set(got[0:1].ravel()) | set(got[5])
    assert (got == 5).mean() > 0.2
    assert got.dtype == np.int32


def test_whole_floats_that_are_not_differentiated_keep_their_values():
    mask = np.array([0.0, 1.0, 1.0], np.float32)
    _, got = points(lambda x, m: (x * m).sum(), (X, mask)).arrays
    assert set(np.unique(got)) == {0.0, 1.0}
    assert len(np.unique(got, axis=0)) > 3
    _, moved = points(lambda x, m: (x * m).sum(), (X, mask), by=lambda f: jax.grad(f, argnums=(0, 1))).arrays
    assert len(np.unique(moved)) > 10


@pytest.mark.parametrize(("size", "scales"), [(1, 24), (400, 30)])
@pytest.mark.parametrize("dtype", ["float32", "float16"])
def test_what_is_positive_is_tried_at_negative_values_of_every_scale(size, scales, dtype):
    found = points(lambda x: (x**2).sum(), (np.ones(size, np.float32),), dtype=dtype)
    (x,) = found.arrays
    negative = np.array([name.startswith(NEGATIVE_TOO) for name in found.names])
    assert negative.sum() == scales
    assert found.guessed[negative].all()
    assert (x[negative, 0] < 0).all()
    assert not found.usual[negative].any()
    largest = np.abs(x[negative]).max()
    assert 25 < largest < 200 if dtype == "float16" else 300 < largest
    others = points(lambda x: (x**2).sum(), (-np.ones(size, np.float32),)).names
    assert not any(name.startswith(NEGATIVE_TOO) for name in others)


def test_four_positive_numbers_stay_positive():
    found = points(lambda x: jnp.log(x).sum(), (np.ones(4, np.float32),))
    assert (found.arrays[0][~found.guessed] > 0).all()
    names, (x,), *_ = points(lambda x: (x**2).sum(), (np.ones(3, np.float32),))
    assert (x < 0).any()
    # Fewer may be so by chance; they are drawn positive all the same, but where signs are what is tried.
    assert (x[[name.startswith("random") for name in names]] > 0).all()


@pytest.mark.smoke
def test_points_are_numbers_of_the_format():
    (x,) = points(lambda x: (x**2).sum(), (X,), dtype="bfloat16").arrays
    np.testing.assert_array_equal(x, x.astype(jnp.bfloat16).astype(np.float64))


def test_a_python_number_that_is_not_differentiated_is_held():
    seen = set()

    def forward(x, width):
        seen.add(width if isinstance(width, float) else "traced")
        return (width * x**2).sum()

    check_gradient(forward, lambda x, width: 2 * width * x, (X, 1.5), thorough=False)
    assert 1.5 in seen


def test_a_size_is_held_where_only_the_manual_gradient_needs_it_static():
    def manual(x, n):
        return 2 * x * sum(1 for _ in range(n))

    check_gradient(lambda x, n: (n * x**2).sum(), manual, (X, 3), thorough=False)


def test_a_sampler_has_to_draw_the_same_shapes():
    shapes = iter([2, 2, 3, 3, 3, 3, 3, 3, 3, 3])
    with pytest.raises(ValueError, match=r"drew args\[0\] of shape \(2,\) and of shape \(3,\)"):
        check_gradient(
            lambda x: (x**2).sum(),
            lambda x: 2 * x,
            lambda key: (jax.random.normal(key, (next(shapes),), jnp.float32),),
            thorough=False,
        )


@pytest.mark.parametrize("direction", [np.ones(3, np.float32), np.array([0, 1, 0]), np.eye(3, dtype=np.float32)[1]])
def test_cotangents_are_drawn_whatever_the_example_s_is_like(direction):
    _, drawn = points(jnp.tanh, (X, direction), by=vjp).arrays
    assert (drawn < 0).any()
    assert len(np.unique(drawn)) > 20


def test_a_cotangent_that_is_a_python_number_is_drawn():
    _, drawn = points(lambda x: (x**2).sum(), (X, 1), by=vjp).arrays
    assert len(np.unique(drawn)) > 20


def test_an_index_beyond_the_forward_s_arguments_stays_one():
    def entry_of_grad(f):
        return lambda x, i: jax.grad(f)(x)[i]

    _, got = points(lambda x: (x**2).sum(), (X, np.array(2)), by=entry_of_grad).arrays
    np.testing.assert_array_equal(got, 2)


def test_integers_with_gaps_are_drawn_from_those_seen():
    labels = np.array([1, -100, 4, 0])
    (_, got) = points(lambda x, y: (x * y.sum()).sum(), (X, labels)).arrays
    assert set(np.unique(got)) == {-100, 0, 1, 4}


def test_some_indices_are_all_the_same():
    made = points(lambda x, i: (x[i] ** 2).sum(), (X, np.array([0, 2, 1])), thorough=False)
    (repeated,) = made.arrays[1][[name == "repeated indices" for name in made.names]]
    assert len(set(repeated)) == 1


@pytest.mark.parametrize("rows", [np.eye(3, dtype=np.float32)[[2, 0]], np.eye(3, dtype=np.float32)[1]])
def test_one_hot_rows_stay_one_hot(rows):
    _, got = points(lambda x, y: (x * y).sum(), (X, rows)).arrays
    assert set(np.unique(got)) == {0.0, 1.0}
    np.testing.assert_array_equal(got.sum(-1), 1)
    assert len(np.unique(got.reshape(-1, 3), axis=0)) == 3


@pytest.mark.parametrize("dtype", ["float32", "float64", "bfloat16"])
def test_distributions_stay_distributions(dtype):
    rows = np.array([[0.2, 0.1, 0.7], [0.5, 0.5, 0.0]], np.float32)
    _, got = points(lambda x, y: (x * y).sum(), (X, rows), dtype=dtype).arrays
    assert (got >= 0).all()
    np.testing.assert_allclose(got.sum(-1), 1, atol=3 * float(jnp.finfo(dtype).eps))


@pytest.mark.parametrize("end", [5, 50], ids=["a third", "next to nothing"])
def test_a_check_that_could_try_less_than_half_is_an_error(end):
    with pytest.raises(ValueError, match=r"only \d+ of \d+ points are in the forward's domain.*args=key -> args"):
        check_gradient(lambda x: jnp.log(x - end).sum(), lambda x: 1 / (x - end), (np.array([end + 0.5], np.float32),))


def test_tails_are_drawn_apart_and_leave_the_other_points_alone(monkeypatch):
    def others():
        found = points(lambda x: (x**2).sum(), (np.array([0.3, -1.2], np.float32),))
        (x,) = found.arrays
        return x[[not name.startswith(IN_TAIL) for name in found.names]], len(found.names)

    with_tails, more = others()
    monkeypatch.setattr("manual_grads.checking.trials.points.TAILS", ())
    without, fewer = others()
    assert more > fewer
    np.testing.assert_array_equal(with_tails, without)
