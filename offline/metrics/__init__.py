"""CloudWatch metrics: kept in `store`, read and written through `cloudwatch`, computed by `math`."""
