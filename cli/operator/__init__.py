"""An operator's day on the deployed Kedge: what happened, and a person's word in it."""
