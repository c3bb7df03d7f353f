"""What is left out costs nothing, whatever it holds; labels that no class has; and what is refused, by name."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from manual_grads.nn import linear_softmax_cross_entropy
from tests.nn.linear_cross_entropy.truth import check, problem, truth
from tests.quick import quick_jit

OPTIONS = [{}, {"block_classes": 4}, {"block_rows": 5, "block_classes": 4}]


def value_and_grads(h, B, y, where=None, reduction: Any = "sum", **options):
    def summed(h, B):
        return linear_softmax_cross_entropy(h, B, y, where=where, reduction=reduction, **options).sum()

    return jax.value_and_grad(summed, (0, 1))(h, B)


def of_known_labels(h, B, y, where=None, **options):
    """The same, jitted, of labels and a mask that JAX doesn't trace."""
    return quick_jit(lambda h, B: value_and_grads(h, B, y, where, **options))(h, B)


@pytest.mark.parametrize(("options", "reduction"), list(zip(OPTIONS, ["mean", "sum", "none"], strict=True)))
@pytest.mark.parametrize("traced", [pytest.param(False, marks=pytest.mark.slow), True])
def test_examples_left_out_cost_nothing(traced, options, reduction):
    h, B, y = problem(12, 3, 11)
    keep = np.arange(12) % 3 != 1
    h_bad, y_bad = np.where(keep[:, None], h, [np.nan, np.inf, 1]), np.where(keep, y, -100)
    c = keep / keep.sum() if reduction == "mean" else keep * 1.0
    want, bounds = truth(h, B, y, c)

    if traced:
        f = quick_jit(lambda y, where: value_and_grads(h_bad, B, y, where, reduction, **options))
        loss, (dh, dB) = f(y_bad, keep)
    else:
        loss, (dh, dB) = of_known_labels(h_bad, B, y_bad, keep, reduction=reduction, **options)
    check((want.loss, dh, dB), want, bounds, 2.0**-24)
    np.testing.assert_allclose(loss, (c * want.loss).sum(), rtol=1e-5)
    assert (dh[~keep] == 0).all()


@pytest.mark.smoke
@pytest.mark.parametrize("reduction", ["mean", "sum", "none"])
def test_all_left_out(reduction):
    h, B, y = np.full((5, 3), np.nan, np.float32), problem(5, 3, 7)[1], np.full(5, -100)
    loss, grads = of_known_labels(h, B, y, False, reduction=reduction)
    assert loss == 0
    assert all((grad == 0).all() for grad in grads)


@pytest.mark.parametrize("reduction", ["mean", "sum", "none"])
def test_no_examples(reduction):
    B = problem(5, 3, 7)[1]
    loss, (dh, dB) = of_known_labels(np.zeros((0, 3), np.float32), B, np.zeros(0, int), reduction=reduction)
    assert loss == 0
    assert dh.shape == (0, 3)
    assert (dB == 0).all()


def test_no_hidden_units():
    loss, (dh, dB) = of_known_labels(np.zeros((5, 0), np.float32), np.zeros((7, 0), np.float32), np.zeros(5, int))
    np.testing.assert_allclose(loss, 5 * np.log(7), rtol=1e-6)
    assert (dh.shape, dB.shape) == ((5, 0), (7, 0))


@pytest.mark.smoke
def test_one_example_without_batch_axes():
    h, B, y = problem(1, 3, 7)
    want, bounds = truth(h, B, y, np.ones(1))
    loss, (dh, dB) = of_known_labels(h[0], B, int(y[0]))
    assert loss.shape == ()
    check((loss[None], dh[None], dB), want, bounds, 2.0**-24)


@pytest.mark.parametrize(("options", "reduction"), list(zip(OPTIONS, ["none", "mean", "sum"], strict=True)))
def test_a_traced_label_outside_the_classes_gives_nan(options, reduction):
    h, B, y = problem(12, 3, 11)
    f = quick_jit(lambda y: value_and_grads(h, B, y, reduction=reduction, **options))
    for label in (-1, 11, 2**31 - 1, -(2**31)):
        loss, (dh, dB) = f(np.append(y[1:], label).astype(np.int32))
        assert np.isnan(loss)
        assert np.isnan(dh[-1]).all()
        assert np.isfinite(dh[:-1]).all()
        assert np.isnan(dB).all()


