"""Whether a challenger may be proposed.

`every_check` lists the checks and judges by them; `holdout` is what each is given and answers with. `challenger` compares with
the champion, `groups` looks at whom it treats less alike, `business` at the business's figures.
`own_rows` looks at what no holdout row shows; `facts` is what of that is at hand.
"""
