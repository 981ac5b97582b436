"""Methods of scikit-learn's mixture that subclasses override, and that nothing here calls.

There a fit is a loop over private methods, and a subclass changes it by overriding them. Here it
runs in compiled passes, which know nothing of such methods: a class that has one is refused, with
the public way to the same end.
"""

from __future__ import annotations

from functools import cache
from types import FunctionType
from typing import NamedTuple

_NOTHING = object()


class _Hook(NamedTuple):
    """The steps that would have to call a method, and what to do instead."""

    steps: str  # letters: s(tart), e(-step), m(-step), l(oop), d(ensity)
    instead: str


_CHECKS = "make the checks in a fit of the class's own, before super().fit"
_START = "pass weights_init, means_init and precisions_init"
_DENSITY = (
    "override score_samples, predict and predict_proba, which score, aic and bic follow; "
    "component_log_density has the densities of the components"
)
_PRINTS = "read lower_bounds_ after the fit, or iterate with accumulate and update"

_HOOKS = {
    "_validate_params": _Hook("l", _CHECKS),
    "_parameter_constraints": _Hook("l", _CHECKS),
    "_check_parameters": _Hook("l", _CHECKS),
    "_initialize_parameters": _Hook("s", _START),
    "_initialize": _Hook("s", _START),
    "_e_step": _Hook(
        "e", "iterate with accumulate, which takes the E-step, and change its statistics"
    ),
    "_m_step": _Hook(
        "m",
        "iterate with update(accumulate(X)), which takes the M-step, and set attributes between; "
        "update='wc', say, leaves the means as they are",
    ),
    "_compute_lower_bound": _Hook("l", "iterate with accumulate and update until it suits"),
    "_get_parameters": _Hook("l", "change the fitted attributes after super().fit"),
    "_set_parameters": _Hook("l", "change the fitted attributes after super().fit"),
    "_print_verbose_msg_init_beg": _Hook("l", _PRINTS),
    "_print_verbose_msg_iter_end": _Hook("l", _PRINTS),
    "_print_verbose_msg_init_end": _Hook("l", _PRINTS),
    "_estimate_log_prob": _Hook("ed", _DENSITY),
    "_estimate_weighted_log_prob": _Hook("ed", _DENSITY),
    "_estimate_log_prob_resp": _Hook("ed", _DENSITY),
    "_estimate_log_weights": _Hook("ed", _DENSITY),
}

#: All that a fit takes.
FIT = "semld"


def overrides(model: object, name: str) -> bool:
    """Whether there is such a method that is neither this library's nor scikit-learn's."""
    if name in vars(model):
        return True
    cls = type(model)
    found = getattr(cls, name, _NOTHING)
    if found is _NOTHING:
        return False
    if isinstance(found, FunctionType):
        # Where it was written, also when a class of this library has been given it since.
        home = found.__globals__.get("__name__", "")
    else:
        home = next((base.__module__ for base in cls.__mro__ if name in vars(base)), "")
    return home.partition(".")[0] not in ("gaussmix", "sklearn")


@cache
def _called_by(steps: str) -> tuple[str, ...]:
    return tuple(name for name, hook in _HOOKS.items() if not set(steps).isdisjoint(hook.steps))


def refuse(model: object, steps: str) -> None:
    """Raise for an overridden method that one of these steps would leave out in silence."""
    own, cls = vars(model), type(model)
    for name in _called_by(steps):
        there = name in own or hasattr(cls, name)  # few are, and the question costs more
        if there and overrides(model, name):
            raise TypeError(
                f"{type(model).__name__} has a {name} of its own, which scikit-learn's "
                "GaussianMixture would call and this one does not, so it would have no effect. "
                f"Instead, {_HOOKS[name].instead}."
            )
