"""An operator's commands on the deployed Kedge: what happened, and a person's decisions."""
