CREATE INDEX by_language ON greetings (language) LOCK = NONE;
UPDATE greetings SET language = 'de' WHERE greeted = 'Lin; or so';
