-- it's /* never closed
ALTER TABLE orders # and here, too: '
  DROP COLUMN note;
