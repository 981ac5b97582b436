"""Methods of scikit-learn's mixture that subclasses override, and that nothing here calls.

There a fit is a loop over private methods, and a subclass changes it by overriding them. Here it
runs in compiled passes, which know nothing of such methods: a class that has one is refused, with
the public way to the same end.
"""

from __future__ import annotations

from typing import Any, NamedTuple

# Packages whose methods nobody has overridden anything with.
_KNOWN = ("gaussmix", "sklearn")


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
    """Whether a method is neither this library's nor scikit-learn's."""
    if name in vars(model):
        return True
    for cls in type(model).__mro__:
        if name in vars(cls):
            return not (_is_known(cls, "sklearn") or _is_known(vars(cls)[name], *_KNOWN))
    return False


def _is_known(thing: Any, *packages: str) -> bool:
    return str(getattr(thing, "__module__", "")).partition(".")[0] in packages


def refuse(model: object, steps: str) -> None:
    """Raise for an overridden method that one of these steps would leave out in silence."""
    for name, hook in _HOOKS.items():
        if not set(steps).isdisjoint(hook.steps) and overrides(model, name):
            raise TypeError(
                f"{type(model).__name__} has a {name} of its own, which scikit-learn's "
                "GaussianMixture would call and this one does not, so it would have no effect. "
                f"Instead, {hook.instead}."
            )
