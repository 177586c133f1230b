"""Every channel that an alert goes out by: adding one is its file and one line here."""

from __future__ import annotations

from collections.abc import Mapping

from lambdas.adapters.channels import people, programs
from lambdas.adapters.channels.channel import Channel

# A message that could not be sent is kept in the state table under its channel's name.
CHANNELS: Mapping[str, Channel] = {"people": people.send, "programs": programs.send}
