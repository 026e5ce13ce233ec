//! What stands before a database with IAM authentication: it takes TLS only, judges a user's token as RDS does, asks the
//! caller's role for `rds-db:connect`, and leads on to the real PostgreSQL, which knows the gate by its certificate and lets
//! nobody else in as that user. Other users are led on with their passwords.
//!
//! <https://www.postgresql.org/docs/current/protocol-flow.html>,
//! <https://docs.aws.amazon.com/AmazonRDS/latest/UserGuide/UsingWithRDS.IAMDBAuth.html>

use std::collections::BTreeMap;
use std::io;
use std::sync::Arc;
use std::time::Instant;

use anyhow::{Context as _, Result};
use jiff::Timestamp;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _, copy_bidirectional};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::{JoinHandle, JoinSet};

use crate::iam::Permission;
use crate::postgres::Passage;
use crate::wire::Call;
use crate::wire::calls::Calls;
use crate::world::functions::SECRET_ACCESS_KEY;
use crate::world::journal::Who;
use crate::world::{ACCOUNT, REGION, World};

mod token;

use token::{Token, Wanted};

/// Codes in place of a protocol's version, and the one version.
const SSL_REQUEST: u32 = 80_877_103;
const GSS_REQUEST: u32 = 80_877_104;
const CANCEL_REQUEST: u32 = 80_877_102;

/// Bytes that a client may send before it is let in.
const LONGEST_GREETING: usize = 64 * 1024;

/// The gate. It closes when it is dropped.
pub struct Gate {
    port: u16,
    calls: Arc<Calls>,
    task: JoinHandle<()>,
}

struct Keeper {
    world: Arc<World>,
    passage: Passage,
    /// Host and port, as tokens name them.
    endpoint: String,
    /// `db-ABC/migrator`, as IAM names it.
    user: String,
    calls: Arc<Calls>,
}

impl Gate {
    /// Opens it before a database, for the one user of `passage`. `resource` is RDS's id for the database.
    pub async fn open(world: Arc<World>, passage: Passage, resource: &str) -> Result<Self> {
        let listener =
            TcpListener::bind((passage.host, 0)).await.context("no free port for the database's endpoint")?;
        let port = listener.local_addr().context("the database's endpoint has no port")?.port();
        let calls = Arc::new(Calls::default());
        let keeper = Arc::new(Keeper {
            world,
            endpoint: format!("{}:{port}", passage.host),
            user: format!("{resource}/{}", passage.user),
            passage,
            calls: Arc::clone(&calls),
        });
        let task = tokio::spawn(async move {
            let mut open = JoinSet::new();
            while let Ok((connection, _)) = listener.accept().await {
                while open.try_join_next().is_some() {}
                let keeper = Arc::clone(&keeper);
                open.spawn(async move {
                    if let Err(error) = keeper.serve(connection).await {
                        tracing::debug!(%error, "a connection to the database has ended");
                    }
                });
            }
        });
        Ok(Self { port, calls, task })
    }

    /// Where RDS says the database is.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Every time somebody has shown a token, as calls of `rds-db:connect`.
    pub fn calls(&self) -> Vec<Call> {
        self.calls.all()
    }
}

impl Drop for Gate {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Keeper {
    async fn serve(&self, mut client: TcpStream) -> io::Result<()> {
        loop {
            let greeting = greeting(&mut client).await?;
            match greeting.code() {
                SSL_REQUEST => {
                    client.write_all(b"S").await?;
                    break;
                }
                GSS_REQUEST => client.write_all(b"N").await?,
                CANCEL_REQUEST => return self.passage.connect().await?.write_all(&greeting.0).await,
                _ => {
                    let message = format!("no pg_hba.conf entry for user \"{}\", no encryption", greeting.user());
                    return refuse(&mut client, &message).await;
                }
            }
        }
        let mut client = self.passage.acceptor.accept(client).await?;
        let greeting = greeting(&mut client).await?;
        if greeting.code() == CANCEL_REQUEST {
            return self.passage.connect().await?.write_all(&greeting.0).await;
        }
        let user = greeting.user();
        if user != self.passage.user {
            let mut server = self.passage.connect().await?;
            server.write_all(&greeting.0).await?;
            copy_bidirectional(&mut client, &mut server).await?;
            return Ok(());
        }
        // AuthenticationCleartextPassword: the token, which TLS covers.
        client.write_all(&[b'R', 0, 0, 0, 8, 0, 0, 0, 3]).await?;
        let shown = password(&mut client).await?;
        if let Err(reason) = self.judge(&shown) {
            self.world.say(Who::Rehearsal, format!("RDS does not let {user} in: {reason}"));
            return refuse(&mut client, &format!("PAM authentication failed for user \"{user}\"")).await;
        }
        let mut server = self.passage.connect_as_user().await?;
        server.write_all(&greeting.0).await?;
        copy_bidirectional(&mut client, &mut server).await?;
        Ok(())
    }

