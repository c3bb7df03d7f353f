"""Compiling is what a check's time goes to: tests of the same function share it."""

from functools import partial

import numpy as np
import pytest

from manual_grads.checking import check, mismatch
from manual_grads.checking.truth.compiled import compiled_oracles

KEPT = {}


@pytest.fixture
def shared_oracles(monkeypatch):
    """Claims about the same derivative, of arrays of the same shapes, are checked by the same compiled oracles."""
    monkeypatch.setattr(check, "compiled_oracles", _shared)


@pytest.fixture
def undiagnosed(monkeypatch):
    """A rejection doesn't say why, which takes as long as to find it."""
    monkeypatch.setattr(mismatch, "diagnosis", lambda *_: [])


@pytest.fixture(autouse=True)
def unmended(monkeypatch):
    """What mends a rejected gradient isn't looked for, which takes longer than all else; `repair/` has its tests."""
    monkeypatch.setattr(mismatch, "repairs_of", lambda *_: ([], ""))


def _shared(claim, example, example_eps, thorough, widest, own, products_u):
    mine = compiled_oracles(claim, example, example_eps, thorough, widest, own, products_u)
    by = (claim.by.func, *claim.by.args, *claim.by.keywords.items()) if isinstance(claim.by, partial) else claim.by
    shapes = tuple((np.shape(x), x.dtype) for x in example)
    kept = KEPT.setdefault((claim.forward, by, claim.structure, claim.held, shapes, thorough, products_u), mine)
    return kept._replace(manual=mine.manual, example_eps=example_eps)
