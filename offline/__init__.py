"""An AWS account inside one process: moto, and what moto lacks, behind the same boto3 calls and on one clock."""
