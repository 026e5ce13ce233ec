//! Orders and where they live: a PostgreSQL table that migrations made, or memory.

use std::collections::VecDeque;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use serde::{Deserialize, Serialize};
use sqlx::Row;
use sqlx::postgres::{PgPool, PgPoolOptions, PgRow};

/// Enough for a few hundred requests a second; two versions of the service share a small database.
const CONNECTIONS: u32 = 5;
/// A request that gets no connection in this time is answered 503 rather than kept waiting.
const ACQUIRE_TIMEOUT: Duration = Duration::from_secs(3);
const LISTED: usize = 20;
/// In memory the oldest orders are forgotten beyond this many.
const REMEMBERED: usize = 10_000;

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct NewOrder {
    pub(crate) sku: String,
    pub(crate) quantity: i32,
    #[serde(default)]
    pub(crate) note: Option<String>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(crate) struct Order {
    pub(crate) id: i64,
    pub(crate) sku: String,
    pub(crate) quantity: i32,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) note: Option<String>,
}

/// Where orders are kept.
pub(crate) enum Orders {
    Memory(Mutex<Memory>),
    Table(Table),
}

#[derive(Default)]
pub(crate) struct Memory {
    last_id: i64,
    orders: VecDeque<Order>,
}

/// The table `orders`. Columns are always named: a `select *` would break when a migration adds one.
pub(crate) struct Table {
    pool: PgPool,
    knows_notes: bool,
    /// Whether the migration that adds the column was seen; once seen, it is not asked for again.
    has_note: AtomicBool,
}

impl Orders {
    pub(crate) fn in_memory() -> Self {
        Self::Memory(Mutex::default())
    }

    /// Connects when the first request needs it: a database that is away makes a task not ready, not dead.
    pub(crate) fn in_database(url: &str, knows_notes: bool) -> Result<Self, sqlx::Error> {
        let pool =
            PgPoolOptions::new().max_connections(CONNECTIONS).acquire_timeout(ACQUIRE_TIMEOUT).connect_lazy(url)?;
        Ok(Self::Table(Table { pool, knows_notes, has_note: AtomicBool::new(false) }))
    }

    /// What an order's home says of itself when asked.
    pub(crate) async fn is_ready(&self) -> Result<Option<&'static str>, sqlx::Error> {
        match self {
            Self::Memory(_) => Ok(Some("no database: orders live in memory")),
            Self::Table(table) => sqlx::query("select 1").execute(&table.pool).await.map(|_| None),
        }
    }

    pub(crate) async fn place(&self, order: NewOrder) -> Result<Order, sqlx::Error> {
        match self {
            Self::Memory(memory) => Ok(lock(memory).place(order)),
            Self::Table(table) => table.place(order).await,
        }
    }

    pub(crate) async fn get(&self, id: i64) -> Result<Option<Order>, sqlx::Error> {
        match self {
            Self::Memory(memory) => Ok(lock(memory).orders.iter().find(|order| order.id == id).cloned()),
            Self::Table(table) => table.get(id).await,
        }
    }

    /// The last ones, newest first.
    pub(crate) async fn last(&self) -> Result<Vec<Order>, sqlx::Error> {
        match self {
            Self::Memory(memory) => Ok(lock(memory).orders.iter().rev().take(LISTED).cloned().collect()),
            Self::Table(table) => table.last().await,
        }
    }
}

fn lock(memory: &Mutex<Memory>) -> std::sync::MutexGuard<'_, Memory> {
    memory.lock().expect("nothing panics while it holds the orders")
}

impl Memory {
    fn place(&mut self, NewOrder { sku, quantity, note }: NewOrder) -> Order {
        self.last_id += 1;
        let order = Order { id: self.last_id, sku, quantity, note };
        if self.orders.len() == REMEMBERED {
            self.orders.pop_front();
        }
        self.orders.push_back(order.clone());
        order
    }
}

impl Table {
    /// Whether the column is there. Version 2 takes test traffic before the migrations have run.
    async fn has_note(&self) -> Result<bool, sqlx::Error> {
        if !self.knows_notes || self.has_note.load(Ordering::Relaxed) {
            return Ok(self.knows_notes);
        }
        let seen = sqlx::query(
            "select exists (select from pg_attribute \
             where attrelid = to_regclass('orders') and attname = 'note' and not attisdropped)",
        )
        .fetch_one(&self.pool)
        .await?
        .try_get(0)?;
        self.has_note.store(seen, Ordering::Relaxed);
        Ok(seen)
    }

    async fn place(&self, NewOrder { sku, quantity, note }: NewOrder) -> Result<Order, sqlx::Error> {
        let row = if self.has_note().await? {
            sqlx::query(
                "insert into orders (sku, quantity, note) values ($1, $2, $3) returning id, sku, quantity, note",
            )
            .bind(sku)
            .bind(quantity)
            .bind(note)
            .fetch_one(&self.pool)
            .await?
        } else {
            sqlx::query("insert into orders (sku, quantity) values ($1, $2) returning id, sku, quantity, null::text")
                .bind(sku)
                .bind(quantity)
                .fetch_one(&self.pool)
                .await?
        };
        order(&row)
    }

    async fn get(&self, id: i64) -> Result<Option<Order>, sqlx::Error> {
        let sql = if self.has_note().await? {
            "select id, sku, quantity, note from orders where id = $1"
        } else {
            "select id, sku, quantity, null::text from orders where id = $1"
        };
        sqlx::query(sql).bind(id).fetch_optional(&self.pool).await?.as_ref().map(order).transpose()
    }

    async fn last(&self) -> Result<Vec<Order>, sqlx::Error> {
        let sql = if self.has_note().await? {
            "select id, sku, quantity, note from orders order by id desc limit 20"
        } else {
            "select id, sku, quantity, null::text from orders order by id desc limit 20"
        };
        sqlx::query(sql).fetch_all(&self.pool).await?.iter().map(order).collect()
    }
}

fn order(row: &PgRow) -> Result<Order, sqlx::Error> {
    Ok(Order { id: row.try_get(0)?, sku: row.try_get(1)?, quantity: row.try_get(2)?, note: row.try_get(3)? })
}
