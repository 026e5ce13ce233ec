//! Whether blue survives the files: judged with what the database says of its tables.

use std::path::Path;

use before_allow_traffic::migrations::postgres::session::Session;
use before_allow_traffic::migrations_keep_blue_alive::MigrationsKeepBlueAlive;
use before_allow_traffic::migrations_keep_blue_alive::facts::facts;
use before_allow_traffic::preparation::Prepared;
use greenlight::check::{Answer, Check};
use greenlight::deployment::Rollback;
use greenlight::plan::AllowedMigration;
use greenlight_lint::{Harm, Migration, SMALL, Weight, lint, questions};

use crate::world::{World, run};

/// Small tables, as in a young project.
const ORDERS: (&str, &str) = (
    "1_orders.sql",
    "CREATE TABLE orders (id bigint PRIMARY KEY, sku text NOT NULL, note varchar(40));\nINSERT INTO orders VALUES (1, 'A1', 'x');",
);

async fn asked(world: &World) -> Answer {
    let check = MigrationsKeepBlueAlive::new(world.settings.clone(), Default::default());
    check.ask(&world.context).await.expect("the database is there")
}

async fn yes(world: &World) -> String {
    match asked(world).await {
        Answer::Yes { evidence } => evidence,
        other => panic!("{other:?}"),
    }
}

async fn no(world: &World) -> (String, String) {
    match asked(world).await {
        Answer::No { evidence, remedy } => (evidence, remedy),
        other => panic!("{other:?}"),
    }
}

/// A world in which `orders` is there and serves blue.
async fn with_orders() -> World {
    let world = World::with(&[ORDERS]).await;
    world.yes().await;
    world
}

#[tokio::test]
async fn only_pending_files_are_judged() {
    let world = World::with(&[("1_orders.sql", "CREATE TABLE orders (id bigint); DROP TABLE IF EXISTS old;")]).await;
    assert!(no(&world).await.0.starts_with("1_orders.sql line 1 (DROP TABLE IF EXISTS old) breaks blue"));
    world.yes().await;
    assert_eq!(yes(&world).await, "nothing is pending of 1 file");
    world.write("2_index.sql", "CREATE INDEX ON orders (id);");
    assert!(yes(&world).await.starts_with("2_index.sql harms no query of blue; worth knowing (2_index.sql line 1): "));
}

#[tokio::test]
async fn a_file_that_breaks_blue_is_told_with_line_harm_and_the_safe_way() {
    let world = with_orders().await;
    world.write("2_note.sql", "ALTER TABLE orders ADD COLUMN remark text;\nALTER TABLE orders DROP COLUMN note;\n");
    let (evidence, remedy) = no(&world).await;
    assert_eq!(
        evidence,
        "2_note.sql line 2 (ALTER TABLE orders DROP COLUMN note) breaks blue: its queries that name the column fail; safe: drop \
         it in a later version, once no running version uses it; nothing was migrated; traffic stays on blue"
    );
    let checksum = world.checksum("2_note.sql");
    assert_eq!(
        remedy,
        format!(
            "Write it the safe way; or, if blue is not harmed, say why in the plan: migrations: {{ allow: [{{ file: 2_note.sql, \
             checksum: \"{}\", reason: … }}] }}; then redeploy.",
            &checksum[..12]
        )
    );
    assert_eq!(world.rows("SELECT count(*) FROM _sqlx_migrations").await, ["1"], "nothing was applied");
}

#[tokio::test]
async fn a_contract_step_is_allowed_by_its_checksum_with_a_reason() {
    let mut world = with_orders().await;
    world.write("2_note.sql", "ALTER TABLE orders DROP COLUMN note;\n");
    let allowed = AllowedMigration {
        file: "2_note.sql".to_owned(),
        checksum: world.checksum("2_note.sql")[..12].to_owned(),
        reason: "no version since 41 reads it".to_owned(),
    };
    world.settings.allow.push(allowed);
    assert_eq!(yes(&world).await, "2_note.sql line 1 breaks blue, which the plan allows: no version since 41 reads it");
    world.write("2_note.sql", "ALTER TABLE orders DROP COLUMN sku;\n");
    let (evidence, _) = no(&world).await;
    assert!(evidence.contains("2_note.sql has changed since it was allowed"), "{evidence}");
}

