"""What SageMaker's own XGBoost image does where it is given no script. Its programs import nothing of the account's."""

from pathlib import Path

TRAINING, SERVING = (Path(__file__).with_name(f"algorithm_{name}.py") for name in ("training", "serving"))
