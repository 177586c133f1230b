"""CloudWatch alarms: read their metrics in `watch`, ring by `rules`, and tell others by `notices`."""
