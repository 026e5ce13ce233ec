//! Killed functions, lost connections, no time left.

use std::time::Duration;

use greenlight::check::{Answer, Check};

use crate::world::{Gate, World, chain, until};

/// Statements that would show if they ran twice or not at all.
pub(crate) const STATEMENTS: [&str; 11] = [
    "CREATE TABLE orders (id int PRIMARY KEY, total int) ENGINE = InnoDB;\n",
    "INSERT INTO orders SELECT seq, seq FROM seq_1_to_1000;\n",
    "ALTER TABLE orders ADD COLUMN note varchar(20), ADD INDEX (total);\n",
    "UPDATE orders SET total = total + 1;\n",
    "START TRANSACTION; INSERT INTO orders VALUES (0, 0, ''); UPDATE orders SET total = total * 2; COMMIT;\n",
    "CREATE INDEX by_note ON orders (note);\n",
    "ALTER TABLE orders CHANGE note remark varchar(30) DEFAULT 'x';\n",
    "CREATE TRIGGER t BEFORE UPDATE ON orders FOR EACH ROW SET NEW.total = NEW.total + 1;\n",
    "CREATE TEMPORARY TABLE more (id int); INSERT INTO more VALUES (1), (2); UPDATE orders, more SET orders.total = 7 WHERE orders.id = more.id;\n",
    "DROP TRIGGER t;\n",
    "RENAME TABLE orders TO purchases;\n",
];

/// What a database looks like from outside: its rows, its definition, its ledger.
pub(crate) async fn state(world: &World) -> Vec<String> {
    let mut state = world.rows("SELECT CONCAT(COUNT(*), ' ', SUM(total), ' ', COUNT(remark)) FROM purchases").await;
    let of = "table_schema = DATABASE() AND table_name = 'purchases'";
    let columns = "CONCAT_WS(' ', column_name, column_type, is_nullable, column_default, column_key)";
    state.extend(world.rows(&format!("SELECT {columns} FROM information_schema.columns WHERE {of} ORDER BY 1")).await);
    let keys = "CONCAT_WS(' ', index_name, seq_in_index, column_name)";
    state.extend(world.rows(&format!("SELECT {keys} FROM information_schema.statistics WHERE {of} ORDER BY 1")).await);
    state.extend(
        world.rows("SELECT trigger_name FROM information_schema.triggers WHERE trigger_schema = DATABASE()").await,
    );
    state.extend(world.rows("SELECT CONCAT(version, ' ', success) FROM _sqlx_migrations").await);
    state
}

/// Starts the check, and ends it as soon as it stands before the gate: by itself, or by the server.
async fn ended_at_the_gate(world: &World, by_server: bool) {
    let gate = Gate::closed(world).await;
    let (check, context) = (world.check(), world.context.clone());
    let running = tokio::spawn(async move { check.ask(&context).await });
    let id = world.reached_gate().await;
    if by_server {
        world.run(&format!("KILL {id}")).await;
        let unknown = running.await.unwrap().unwrap_err();
        assert!(unknown.transient);
        let said = chain(&unknown);
        assert!(said.contains("1_a.sql line") && said.contains("its ledger tells what was done"), "{said}");
        assert!(said.contains("traffic stays on blue"), "{said}");
    } else {
        running.abort();
        assert!(running.await.unwrap_err().is_cancelled());
    }
    drop(gate);
}

/// Ended before every statement of a file, and after the last one.
#[tokio::test]
async fn a_run_ended_between_any_two_steps_converges() {
    let undisturbed = World::with(&[("1_a.sql", &STATEMENTS.concat())]).await;
    undisturbed.yes().await;
    let expected = state(&undisturbed).await;
    assert_eq!(expected[0], "1001 1003006 1");
    for place in 0..=STATEMENTS.len() {
        for by_server in [true, false] {
            let world = World::with(&[]).await;
            let (before, after) = STATEMENTS.split_at(place);
            world.write("1_a.sql", &format!("{}{}{}", before.concat(), world.gate(), after.concat()));
            ended_at_the_gate(&world, by_server).await;
            world.yes().await;
            assert_eq!(state(&world).await, expected, "ended before statement {place}, by the server: {by_server}");
        }
    }
}

/// In the middle of a transaction, of our own and of the file's.
#[tokio::test]
async fn a_run_ended_in_a_transaction_leaves_nothing_of_it() {
    let world = World::with(&[]).await;
    let sql = format!(
        "CREATE TABLE a (x int) ENGINE = InnoDB;\nSTART TRANSACTION;\nINSERT INTO a VALUES (1);\n{}INSERT INTO a VALUES (2);\nCOMMIT;\n\
         CREATE TEMPORARY TABLE t (x int);\nINSERT INTO a VALUES (3);\nINSERT INTO t VALUES (4);\nINSERT INTO a SELECT x FROM t;",
        world.gate()
    );
    world.write("1_a.sql", &sql);
    ended_at_the_gate(&world, true).await;
    assert_eq!(world.rows("SELECT x FROM a").await, Vec::<String>::new());
    world.yes().await;
    assert_eq!(world.rows("SELECT x FROM a ORDER BY x").await, ["1", "2", "3", "4"]);
}

