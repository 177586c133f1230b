"""What a model costs a month before it is deployed: measured work of the functions, times how often they run, times AWS's prices.

`work` knows what one run takes, `runs` how often each function runs and for what, `lines` what AWS takes for it, `estimate` the whole.
"""
