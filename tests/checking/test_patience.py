"""A check that doesn't return says what it waits for, and only then."""

import time

import pytest

from manual_grads.checking.patience import told_if_slow


@pytest.mark.smoke
def test_it_speaks_when_time_is_over_and_only_then(capsys):
    with told_if_slow("checking f == grad(g)", scales=False, seconds=0.05):
        time.sleep(0.3)
    assert "checking f == grad(g): still running its functions" in capsys.readouterr().err
    with told_if_slow("checking f == grad(g)", scales=False, seconds=0.2):
        pass
    time.sleep(0.4)
    assert capsys.readouterr().err == ""


def test_what_it_suggests_is_what_was_not_given_yet(capsys):
    for given, said in ((False, "give scales=(0.1, 1)"), (True, "give fewer scales=")):
        with told_if_slow("a check", scales=given, seconds=0.02):
            time.sleep(0.2)
        assert said in capsys.readouterr().err
