"""One file a service: how each resource type is made; `every_type` lists them."""
