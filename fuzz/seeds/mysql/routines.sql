CREATE TABLE `a;b` (id int COMMENT 'it\'s; x', n text DEFAULT "y"); # a comment;
/*!40101 SET NAMES utf8 */;
/*M!100500 ALTER TABLE t ADD x int */;
create procedure p() begin declare x int; if x then select 1; end if; case x when 1 then select 2; end case; end;
CREATE TRIGGER t BEFORE INSERT ON o FOR EACH ROW SET NEW.a = 1;
ALTER TABLE orders ADD note int, ALGORITHM=INSTANT, LOCK=NONE;