@pytest.mark.parametrize("label", [-1, 11, 2**32 + 1])
def test_a_known_label_outside_the_classes_is_refused(label):
    h, B, y = problem(3, 2, 11)
    with pytest.raises(
        ValueError, match=rf"labels holds {label}, expected class indices from 0 to 10; .*ignore_index="
    ):
        linear_softmax_cross_entropy(h, B, np.append(y[1:], label))


def test_a_known_label_that_no_class_has_is_never_another_class_s_where_the_mask_is_traced():
    h, B, y = problem(3, 2, 11)
    y = np.append(y[1:], 2**32 + 1)
    f = quick_jit(lambda where: linear_softmax_cross_entropy(h, B, y, where=where))
    assert np.isnan(f(np.ones(3, bool)))
    assert np.isfinite(f(np.array([True, True, False])))


@pytest.mark.parametrize("dtype", ["int8", "uint8", "int16", "uint32", "int32"])
def test_labels_of_any_integer_dtype(dtype):
    h, B, _ = problem(3, 2, 300)
    y = np.array([1, 100, 7])
    loss = quick_jit(
        lambda: [linear_softmax_cross_entropy(h, B, labels) for labels in (y, jnp.asarray(y, dtype), y.tolist())]
    )
    assert len(set(map(float, loss()))) == 1


@pytest.mark.parametrize("dtype", ["int32", "uint8", "int64"])
def test_an_ignored_label_takes_no_part_in_any_integer_dtype(dtype):
    """255 is what −100 can't be in uint8; known and traced; and no label of uint8 is −100."""
    h, B, _ = problem(3, 2, 11)
    labels = np.array([1, 255, 3], dtype)
    kept, arrays = jnp.asarray(labels[::2]), (labels, jnp.asarray(labels))

    @quick_jit
    def losses(traced):
        known = [linear_softmax_cross_entropy(h, B, given, ignore_index=255) for given in arrays]
        of_kept = linear_softmax_cross_entropy(h[::2], B, kept, ignore_index=-100)
        return [*known, linear_softmax_cross_entropy(h, B, traced, ignore_index=255), of_kept]

    want = quick_jit(lambda: linear_softmax_cross_entropy(h[::2], B, labels[::2]))()
    np.testing.assert_allclose(losses(labels), [want] * 4, rtol=1e-6)
    with pytest.raises(ValueError, match="labels holds 255"):
        linear_softmax_cross_entropy(h, B, labels, ignore_index=-100)


def test_a_traced_label_outside_the_classes_is_nan_with_any_option():
    h, B, y = problem(4, 3, 11)
    options = {"bias": np.zeros(11, np.float32), "class_weights": np.zeros(11, np.float32)}
    options |= {"label_smoothing": 0.1, "z_loss": 0.1, "soft_cap": 2.0, "logit_scale": 2.0}
    f = quick_jit(lambda y: value_and_grads(h, B, y, reduction="none", **options))
    loss, (dh, _) = f(np.append(y[1:], 11).astype(np.int32))
    assert np.isnan(loss)
    np.testing.assert_array_equal(np.isnan(dh).all(1), [False, False, False, True])


