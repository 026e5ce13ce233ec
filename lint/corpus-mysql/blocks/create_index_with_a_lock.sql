CREATE INDEX by_note ON `orders` (note(10), total DESC) LOCK=SHARED;
