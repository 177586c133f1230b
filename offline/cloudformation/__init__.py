"""CloudFormation: deploys a cloud assembly through the services' own APIs."""
