CREATE INDEX events_by_time ON ONLY events (at);
