"""`kedge adopt`: an endpoint that others made, from now on watched; nothing of it is changed."""
