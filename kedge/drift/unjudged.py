"""What cannot be judged where only one side of the requests is captured, and why."""

from __future__ import annotations

from kedge.config.model import ModelConfig


def unjudged_side(config: ModelConfig) -> tuple[str, ...]:
    """One sentence where requests or answers are not captured; none where both are.

    >>> from kedge.config.sections import Capture, Endpoint, Feature
    >>> there = Capture(uri="s3://theirs/logs", mode="Output")
    >>> unjudged_side(ModelConfig(model="m", mode="watch", endpoint=Endpoint(name="e"), features=(), capture=there))[0][:60]
    'endpoint e captures only its answers (CaptureMode Output): d'
    """
    if config.capture.mode == "InputAndOutput":
        return ()
    if config.capture.has_requests:
        side, lost = (
            "requests (CaptureMode Input)",
            "drift of the answers, measured and estimated quality, and fairness",
        )
    else:
        side, lost = "answers (CaptureMode Output)", "drift of the features, and quality by segment"
    return (
        f"endpoint {config.endpoint.name} captures only its {side}: {lost} cannot be judged; to have all judged, let it capture both "
        f"(kedge adopt {config.endpoint.name} --enable-capture), then adopt it anew",
    )
