"""One step a file; `every_step` lists them."""
