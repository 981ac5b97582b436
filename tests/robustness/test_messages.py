"""Messages are bounded, on as few lines as they were written in, and hold nothing to obey."""

from __future__ import annotations

import warnings
from fractions import Fraction

import numpy as np
import pytest

import gaussmix
from gaussmix import GaussianMixture, cli
from gaussmix._common import text
from gaussmix.sources import ChunkSource, RowSource

MOST = 1500
EVIL = "\x1b[31m\x1b]0;title\x07\u202e\r\n\t\x00"


def said(call):
    """The messages of the warnings and of the exception of a call."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        try:
            call()
        except (ValueError, TypeError) as error:
            caught.append(warnings.WarningMessage(error, type(error), "", 0))
    return [str(warning.message) for warning in caught]


def assert_bounded(messages):
    assert messages
    for message in messages:
        assert len(message) < MOST, (len(message), message[:300])
        # Lines are the library's own, as in a list of names.
        assert message.replace("\n", "").isprintable(), message


def table(n_columns, name):
    """Rows in columns with names made of their number."""
    pd = pytest.importorskip("pandas")
    rows = np.random.default_rng(0).normal(size=(30, n_columns))
    return pd.DataFrame(rows, columns=[name(j) for j in range(n_columns)])


@pytest.mark.parametrize(
    "name", [None, "gene {}".format, lambda j: f"{j}" + "x" * 100_000, lambda j: f"{EVIL}{j}"]
)
def test_lists_of_columns(name):
    X = np.random.default_rng(0).normal(size=(30, 400))
    constant, empty, short = X.copy(), X.copy(), X[:, :60]
    constant[:, 100:] = 7.0
    empty[:, 100:] = np.nan
    if name is not None:
        pd = pytest.importorskip("pandas")
        names = [name(j) for j in range(400)]
        constant, empty = (pd.DataFrame(rows, columns=names) for rows in (constant, empty))
        short = pd.DataFrame(short, columns=names[:60])

    def fit(rows, **params):
        return said(lambda: GaussianMixture(2, random_state=0, **params).fit(rows))

    (message,) = fit(constant, covariance_type="diag")
    assert "and 295 more" in message
    assert_bounded([message])
    assert_bounded(fit(constant, covariance_type="spherical"))
    (message,) = fit(empty, covariance_type="diag", allow_nan=True)
    assert "and 295 more" in message
    assert_bounded([message])
    messages = fit(short, reg_covar=0)
    assert "and " in messages[-1]
    assert_bounded(messages)
    assert_bounded(fit(short, reg_covar=0, covariance_type="tied", on_collapse="drop"))
    assert_bounded(fit(short, reg_covar=0, on_collapse="drop", max_iter=3))
    error = GaussianMixture(2, reg_covar=0, random_state=0)
    with pytest.raises(gaussmix.IllDefinedCovarianceError) as caught:
        error.fit(short)
    assert len(caught.value.columns) > 5  # which has them all


def test_names_that_do_not_match():
    for name in ("a {}".format, lambda j: f"{j}" + "x" * 100_000, lambda j: f"{EVIL}{j}"):
        first = table(50, name)
        model = GaussianMixture(covariance_type="diag").fit(first)
        other = table(50, lambda j, name=name: "other " + name(j))
        for rows in (other, first[first.columns[::-1]], first.iloc[:, :30]):
            assert_bounded(said(lambda rows=rows, model=model: model.predict(rows)))
        assert_bounded(said(lambda m=model, name=name: m.marginal([name(0), name(0)])))
        assert_bounded(said(lambda m=model, name=name: m.marginal("no " + name(0))))
        assert_bounded(
            said(lambda m=model, X=other, name=name: m.predict_conditional(X, [name(1)]))
        )
        pieces = ChunkSource([first, other])
        assert_bounded(said(lambda m=model, pieces=pieces: m.score(pieces)))
        bad = first.copy()
        bad.iloc[3, 4] = np.nan
        assert_bounded(said(lambda m=model, bad=bad: m.predict(bad)))
        bad = first.astype(object)
        bad.iloc[3, 4] = EVIL * 1000
        assert_bounded(said(lambda m=model, bad=bad: m.predict(bad)))


@pytest.mark.parametrize(
    "value",
    [
        10**5000,
        -(10**5000),
        "x" * 10**6,
        EVIL + "\udc80",
        [10**5000] * 1000,
        [["x" * 1000] * 30] * 30,
        Fraction(10**5000, 3),
        np.full((50, 50), 10**400, dtype=object),
        np.array(["x" * 10_000] * 3),
        {"a" * 10_000: "b" * 10_000},
        type("Evil", (), {"__repr__": lambda self: EVIL * 1000})(),
        type("Broken", (), {"__repr__": lambda self: 1 / 0})(),
    ],
    ids=text.shown,
)
def test_values(value):
    shown = text.shown(value)
    assert len(shown) < 300
    assert shown.isprintable()
    model = GaussianMixture().fit(np.random.default_rng(0).normal(size=(20, 2)))
    for call in (
        lambda: model.predict(1.0 if isinstance(value, str) else value),  # no path
        lambda: model.predict([[value]]),
        lambda: model.fit([[0.0, 1.0]] * 20, sample_weight=value),
        lambda: model.marginal(value),
        lambda: model.condition(0, value),
        lambda: model.revive(value),
        lambda: model.retire(value),
        lambda: model.sample(value),
        lambda: model.update(model.accumulate(np.eye(2)), value),
        lambda: GaussianMixture(means_init=value).fit([[0.0, 1.0]] * 20),
        lambda: GaussianMixture.from_parameters(value, [[0.0]], [1.0]),
        lambda: GaussianMixture.from_parameters([1.0], [[0.0]], [1.0], covariance_type=value),
        lambda: GaussianMixture(random_state=value, n_init=2, max_iter=1).fit(np.eye(3)).sample(2),
        lambda: model.set_params(**{str(text.shown(value)) * 9: 1}),
    ):
        assert_bounded(said(call))
    assert len(repr(GaussianMixture(tol=value))) < MOST


def test_short_values_are_as_in_python():
    for value in (None, 3, -1.5, "a'b", [1, "two"], (1,), {"a": 1}, np.float32(2), 10**39):
        assert text.shown(value) == repr(value)


def test_how_many_more():
    assert text.listed([1, 2, 3, 4, 5]) == "1, 2, 3, 4, 5"
    assert text.listed(range(10_000)) == "0, 1, 2, 3, 4 and 9,995 more"
    assert text.listed([]) == ""
    assert text.shown([[0] * 10**6] * 10**6).startswith("[[0, 0, 0")


def test_components():
    K = 3000
    model = GaussianMixture.from_parameters(np.full(K, 1 / K), np.arange(K)[:, None], np.ones(K))
    assert_bounded(said(lambda: model.retire(np.arange(K))))
    assert_bounded(said(lambda: model.revive(np.arange(K))))


def test_sources():
    class Evil(RowSource):
        def chunks(self):
            yield np.ones((2, 2))
            yield np.ones((2, 3))

        def __str__(self):
            return EVIL * 1000

    assert_bounded(said(lambda: GaussianMixture().fit(Evil())))


@pytest.mark.parametrize(
    ("option", "text"),
    [
        *(("--components", text) for text in ("0", "1.5", "9" * 400, "9" * 5000, "\x1b[2J")),
        *(("--memory", text) for text in ("9" * 400 + "GB", "9" * 5000 + "MB", "1" * 30 + "TB")),
        *(("--max-iter", text) for text in ("-1", "9" * 5000)),
        *(("--threads", text) for text in ("0", "9" * 5000)),
        *(("--seed", text) for text in ("-1", "9" * 400)),
        *(("--tol", text) for text in ("9" * 400, "nan", "x" * 5000)),
        *(("--variance-floor", text) for text in ("1", "9" * 400)),
        *(("--on-collapse", text) for text in ("x" * 5000, "\x1b[2J")),
    ],
    ids=text.shown,
)
def test_options_of_the_command_line(capsys, option, text):
    arguments = {"--components": "2", option: text}
    with pytest.raises(SystemExit) as caught:
        cli.main(["fit", "x.csv", "-o", "m.npz", *(s for pair in arguments.items() for s in pair)])
    assert caught.value.code == 2
    message = capsys.readouterr().err
    assert option in message
    assert len(message) < 2100
    assert message[:-1].isprintable()
