//! The process that applies: the check as the hook asks it, again and again for as long as that may help.

use std::process::exit;
use std::time::Duration;

use before_allow_traffic::migrations::source::Source;
use before_allow_traffic::migrations_apply::MigrationsApply;
use before_allow_traffic::settings::Settings;
use greenlight::check::{Answer, Check};
use greenlight::fakes::Fakes;
use greenlight::plan::Credentials;
use greenlight::stage::Stage;

use crate::server::{PASSWORD, USER};

/// Port, database, folder. Ends with 0 where the answer is yes.
#[expect(clippy::exit, reason = "the test looks at the status")]
pub(crate) fn apply(arguments: &[String]) {
    let [port, database, folder] = arguments else { panic!("apply PORT DATABASE FOLDER") };
    let fakes = Fakes::well();
    let secret = format!(
        r#"{{"username":"{USER}","password":"{PASSWORD}","host":"127.0.0.1","port":{port},"dbname":"{database}","sslmode":"disable"}}"#
    );
    fakes.state().secrets.insert("shop/migrator".to_owned(), secret);
    let credentials = Credentials::Secret("shop/migrator".to_owned());
    let settings = Settings {
        lock_timeout: Duration::from_secs(2),
        ..Settings::new(Source::Packaged(folder.into()), credentials)
    };
    let check = MigrationsApply::new(settings, Default::default());
    let context = fakes.context(Stage::BeforeAllowTraffic);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let answer = runtime.block_on(async {
        loop {
            match check.ask(&context).await {
                Ok(Answer::NotYet { .. }) => {}
                Err(unknown) if unknown.transient => {}
                answer => return answer,
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    });
    match answer {
        Ok(Answer::Yes { .. }) => {}
        Ok(Answer::No { evidence, .. } | Answer::NotYet { evidence, .. }) => {
            println!("{evidence}");
            exit(1);
        }
        Err(unknown) => {
            println!("{unknown}");
            exit(1);
        }
    }
}
