ALTER TABLE events ADD CONSTRAINT no_overlap EXCLUDE USING gist (during WITH &&);
