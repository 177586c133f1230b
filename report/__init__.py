"""Profiles and verdicts as people read them: pages, charts and mails."""
