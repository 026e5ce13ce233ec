//! migrations-keep-blue-alive, with what a real MariaDB says of its tables.

use std::path::Path;
use std::sync::Arc;

use before_allow_traffic::migrations::mysql::session::Session;
use before_allow_traffic::migrations_keep_blue_alive::MigrationsKeepBlueAlive;
use before_allow_traffic::migrations_keep_blue_alive::mysql_facts::facts;
use before_allow_traffic::preparation::Prepared;
use greenlight::check::{Answer, Check};
use greenlight_lint::mysql::{lint, questions};
use greenlight_lint::{Harm, Migration, Weight};

use crate::world::World;

const ORDERS: &str = "CREATE TABLE orders (id BIGINT PRIMARY KEY, sku VARCHAR(40) NOT NULL, note VARCHAR(40)) ENGINE = InnoDB;\n\
     INSERT INTO orders VALUES (1, 'A', 'x');\n";

/// The schema's large tables are large.
const MANY_ROWS: &str = "\
    INSERT INTO customers (email, about) SELECT CONCAT(seq, '@example.com'), REPEAT('x', 500) FROM seq_1_to_40000; \
    INSERT INTO orders (sku, email, customer_id, total, note) \
      SELECT CONCAT('sku ', seq), CONCAT(seq, '@example.com'), seq, 1, REPEAT('x', 40) FROM seq_1_to_150000; \
    INSERT INTO regions SELECT seq FROM seq_1_to_20000; \
    INSERT INTO events SELECT '2026-01-01' + INTERVAL seq SECOND, REPEAT('x', 300) FROM seq_1_to_50000; \
    ANALYZE TABLE customers, orders, regions, events";

/// A database with an applied file, of which blue lives.
async fn with_orders() -> World {
    let world = World::with(&[("1_orders.sql", ORDERS)]).await;
    world.yes().await;
    world
}

async fn ask(world: &World) -> Answer {
    let check = MigrationsKeepBlueAlive::new(world.settings.clone(), Arc::default());
    check.ask(&world.context).await.unwrap()
}

async fn yes(world: &World) -> String {
    match ask(world).await {
        Answer::Yes { evidence } => evidence,
        other => panic!("{other:?}"),
    }
}

async fn no(world: &World) -> String {
    match ask(world).await {
        Answer::No { evidence, .. } => evidence,
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn what_breaks_blue_is_told_and_nothing_is_applied() {
    let world = with_orders().await;
    world.write("2_note.sql", "ALTER TABLE orders DROP COLUMN note;");
    let evidence = no(&world).await;
    assert!(
        evidence.starts_with("2_note.sql line 1 (ALTER TABLE orders DROP COLUMN note) breaks blue: ")
            && evidence.ends_with("nothing was migrated; traffic stays on blue"),
        "{evidence}"
    );
    assert_eq!(world.rows("SELECT COUNT(*) FROM _sqlx_migrations").await, ["1"]);
}

#[tokio::test]
async fn what_is_applied_is_not_judged() {
    let world = World::with(&[("1_orders.sql", ORDERS), ("2_note.sql", "ALTER TABLE orders DROP COLUMN note;")]).await;
    world.yes().await;
    assert_eq!(yes(&world).await, "nothing is pending of 2 files");
}

#[tokio::test]
async fn the_size_of_a_table_decides_whether_its_lock_counts() {
    let world = with_orders().await;
    world.write("2_kind.sql", "ALTER TABLE orders CONVERT TO CHARACTER SET utf8mb4, ALGORITHM = COPY;");
    assert!(yes(&world).await.contains("which is over at once: the table is small"));
    world.run("ALTER TABLE orders MODIFY note VARCHAR(2000)").await;
    world.run("INSERT INTO orders SELECT seq + 1, 'x', REPEAT('x', 1500) FROM seq_1_to_20000").await;
    world.run("ANALYZE TABLE orders").await;
    let evidence = no(&world).await;
    assert!(evidence.starts_with("2_kind.sql line 1 (ALTER TABLE orders CONVERT"), "{evidence}");
    assert!(evidence.contains(" blocks blue: "), "{evidence}");
}

#[tokio::test]
async fn the_server_says_how_many_rows_a_statement_looks_at() {
    let world = with_orders().await;
    world.run("INSERT INTO orders SELECT seq + 1, 'x', REPEAT('x', 40) FROM seq_1_to_200000").await;
    world.run("ANALYZE TABLE orders").await;
    world.write("2_one.sql", "UPDATE orders SET note = 'y' WHERE id = 7;");
    assert_eq!(yes(&world).await, "2_one.sql harms no query of blue");
    world.write("3_all.sql", "UPDATE orders SET note = 'y' WHERE note = 'x';");
    let evidence = no(&world).await;
    assert!(
        evidence.starts_with("3_all.sql line 1 (UPDATE orders SET note = '…' WHERE note = '…') blocks"),
        "{evidence}"
    );
    assert_eq!(world.rows("SELECT COUNT(*) FROM orders WHERE note = 'y'").await, ["0"], "it is planned, not run");
}

#[tokio::test]
async fn queries_of_blue_cannot_be_tried_where_every_change_is_committed() {
    let mut world = with_orders().await;
    world.write("2_table.sql", "CREATE TABLE left_behind (id INT);");
    world.settings.blue_queries = vec!["SELECT id FROM orders".to_owned()];
    let evidence = no(&world).await;
    assert!(evidence.contains("blue's queries cannot be tried out, for MySQL commits every change"), "{evidence}");
    assert!(!world.tables().await.contains(&"left_behind".to_owned()));
}

/// The labelled files, with what a real database of their schema says.
#[tokio::test]
async fn every_labelled_file_is_judged_as_its_label_says() {
    let corpus = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../lint/corpus-mysql");
    let world = World::with(&[("1_nothing.sql", "SELECT 1;")]).await;
    world.run(&std::fs::read_to_string(corpus.join("schema.sql")).unwrap()).await;
    world.run(MANY_ROWS).await;
    let prepared = Prepared::get(&world.settings, &world.context).await.unwrap().unwrap();
    let (deadline, lock_timeout) = (world.context.deadline, world.settings.lock_timeout);
    let mut session = Session::open(&prepared.login, "a test", deadline, lock_timeout).await.unwrap();
    let (mut count, mut wrong) = (0, Vec::new());
    for (label, harm) in
        [("breaks", Some(Harm::Breaks)), ("blocks", Some(Harm::Blocks)), ("opaque", Some(Harm::Opaque)), ("safe", None)]
    {
        for entry in std::fs::read_dir(corpus.join(label)).unwrap() {
            let path = entry.unwrap().path();
            let (name, sql) = (path.display().to_string(), std::fs::read_to_string(&path).unwrap());
            let file = [Migration { name: &name, sql: &sql, in_transaction: false }];
            let facts = facts(&mut session, &questions(&file)).await.unwrap();
            let found = lint(&file, &facts);
            let stops: Vec<_> = found.iter().filter(|finding| finding.weight == Weight::Stops).collect();
            let right = match harm {
                Some(harm) => stops.iter().any(|finding| finding.harm == harm),
                None => stops.is_empty(),
            };
            count += 1;
            if !right {
                let told: Vec<_> = found.iter().map(|it| format!("  {:?} {it}", it.weight)).collect();
                wrong.push(format!("{name} {:?}\n{}", facts.rows, told.join("\n")));
            }
        }
    }
    assert!(count >= 60, "{count} files");
    assert!(wrong.is_empty(), "{} of {count}:\n{}", wrong.len(), wrong.join("\n"));
}
