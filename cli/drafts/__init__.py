"""`kedge init`: a model's YAML drafted from rows or from an endpoint."""