    /// RDS tells nobody but its own log why it lets a user not in.
    fn judge(&self, shown: &str) -> Result<(), String> {
        let began = Instant::now();
        let token = Token::parse(shown)?;
        let caller = self.world.read(|state| {
            let function = state.functions.iter().find(|it| it.access_key == token.access_key())?;
            Some((function.name.clone(), function.role.clone()))
        });
        let (caller, role) = caller.ok_or("its access key is nobody's")?;
        let needed = Permission {
            action: "rds-db:connect".to_owned(),
            resource: format!("arn:aws:rds-db:{REGION}:{ACCOUNT}:dbuser:{}", self.user),
            keys: BTreeMap::new(),
        };
        let place = self.calls.begin(Call {
            at: self.world.now(),
            caller: Some(caller),
            service: "rds-db".to_owned(),
            operation: "connect".to_owned(),
            needed: vec![needed.clone()],
            status: None,
            error: None,
            took: None,
        });
        let wanted = Wanted {
            endpoint: &self.endpoint,
            user: &self.passage.user,
            secret_key: SECRET_ACCESS_KEY,
            now: Timestamp::now(),
        };
        let judged = token.judge(&wanted).and_then(|()| match role {
            Some(role) if !role.allows(&needed) => {
                Err(format!("its role does not allow rds-db:connect on {}", needed.resource))
            }
            _ => Ok(()),
        });
        self.calls.end(place, None, judged.as_ref().err().map(|_| "AccessDenied".to_owned()), began.elapsed());
        judged
    }
}

/// What a client says first: its length, a version or a code, and what belongs to it.
struct Greeting(Vec<u8>);

impl Greeting {
    fn code(&self) -> u32 {
        self.0.get(4..8).map_or(0, |code| u32::from_be_bytes(code.try_into().expect("four bytes are four")))
    }

