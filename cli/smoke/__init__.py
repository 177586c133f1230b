"""`kedge smoke`: a proof in ten steps that the deployed Kedge works. A step is a file here and a line in `steps.STEPS`."""
