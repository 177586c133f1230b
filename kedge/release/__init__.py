"""How an approved package comes into service, and whether it may stay.

`plan` says what is asked of SageMaker, `canary` compares it while it bakes, `proof` says whether it was tried,
`serving` whether what serves is what was meant, `approval_order` which word of a person came last.
"""
