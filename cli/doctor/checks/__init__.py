"""One check a file; `every_check` lists them."""
