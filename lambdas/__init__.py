"""What runs on AWS: handlers decide nothing that kedge does not, adapters alone speak to AWS."""