    fn user(&self) -> String {
        let words = self.0.get(8..).unwrap_or_default().split(|byte| *byte == 0).collect::<Vec<_>>();
        let user = words.chunks_exact(2).find(|pair| pair[0] == b"user");
        user.map(|pair| String::from_utf8_lossy(pair[1]).into_owned()).unwrap_or_default()
    }
}

async fn greeting(client: &mut (impl AsyncRead + Unpin)) -> io::Result<Greeting> {
    let mut head = [0; 4];
    client.read_exact(&mut head).await?;
    let rest = body(client, head).await?;
    Ok(Greeting([&head[..], &rest].concat()))
}

async fn password(client: &mut (impl AsyncRead + Unpin)) -> io::Result<String> {
    if client.read_u8().await? != b'p' {
        return Err(io::Error::other("no password came"));
    }
    let mut head = [0; 4];
    client.read_exact(&mut head).await?;
    let text = body(client, head).await?;
    Ok(String::from_utf8_lossy(text.strip_suffix(&[0]).unwrap_or(&text)).into_owned())
}

/// What follows a length, which counts itself.
async fn body(client: &mut (impl AsyncRead + Unpin), head: [u8; 4]) -> io::Result<Vec<u8>> {
    let length = usize::try_from(u32::from_be_bytes(head)).unwrap_or(usize::MAX);
    let length = length.checked_sub(4).filter(|length| *length <= LONGEST_GREETING);
    let mut body = vec![0; length.ok_or_else(|| io::Error::other("no client of PostgreSQL says this"))?];
    client.read_exact(&mut body).await?;
    Ok(body)
}

/// An `ErrorResponse` after which nothing comes.
async fn refuse(client: &mut (impl AsyncWrite + Unpin), message: &str) -> io::Result<()> {
    let fields = format!("SFATAL\0VFATAL\0C28000\0M{message}\0\0");
    let length = u32::try_from(fields.len() + 4).map_err(io::Error::other)?;
    client.write_all(&[&[b'E'][..], &length.to_be_bytes(), fields.as_bytes()].concat()).await?;
    client.shutdown().await
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::time::Duration;

    use sqlx::postgres::{PgConnectOptions, PgSslMode};
    use sqlx::{ConnectOptions as _, PgConnection};

    use super::*;
    use crate::clock::Clock;
    use crate::cloudformation::Template;
    use crate::iam::Role;
    use crate::postgres::{Postgres, Shown};
    use crate::world::functions::{Function, LATEST};

    const RESOURCE: &str = "db-ABC";

    /// A function whose role may be this user of the database.
    fn function(access_key: &str, user: &str) -> Function {
        let allowed = format!("{{ Effect: Allow, Action: 'rds-db:connect', Resource: '*:dbuser:{RESOURCE}/{user}' }}");
        let text = format!(
            "Resources:\n  R:\n    Type: AWS::IAM::Role\n    Properties:\n      Policies: [{{ PolicyDocument: {{ Statement: \
             [{allowed}] }} }}]\n"
        );
        let stack = Template::parse(&text, "t.yaml").and_then(|it| it.with(&BTreeMap::new())).expect("a stack");
        Function {
            name: format!("hook-{access_key}"),
            version: LATEST.to_owned(),
            colour: None,
            command: Vec::new(),
            environment: BTreeMap::new(),
            timeout: Duration::from_secs(1),
            memory_mib: 128,
            pace: 1.0,
            access_key: access_key.to_owned(),
            role: Some(Arc::new(Role::of(&stack, "R").expect("a role"))),
            max_retries: 0,
            killed_after: None,
            told_left_ms: None,
            on_failure: None,
            subscription: None,
        }
    }

    async fn connect(postgres: &Postgres, port: u16, user: &str, password: &str) -> Result<PgConnection, String> {
        let options = PgConnectOptions::new_without_pgpass()
            .host(postgres.host())
            .port(port)
            .username(user)
            .password(password)
            .database("postgres")
            .ssl_mode(PgSslMode::VerifyFull)
            .ssl_root_cert(postgres.authority());
        options.connect().await.map_err(|error| error.to_string())
    }

    #[tokio::test]
    async fn who_shows_a_good_token_is_the_user_and_nobody_else_is() {
        let postgres = Postgres::start_for(None, Shown::Trusted, Some("migrator")).await.expect("PostgreSQL starts");
        postgres.create_iam_user("migrator").await.expect("the user is new");
        let world = Arc::new(World::new(Clock::new()));
        world.update(|state| {
            state.functions.extend([function("ASIAGOOD", "migrator"), function("ASIAOTHER", "reports")])
        });
        let passage = postgres.passage().expect("a user of the gate was named");
        let gate = Gate::open(Arc::clone(&world), passage, RESOURCE).await.expect("loopback has a free port");
        let endpoint = format!("{}:{}", postgres.host(), gate.port());

        let token = Token::made(&endpoint, "migrator", "ASIAGOOD", Timestamp::now());
        let mut connection = connect(&postgres, gate.port(), "migrator", &token).await.expect("the token is good");
        let seen: (String, bool) =
            sqlx::query_as("SELECT current_user::text, ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()")
                .fetch_one(&mut connection)
                .await
                .expect("the way leads to the server");
        assert_eq!(seen, ("migrator".to_owned(), true));

        let old = Timestamp::now() - jiff::SignedDuration::from_mins(20);
        for (token, reason) in [
            (
                Token::made(&endpoint, "migrator", "ASIAOTHER", Timestamp::now()),
                "its role does not allow rds-db:connect on",
            ),
            (Token::made(&endpoint, "migrator", "ASIANOBODY", Timestamp::now()), "its access key is nobody's"),
            (Token::made(&endpoint, "migrator", "ASIAGOOD", old), " s old and good for 900 s"),
            (
                Token::made("db.example.com:5432", "migrator", "ASIAGOOD", Timestamp::now()),
                "it is for db.example.com:5432",
            ),
            (postgres.password().to_owned(), "it is no token but a password"),
        ] {
            let said = connect(&postgres, gate.port(), "migrator", &token).await.expect_err(reason);
            assert!(said.contains("PAM authentication failed for user \"migrator\""), "{said}");
            let told = world.read(|state| state.journal.entries.last().map(|it| it.text.clone())).unwrap_or_default();
            assert!(told.starts_with("RDS does not let migrator in: ") && told.contains(reason), "{told}");
        }

        let user = postgres.user();
        connect(&postgres, gate.port(), user, postgres.password()).await.expect("others have passwords");
        for port in [gate.port(), postgres.port()] {
            connect(&postgres, port, "reports", &token).await.expect_err("there is no such user");
        }
        connect(&postgres, postgres.port(), "migrator", &token).await.expect_err("there is no way round the gate");
        let calls = gate.calls();
        assert_eq!(calls.iter().filter(|it| it.error.is_none()).count(), 1, "{calls:?}");
        assert_eq!(calls[0].needed[0].resource, "arn:aws:rds-db:eu-west-1:123456789012:dbuser:db-ABC/migrator");
        postgres.stop().await;
    }
}
