"""Whether requests are divided as they should be, by a test that stays right however often one looks."""

from __future__ import annotations

import math

# The prior is worth this many requests: with it a share of 10 % that is off by a tenth is found within some ten thousand.
_PRIOR_REQUESTS = 1_000


def share_p_value(hits: int, trials: int, *, share: float) -> float:
    """An always-valid p-value of a number of hits among the trials, if each is a hit with the chance `share`.

    The share's likelihood by that of a Beta mixture about it, 1 at most: B(a, b) p^x (1 - p)^(n - x) / B(a + x, b + n - x), with
    a and b the prior's p and 1 - p. It is the test for two arms of Lindon and Malek (2022), Advances in Neural Information
    Processing Systems 35, "Anytime-valid inference for multinomial count data". The chance that it is *ever* at most alpha is at
    most alpha (Ville), however often one looks; so one looks at it as it stands. `chi_square` is for one look.

    Raises nothing: no trials give 1.

    >>> round(share_p_value(103, 1_000, share=0.1), 3), share_p_value(1_500, 10_000, share=0.1) < 1e-9
    (1.0, True)

    Parameters
    ----------
    hits, trials : int
        Requests that one of two answered, and those that either did.
    share : float
        Which share of them it should answer, between 0 and 1.
    """
    a, b = _PRIOR_REQUESTS * share, _PRIOR_REQUESTS * (1 - share)
    misses = trials - hits
    logarithm = hits * math.log(share) + misses * math.log1p(-share)
    logarithm += _log_beta(a, b) - _log_beta(a + hits, b + misses)
    return math.exp(min(logarithm, 0.0))


def _log_beta(a: float, b: float) -> float:
    return math.lgamma(a) + math.lgamma(b) - math.lgamma(a + b)
