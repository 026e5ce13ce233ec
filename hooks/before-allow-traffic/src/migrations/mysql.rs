//! MySQL, MariaDB, Aurora MySQL.
//!
//! Almost every statement that changes a schema commits what was done before it, so no file is atomic: each is run step by
//! step, and its position is kept. A statement itself is atomic where the server's dictionary is: MySQL from 8.0, MariaDB
//! from 10.6. <https://dev.mysql.com/doc/refman/8.4/en/implicit-commit.html>,
//! <https://dev.mysql.com/doc/refman/8.4/en/atomic-ddl.html>,
//! <https://mariadb.com/docs/server/reference/sql-statements/data-definition/atomic-ddl>

pub mod attempt;
pub mod fault;
pub mod inspection;
pub mod kind;
pub mod ledger;
pub mod lock;
pub mod session;
pub mod steps;
pub mod tables;
pub mod variables;
