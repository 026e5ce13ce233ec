//! What a plan says of migrations.

use insta::assert_snapshot;

use super::{Plan, refusal};

#[test]
fn a_task_of_the_teams_own_tool_is_read() {
    let text = "version: 1\nmigrations: { task: { container: app, command: [bin/rails, \"db:migrate\"], timeout: 10m, \
                environment: { RAILS_ENV: production, DATABASE_SECRET: \"arn:aws:secretsmanager:x\" } } }\n";
    let task = Plan::parse(text, "plan.yaml").expect("a plan").migrations.and_then(|it| it.task).expect("a task");
    assert_eq!((task.container.as_deref(), task.command.len()), (Some("app"), 2));
    assert_eq!(task.environment[0], ("RAILS_ENV".to_owned(), "production".to_owned()));
    assert_eq!(task.timeout.map(|it| it.to_string()).as_deref(), Some("10m"));
}

/// Two ways to migrate one database would be one too many.
#[test]
fn migrations_go_one_way_and_a_wrong_task_is_pointed_at() {
    let long = "x".repeat(9000);
    let messages = [
        refusal("migrations: { sql: sql, task: { command: [a] } }\n"),
        refusal("migrations: { task: { command: [a] }, sql: sql }\n"),
        refusal("migrations: { task: { container: app } }\n"),
        refusal("migrations: { task: { command: alembic upgrade head } }\n"),
        refusal("migrations: { task: { command: [] } }\n"),
        refusal("migrations: { task: { command: [a], timeout: 0s }, lock_timeout: 5s, blue_queries: [select 1] }\n"),
        refusal("migrations: { task: { command: [a], environment: { DB_PASSWORD: hunter2, A B: c } } }\n"),
        refusal("migrations: { task: { command: [psql, \"postgres://a:hunter2@db/x\"] } }\n"),
        refusal(&format!("migrations:\n  task:\n    command:\n    - a\n    - {long}\n")),
    ];
    assert_snapshot!(messages.join("\n"), @r#"
    plan.yaml:2:31: `task` and `sql` exclude each other: a task's tool brings its own migrations
       2 | migrations: { sql: sql, task: { command: [a] } }
         |                               ^
    plan.yaml:2:44: `task` and `sql` exclude each other: a task's tool brings its own migrations
       2 | migrations: { task: { command: [a] }, sql: sql }
         |                                            ^
    plan.yaml:2:23: the key `command` is missing here
       2 | migrations: { task: { container: app } }
         |                       ^
    plan.yaml:2:32: expected a list (`- …` lines, or `[…]`)
       2 | migrations: { task: { command: alembic upgrade head } }
         |                                ^
    plan.yaml:2:32: expected a program and its arguments, such as [alembic, upgrade, head]
       2 | migrations: { task: { command: [] } }
         |                                ^
    plan.yaml:2:46: expected more than 0s
       2 | migrations: { task: { command: [a], timeout: 0s }, lock_timeout: 5s, blue_queries: [select 1] }
         |                                              ^
    plan.yaml:2:66: `task` and `lock_timeout` exclude each other: a task's tool brings its own migrations
       2 | migrations: { task: { command: [a], timeout: 0s }, lock_timeout: 5s, blue_queries: [select 1] }
         |                                                                  ^
    plan.yaml:2:85: `task` and `blue_queries` exclude each other: a task's tool brings its own migrations
       2 | migrations: { task: { command: [a], timeout: 0s }, lock_timeout: 5s, blue_queries: [select 1] }
         |                                                                                     ^
    plan.yaml:2:52: `DB_PASSWORD` looks like a secret in plain sight; give it to the container in its task definition's `secrets`
       2 | migrations: { task: { command: [a], environment: { DB_PASSWORD: …
         |                                                    ^
    plan.yaml:2:74: this is no name of a variable
       2 | migrations: { task: { command: [a], environment: { DB_PASSWORD: …
         |                                                                  ^
    plan.yaml:2:39: this is a password in a URL, and a plan is no place for one; name a secret of Secrets Manager instead
       2 | migrations: { task: { command: [psql, "postgres://…@db/x"] } }
         |                                       ^
    plan.yaml:4:5: ECS takes 8192 characters of command and environment; put more into a file of the image
       4 |     command:
         |     ^
    "#);
}

#[test]
fn a_file_is_allowed_by_its_name_its_checksum_and_a_reason() {
    let text = "version: 1\nmigrations:\n  allow: [{ file: 14_drop.sql, checksum: \"3FA2c41d09be\", reason: nobody reads it }]\n  \
                blue_queries: [select 1]\n";
    let migrations = Plan::parse(text, "plan.yaml").unwrap().migrations.unwrap();
    assert_eq!(migrations.allow[0].checksum, "3fa2c41d09be");
    assert_eq!(migrations.blue_queries, ["select 1"]);
    let refused = |allowed: &str| refusal(&format!("migrations: {{ allow: [{allowed}] }}\n"));
    let messages = [
        refused("{ file: 14_drop.sql, checksum: \"3fa2\", reason: nobody reads it }"),
        refused("{ file: 14_drop.sql, reason: nobody reads it }"),
        refused("{ file: sql/14_drop.sql, checksum: \"3fa2c41d09be\", reason: nobody reads it }"),
        refused("{ file: 14_drop.sql, checksum: \"3fa2c41d09be\", reason: \" \" }"),
    ];
    insta::assert_snapshot!(messages.join("\n"), @r#"
    plan.yaml:2:54: `3fa2` is no checksum; expected the first 12 hexadecimal digits or more of the file's SHA-384, in quotes
       2 | migrations: { allow: [{ file: 14_drop.sql, checksum: "3fa2", reason: nobody reads it }] }
         |                                                      ^
    plan.yaml:2:44: the key `checksum` is missing here
       2 | migrations: { allow: [{ file: 14_drop.sql, reason: nobody reads it }] }
         |                                            ^
    plan.yaml:2:31: `file` is the name of a migration, such as `14_drop_note.sql`
       2 | migrations: { allow: [{ file: sql/14_drop.sql, checksum: "3fa2c41d09be", reason: nobody reads it }] }
         |                               ^
    plan.yaml:2:78: the reason is empty; say why blue is not harmed
       2 | migrations: { allow: [{ file: 14_drop.sql, checksum: "3fa2c41d09be", reason: " " }] }
         |                                                                              ^
    "#);
}

#[test]
fn a_place_that_cannot_be_read_is_refused() {
    let message = refusal("migrations: { sql: \"gs://shop/42/\" }\n");
    assert!(
        message.starts_with("plan.yaml:2:20: gs://shop/42/ is no place in S3; it is written s3://bucket/folder/\n"),
        "{message}"
    );
}
