"""The only importers of boto3: the service's dialect in, Kedge's values out."""
