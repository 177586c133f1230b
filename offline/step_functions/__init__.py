"""Step Functions: moto's interpreter on the account's clock, with the service's own limits."""
