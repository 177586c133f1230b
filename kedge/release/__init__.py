"""How an approved package comes into service, and whether it may stay.

`plan` says what to request from SageMaker. `canary` compares the new fleet while it bakes. `proof` says whether
it was tried. `serving` says whether the endpoint serves what it should. `approval_order` says which decision of a person came last.
"""