#[tokio::test]
async fn many_findings_are_told_in_short() {
    let world = with_orders().await;
    let drops: String = (0..8).map(|number| format!("DROP TABLE t{number};\n")).collect();
    world.write("2_drops.sql", &drops);
    let (evidence, _) = no(&world).await;
    assert!(
        evidence.contains("line 5 (DROP TABLE t4)") && evidence.contains("; and 3 more; nothing was"),
        "{evidence}"
    );
    assert!(!evidence.contains("t5"), "{evidence}");
}

#[tokio::test]
async fn the_size_of_a_table_decides_whether_its_lock_counts() {
    let world = with_orders().await;
    world.write("2_index.sql", "CREATE INDEX by_sku ON orders (sku);");
    assert!(yes(&world).await.contains("which is over at once: the table is small"));
    world.run("INSERT INTO orders SELECT n, repeat('x', 1000), 'x' FROM generate_series(2, 15000) n").await;
    let (evidence, _) = no(&world).await;
    assert!(
        evidence.starts_with("2_index.sql line 1 (CREATE INDEX by_sku ON orders (sku)) blocks blue: its writes wait"),
        "{evidence}"
    );
}

#[tokio::test]
async fn the_planner_says_how_many_rows_stay_locked() {
    let world = with_orders().await;
    world
        .run("INSERT INTO orders SELECT n, repeat('x', 1000), 'x' FROM generate_series(2, 15000) n; ANALYZE orders")
        .await;
    world.write("2_one.sql", "UPDATE orders SET note = 'y' WHERE id = 7;");
    assert_eq!(yes(&world).await, "2_one.sql harms no query of blue");
    world.write("3_all.sql", "UPDATE orders SET note = 'y' WHERE note = 'x';");
    let (evidence, _) = no(&world).await;
    assert!(evidence.contains("about 15000 rows stay locked") || evidence.contains("about 14999 rows"), "{evidence}");
    assert_eq!(world.rows("SELECT count(*) FROM orders WHERE note = 'y'").await, ["0"], "they are planned, not run");
}

#[tokio::test]
async fn queries_of_blue_are_tried_on_the_new_schema_and_nothing_stays_of_it() {
    let mut world = with_orders().await;
    world.settings.blue_queries = vec![
        "SELECT id, sku FROM orders WHERE id = $1".to_owned(),
        "INSERT INTO orders (id, sku, note) VALUES ($1, $2, 'secret')".to_owned(),
    ];
    world.write(
        "2_view.sql",
        "CREATE VIEW open_orders AS SELECT id FROM orders;\nINSERT INTO orders VALUES (9, 'B', 'x');",
    );
    let evidence = yes(&world).await;
    assert_eq!(evidence, "2_view.sql harms no query of blue; 2 queries of blue's work on the schema of these files");
    world.write("3_note.sql", "ALTER TABLE orders DROP COLUMN note;");
    let allow = |file: &str| AllowedMigration {
        file: file.to_owned(),
        checksum: world.checksum(file)[..12].to_owned(),
        reason: "nobody reads it".to_owned(),
    };
    world.settings.allow = vec![allow("3_note.sql")];
    let (evidence, _) = no(&world).await;
    assert_eq!(
        evidence,
        "a query of blue's fails once the files are applied (INSERT INTO orders (id, sku, note) VALUES ($1, $2, '…')): column \
         \"note\" of relation \"orders\" does not exist (SQLSTATE 42703); nothing was migrated; traffic stays on blue"
    );
    assert_eq!(world.rows("SELECT to_regclass('open_orders') IS NULL").await, ["true"], "it was rolled back");
    assert_eq!(world.rows("SELECT count(note) FROM orders").await, ["1"]);
}

#[tokio::test]
async fn a_file_cannot_give_itself_more_time_while_it_is_tried_out() {
    let mut world = with_orders().await;
    world.settings.blue_queries = vec!["SELECT id FROM orders".to_owned()];
    world.write("2_slow.sql", "SET statement_timeout = 0;\nCREATE TABLE slow AS SELECT pg_sleep(60);");
    assert!(yes(&world).await.contains("of which 1 statement could not be tried out"));
}

