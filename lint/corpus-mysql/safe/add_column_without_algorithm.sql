ALTER TABLE orders ADD remark varchar(40) AFTER note;
