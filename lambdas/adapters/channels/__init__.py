"""How alerts go out: a channel a file, listed in `every_channel`. Words for people are written in `report/`."""
