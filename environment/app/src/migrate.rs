//! `orders migrate FOLDER`: what a team's own tool does, as a task that runs once.

use std::path::Path;

use sqlx::Connection;
use sqlx::migrate::Migrator;
use sqlx::postgres::PgConnection;

/// Applies what the folder has and the database lacks.
pub(crate) async fn migrate(database: &str, folder: &Path) -> Result<(), String> {
    let shown = folder.display();
    let migrator = Migrator::new(folder).await.map_err(|error| format!("cannot read {shown}: {error}"))?;
    let last = migrator.iter().map(|migration| migration.version).max();
    let last = last.ok_or_else(|| format!("{shown} holds no migration"))?;
    let connection = PgConnection::connect(database).await;
    let mut connection = connection.map_err(|error| format!("cannot reach the database: {error}"))?;
    migrator.run(&mut connection).await.map_err(|error| format!("cannot migrate: {error}"))?;
    tracing::info!("orders: the schema is that of migration {last}");
    connection.close().await.map_err(|error| format!("cannot say good-bye to the database: {error}"))
}