/// A long rebuild: the server ends it, or it comes to its end although nobody listens.
#[tokio::test]
async fn a_rebuild_that_was_interrupted_is_done_once() {
    for by_server in [true, false] {
        let world = World::with(&[(
            "1_a.sql",
            "ALTER TABLE orders ADD COLUMN more int NOT NULL DEFAULT 1, ADD INDEX (total), ALGORITHM = COPY;",
        )])
        .await;
        world.run("CREATE TABLE orders (id int PRIMARY KEY, total char(200)) ENGINE = InnoDB").await;
        world.run("INSERT INTO orders SELECT seq, seq FROM seq_1_to_100000").await;
        let (check, context) = (world.check(), world.context.clone());
        let running = tokio::spawn(async move { check.ask(&context).await });
        let id = world.running("state = 'copy to tmp table'").await;
        if by_server {
            world.run(&format!("KILL {id}")).await;
            assert!(running.await.unwrap().unwrap_err().transient);
        } else {
            running.abort();
        }
        world.yes().await;
        assert_eq!(world.rows("SELECT SUM(more) FROM orders").await, ["100000"]);
        let keys = "SELECT COUNT(*) FROM information_schema.statistics WHERE table_schema = DATABASE() AND table_name = 'orders'";
        assert_eq!(world.rows(keys).await, ["2"], "the index has no name, so it could be made twice");
    }
}

/// As if each statement had been done, and the function killed before it could say so.
#[tokio::test]
async fn a_step_in_doubt_that_was_done_is_not_done_again() {
    for (sql, before) in [
        ("CREATE TABLE b (x int)", ""),
        ("CREATE VIEW b AS SELECT 1", ""),
        ("DROP TABLE a", ""),
        ("RENAME TABLE a TO b", ""),
        ("CREATE TRIGGER t BEFORE INSERT ON a FOR EACH ROW SET NEW.x = 1", ""),
        ("CREATE PROCEDURE p() SELECT 1", ""),
        ("DROP PROCEDURE p", "CREATE PROCEDURE p() SELECT 1"),
        ("CREATE EVENT e ON SCHEDULE EVERY 1 DAY DO SELECT 1", ""),
        ("CREATE OR REPLACE VIEW b AS SELECT 1", ""),
        ("GRANT SELECT ON a TO migrator", ""),
        ("TRUNCATE a", ""),
    ] {
        let world = World::with(&[("1_a.sql", &format!("DO 0;\n{sql};\nSELECT oops"))]).await;
        world.run(&format!("CREATE TABLE a (x int); {before}")).await;
        world.no().await;
        let only_first = World::with(&[("1_a.sql", "DO 0;\nSELECT oops")]).await;
        only_first.no().await;
        let first = only_first.rows("SELECT HEX(digest) FROM _greenlight_steps").await.remove(0);
        // Nobody heard of the second step.
        let doubt = format!("doubted = digest, digest = UNHEX('{first}'), done = 1, in_doubt = TRUE");
        world.run(&format!("UPDATE _greenlight_steps SET {doubt}")).await;
        world.write("1_a.sql", &format!("DO 0;\n{sql};"));
        world.yes().await;
    }
}

/// Taking its errors for "it was done" would be wrong for another statement.
#[tokio::test]
async fn a_step_in_doubt_must_not_be_changed() {
    let world =
        World::with(&[("1_a.sql", "CREATE TABLE a (x int);\nALTER TABLE a ADD COLUMN y int;\nSELECT oops")]).await;
    world.no().await;
    world.run("UPDATE _greenlight_steps SET in_doubt = TRUE, doubted = 'other'").await;
    let (evidence, remedy) = world.no().await;
    assert!(evidence.starts_with("1_a.sql was changed in line 3 or before, and nobody heard how"), "{evidence}");
    assert!(remedy.starts_with("Put it back as it was"), "{remedy}");
}

/// Another run of the same line gives another value once rows were added.
#[tokio::test]
async fn a_value_that_may_have_changed_since_is_not_used() {
    let begin = "CREATE TABLE a (x int);\nSET @n = (SELECT COUNT(*) FROM a);\nINSERT INTO a VALUES (@n);\n";
    let world = World::with(&[("1_a.sql", &format!("{begin}INSERT INTO b VALUES (@n);"))]).await;
    world.no().await;
    world.write("1_a.sql", &format!("{begin}INSERT INTO a VALUES (@n + 5);"));
    let (evidence, remedy) = world.no().await;
    assert!(evidence.starts_with("1_a.sql line 4 uses @n, which line 2 computes;"), "{evidence}");
    assert!(remedy.starts_with("Set @n to the value that it had"), "{remedy}");
    world.write("1_a.sql", &format!("{begin}SET @n = 0;\nINSERT INTO a VALUES (@n + 5);"));
    world.yes().await;
    assert_eq!(world.rows("SELECT x FROM a ORDER BY x").await, ["0", "5"]);
}

