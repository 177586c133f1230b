"""How one service reaches another: events, queues, topics and schedules."""