H, B, Y = problem(4, 3, 7)
BAD = [
    ((H.astype(int), B, Y), {}, TypeError, "hidden has dtype int"),
    ((np.float32(1), B, Y), {}, ValueError, r"hidden has shape \(\)"),
    ((H, B[0], Y), {}, ValueError, r"weights has shape \(3,\), expected 2 axes"),
    ((H, B.T, Y), {}, ValueError, r"weights has shape \(3, 7\), expected classes × 3"),
    ((H, B[:0], Y), {}, ValueError, r"weights has shape \(0, 3\), expected at least one class"),
    ((H, B, Y.astype(np.float32)), {}, TypeError, "labels has dtype float32, expected integers"),
    ((H, B, Y > 1), {}, TypeError, "labels has dtype bool, expected integers"),
    ((H, B, None), {}, TypeError, "labels"),
    ((H, B, Y[:2]), {}, ValueError, r"labels has shape \(2,\), expected hidden.shape\[:-1\] = \(4,\)"),
    ((H, B, Y), {"where": Y}, TypeError, "where has dtype int64, expected bool"),
    ((H, B, Y), {"where": Y[:3] > 1}, ValueError, r"where has shape \(3,\)"),
    ((H, B, Y), {"reduction": "max"}, ValueError, "reduction is 'max', expected 'mean', 'sum' or 'none'"),
    ((H, B, Y), {"block_rows": 0}, ValueError, "block_rows is 0, expected at least 1"),
    ((H, B, Y), {"block_classes": 2.0}, TypeError, "block_classes is 2.0, expected an integer"),
    ((H, B, Y), {"bias": B[:, 0].astype(int)}, TypeError, "bias has dtype int"),
    ((H, B, Y), {"bias": B[:3, 0]}, ValueError, r"bias has shape \(3,\), expected one number for each class.*\(7,\)"),
    ((H, B, Y), {"bias": 1.0}, ValueError, r"bias has shape \(\)"),
    ((H, B, Y), {"soft_cap": 0}, ValueError, "soft_cap is 0, expected a number above 0"),
    ((H, B, Y), {"soft_cap": -30.0}, ValueError, "soft_cap is -30.0"),
    ((H, B, Y), {"soft_cap": np.inf}, ValueError, "soft_cap is inf"),
    ((H, B, Y), {"soft_cap": "30"}, TypeError, "soft_cap is '30', expected a number above 0"),
    ((H, B, Y), {"logit_scale": B[0]}, ValueError, r"logit_scale has shape \(3,\), expected one number"),
    ((H, B, Y), {"logit_scale": np.ones((), int)}, TypeError, "logit_scale has dtype int"),
    ((H, B, Y), {"logit_scale": True}, TypeError, "logit_scale has dtype bool"),
    ((H, B, Y), {"label_smoothing": 1.0}, ValueError, "label_smoothing is 1.0, expected a number from 0 to below 1"),
    ((H, B, Y), {"label_smoothing": -0.1}, ValueError, "label_smoothing is -0.1"),
    ((H, B, Y), {"label_smoothing": np.nan}, ValueError, "label_smoothing is nan"),
    ((H, B, Y), {"label_smoothing": H[0]}, TypeError, "label_smoothing is .*expected a number"),
    ((H, B, Y), {"z_loss": -1e-4}, ValueError, "z_loss is -0.0001, expected a number from 0 on"),
    ((H, B, Y), {"z_loss": None}, TypeError, "z_loss is None"),
    ((H, B, Y), {"class_weights": -(B[:, 0] ** 2)}, ValueError, "class_weights holds -.* for class 0"),
    ((H, B, Y), {"class_weights": B[:5, 0]}, ValueError, r"class_weights has shape \(5,\)"),
    ((H, B, Y), {"class_weights": np.ones(7, int)}, TypeError, "class_weights has dtype int"),
    ((H, B, Y), {"ignore_index": -100.0}, TypeError, "ignore_index is -100.0, expected an integer"),
    ((H, B, Y), {"ignore_index": True}, TypeError, "ignore_index is True, expected an integer"),
    ((H, B, Y * 1.0), {"ignore_index": -100}, TypeError, "labels has dtype float"),
    ((H, B, Y[:2]), {"ignore_index": -100}, ValueError, r"labels has shape \(2,\)"),
    ((H, B, Y), {"has_aux": 1}, TypeError, "has_aux is 1, expected True or False"),
    (
        (H, B, Y),
        {"precision": "tf32"},
        ValueError,
        "precision is 'tf32', expected None, 'default', 'high' or 'highest'",
    ),
    ((H, B, Y), {"class_axis": "model"}, ValueError, "class_axis is 'model'.*inside jax.shard_map"),
]


@pytest.mark.parametrize(("args", "options", "error", "message"), BAD, ids=lambda x: x if isinstance(x, str) else "")
def test_bad_input_is_refused_by_name(args, options, error, message):
    with pytest.raises(error, match=message):
        linear_softmax_cross_entropy(*args, **options)
