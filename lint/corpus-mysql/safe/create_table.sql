CREATE TABLE `invoices` (
  id bigint unsigned NOT NULL AUTO_INCREMENT,
  note varchar(40) COLLATE utf8mb4_bin DEFAULT 'DROP TABLE orders; --',
  PRIMARY KEY (id), KEY by_note (note), CONSTRAINT c CHECK (note <> '')
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 /*!50100 PARTITION BY HASH (id) PARTITIONS 2 */;