#[tokio::test]
async fn the_lines_of_an_allowed_file_are_told_in_short() {
    let mut world = with_orders().await;
    world.write("2_drops.sql", &"DROP TABLE orders;\n".repeat(9));
    let allowed = AllowedMigration {
        file: "2_drops.sql".to_owned(),
        checksum: world.checksum("2_drops.sql")[..12].to_owned(),
        reason: "it is gone".to_owned(),
    };
    world.settings.allow.push(allowed);
    let evidence = yes(&world).await;
    assert!(evidence.contains("line 5 breaks blue, and 4 more, which the plan allows: it is gone"), "{evidence}");
}

/// A function has 256 MiB; a tree of the whole file would have twice as much.
#[tokio::test]
async fn a_long_file_is_judged_a_statement_at_a_time() {
    let world = with_orders().await;
    let row = "INSERT INTO orders (id, sku, note) VALUES (1000, 'a sku', 'a note');\n";
    world.write("2_seed.sql", &(row.repeat((4 << 20) / row.len()) + "DROP TABLE orders;"));
    let (evidence, _) = no(&world).await;
    let line = (4 << 20) / row.len() + 1;
    assert!(evidence.starts_with(&format!("2_seed.sql line {line} (DROP TABLE orders) breaks blue")), "{evidence}");
}

#[tokio::test]
async fn a_query_of_the_plan_cannot_end_the_transaction() {
    let mut world = with_orders().await;
    world.write("2_table.sql", "CREATE TABLE left_behind ();");
    world.settings.blue_queries = vec!["SELECT 1; COMMIT".to_owned()];
    let (evidence, remedy) = no(&world).await;
    assert!(evidence.starts_with("a query of blue's in the plan does not work today (SELECT 1): "), "{evidence}");
    assert!(remedy.contains("migrations.blue_queries"), "{remedy}");
    world.settings.blue_queries = vec!["COMMIT".to_owned()];
    yes(&world).await;
    assert_eq!(world.rows("SELECT to_regclass('left_behind') IS NULL").await, ["true"], "it is prepared, not run");
}

#[tokio::test]
async fn a_rollback_is_not_judged() {
    let mut world = with_orders().await;
    world.write("2_note.sql", "DROP TABLE orders;");
    let mut deployment = (*world.context.deployment).clone();
    deployment.rollback = Some(Rollback::Automatic { of: None });
    world.context.deployment = deployment.into();
    assert!(yes(&world).await.starts_with("not asked: this deployment is a rollback"));
}

/// The labelled files, with what a real database of their schema says.
#[tokio::test]
async fn every_labelled_file_is_judged_as_its_label_says() {
    let corpus = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../lint/corpus");
    let world = World::with(&[("1_nothing.sql", "")]).await;
    let schema = std::fs::read_to_string(corpus.join("schema.sql")).unwrap();
    run(&mut world.connect().await, &schema).await;
    let prepared = Prepared::get(&world.settings, &world.context).await.unwrap().unwrap();
    let mut session =
        Session::open(&prepared.login, "a test", world.context.deadline, world.settings.lock_timeout).await.unwrap();

    let (mut count, mut wrong) = (0, Vec::new());
    for (label, harm) in
        [("breaks", Some(Harm::Breaks)), ("blocks", Some(Harm::Blocks)), ("opaque", Some(Harm::Opaque)), ("safe", None)]
    {
        for entry in std::fs::read_dir(corpus.join(label)).unwrap() {
            let path = entry.unwrap().path();
            let (name, sql) = (path.display().to_string(), std::fs::read_to_string(&path).unwrap());
            let file = [Migration { name: &name, sql: &sql, in_transaction: !sql.starts_with("-- no-transaction") }];
            let facts = facts(&mut session, &questions(&file)).await.unwrap();
            let found = lint(&file, &facts);
            let stops: Vec<_> = found.iter().filter(|finding| finding.weight == Weight::Stops).collect();
            let right = match harm {
                Some(harm) => stops.iter().any(|finding| finding.harm == harm),
                None => stops.is_empty(),
            };
            if !right {
                wrong.push(format!("{name}: {stops:?}"));
            }
            count += 1;
        }
    }
    assert!(count >= 80 && wrong.is_empty(), "{} of {count}:\n{}", wrong.len(), wrong.join("\n"));
    let large = "SELECT pg_relation_size(oid) FROM pg_class WHERE relname IN ('orders', 'customers', 'events_2026_01')";
    for bytes in world.rows(large).await {
        assert!(bytes.parse::<u64>().unwrap() > SMALL, "{bytes} bytes are not large");
    }
}