/// Whether it was done only a person can find out.
#[tokio::test]
async fn a_call_of_which_nobody_heard_the_end_is_not_called_again() {
    let world = World::with(&[]).await;
    world.run("CREATE TABLE a (x int)").await;
    world.run(&format!("CREATE PROCEDURE p() BEGIN INSERT INTO a VALUES (1); {} END", world.gate())).await;
    world.write("1_a.sql", "DO 0;\nCALL p();");
    ended_at_the_gate(&world, true).await;
    let (evidence, remedy) = world.no().await;
    assert!(
        evidence.starts_with(
            "1_a.sql line 2 (CALL p()) was begun by an earlier run, and nobody heard how it ended; 1 of the file's 2 steps are \
             done and stay"
        ),
        "{evidence}"
    );
    assert!(remedy.contains("UPDATE _greenlight_steps SET in_doubt = FALSE WHERE version = 1"), "{remedy}");
    world.write("1_a.sql", "DO 0;\nDO 0;");
    world.run("UPDATE _greenlight_steps SET in_doubt = FALSE WHERE version = 1").await;
    world.yes().await;
    assert_eq!(world.rows("SELECT x FROM a").await, ["1"]);
}

/// What no transaction can undo is not taken for undone.
#[tokio::test]
async fn rows_of_a_table_without_transactions_are_not_written_twice() {
    let world = World::with(&[]).await;
    world.run("CREATE TABLE a (x int) ENGINE = MyISAM").await;
    let gated = format!("INSERT INTO a SELECT 1 UNION ALL SELECT GET_LOCK('gate_{}', 60)", world.database);
    world.write("1_a.sql", &gated);
    ended_at_the_gate(&world, true).await;
    let (evidence, _) = world.no().await;
    assert!(evidence.contains("was begun by an earlier run, and nobody heard how it ended"), "{evidence}");
}

#[tokio::test]
async fn a_file_is_not_begun_when_the_time_is_too_short() {
    let mut world = World::with(&[("1_a.sql", "CREATE TABLE a (x int);")]).await;
    world.set_time_left(Duration::from_secs(4));
    let (evidence, _) = world.no().await;
    assert!(evidence.contains("s were left, too few to begin 1_a.sql"), "{evidence}");
    assert!(!world.tables().await.contains(&"a".to_owned()));
}

/// Nothing goes on once we have answered.
#[tokio::test]
async fn a_statement_that_takes_too_long_is_stopped_on_the_server() {
    for sets_limit in ["", "SET SESSION max_statement_time = 0;"] {
        let sql = format!("CREATE TABLE a (x int);{sets_limit}\nINSERT INTO a SELECT SLEEP(60);");
        let mut world = World::with(&[("1_a.sql", &sql)]).await;
        world.set_time_left(Duration::from_secs(12));
        let Answer::No { evidence, remedy } = world.ask().await.unwrap() else { panic!("it takes a minute") };
        assert!(evidence.contains("Query execution was interrupted"), "{evidence}");
        assert!(evidence.contains("of the file's"), "{evidence}");
        assert!(remedy.contains("smaller steps"), "{remedy}");
        let left =
            "SELECT COUNT(*) FROM information_schema.processlist WHERE db = DATABASE() AND id <> CONNECTION_ID()";
        until(async || (world.rows(left).await == ["0"]).then_some(())).await;
        assert_eq!(world.rows("SELECT x FROM a").await, Vec::<String>::new());
    }
}

#[tokio::test]
async fn a_rebuild_that_takes_too_long_is_stopped_on_the_server() {
    let mut world = World::with(&[(
        "1_a.sql",
        "SET SESSION max_statement_time = 0;\nALTER TABLE orders ADD COLUMN y int DEFAULT (SLEEP(0.01)), ALGORITHM = COPY;",
    )])
    .await;
    world.run("CREATE TABLE orders (x int) ENGINE = InnoDB").await;
    world.run("INSERT INTO orders SELECT seq FROM seq_1_to_10000").await;
    world.set_time_left(Duration::from_secs(12));
    let Answer::No { evidence, .. } = world.ask().await.unwrap() else { panic!("it takes minutes") };
    assert!(evidence.contains("1_a.sql line 2 (ALTER TABLE orders"), "{evidence}");
    let columns =
        "SELECT column_name FROM information_schema.columns WHERE table_schema = DATABASE() AND table_name = 'orders'";
    assert_eq!(world.rows(columns).await, ["x"]);
}
