//! The same for MySQL and MariaDB: will blue survive these files?

pub mod statements;
