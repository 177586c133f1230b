"""IAM: `guard` records and judges every call; the other files say what each service's operations ask for."""
