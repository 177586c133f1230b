"""What the README says a deployment costs is counted from the templates."""

import re

from benchmarks.cost.templates import counted_in_templates
from tests.synthesised import ROOT, resources


def test_the_readme_counts_the_alarms_that_the_templates_have():
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    system, keys = map(int, re.search(r"\| the system itself \| (\d+) alarms, (\d+) key", text).groups())
    of_a_model = int(re.search(r"\| each model: alarms \| (\d+) by default", text)[1])
    of_models, counted = len(resources("AWS::CloudWatch::Alarm", "KedgeModels-1")), counted_in_templates()
    # These templates use every channel; a deployment of its own has what its routes lead to.
    channels = [path for path in resources("AWS::CloudWatch::Alarm") if "/To" in path or "/Deliver" in path]
    assert f"| pagers, chats and webhooks | 1 alarm, and 1 for each channel in use: at most {len(channels)} |" in text
    assert (system, keys) == (counted["alarms"], counted["keys"])
    assert of_a_model * len(resources("AWS::SageMaker::ModelPackageGroup")) == of_models
    assert f"| ${0.1 * system + keys:.2f} |" in text
