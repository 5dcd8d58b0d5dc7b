//! What can be wrong with the database.

use std::net::{IpAddr, Ipv6Addr};

use super::{Check, Patient, Tell, clock};
use crate::config::Config;
use crate::database::{Database, Distance, distance};
use crate::domain::SignUpPolicy;
use crate::store;
use crate::store::postgres::Facts;

/// As PostgreSQL writes it: 140000 is 14.0.
const VERSION_MIN: i32 = 140_000;
/// So many connections PostgreSQL keeps for its superusers, unless told otherwise.
const RESERVED: u32 = 3;

/// Looks at the database, if there is one yet.
pub async fn check(patient: &Patient, tell: Tell<'_>) {
    let config = &patient.config;
    if config.database.database_url.is_none() && !config.database.data_dir().join("postgres/data/PG_VERSION").exists() {
        let shown = config.database.data_dir();
        return tell(Check::ok(
            "database",
            format_args!("none yet; the first start makes a private PostgreSQL in {}", shown.display()),
        ));
    }
    let database = match Database::join(&config.database).await {
        Ok(database) => database,
        Err(error) => return tell(Check::failed("database", format_args!("{error:#}"))),
    };
    if let Err(error) = examine(&database, patient, tell).await {
        tell(Check::failed("database", format_args!("{error:#}")));
    }
    if let Err(error) = database.close().await {
        tell(Check::warning("database", format_args!("the private PostgreSQL did not stop: {error:#}")));
    }
}

async fn examine(database: &Database, patient: &Patient, tell: Tell<'_>) -> anyhow::Result<()> {
    let mut connection = database.pool.acquire().await?;
    let began = patient.clock.now();
    let facts = store::postgres::facts(&mut connection).await?;
    let ended = patient.clock.now();
    tell_facts(&facts, &patient.config, tell);
    tell(clock("the database's", facts.now - (began + (ended - began) / 2)));
    let distance = distance(&mut connection).await?;
    tell(schema(distance));
    if distance == (Distance { missing: 0, unknown: 0 }) {
        let policy = store::sign_up_policy::find(&mut connection).await?;
        let is_open_to_all = policy == Some(SignUpPolicy::Open) && !patient.config.is_local_only();
        if is_open_to_all && patient.config.mail.smtp_url.is_none() {
            tell(Check::warning(
                "sign-up",
                "anyone may sign up, with any address, as there is no mail server to prove it. Set OTRACE_SMTP_URL, or \
                 choose another rule on the page /admin.",
            ));
        }
    }
    Ok(())
}

fn tell_facts(facts: &Facts, config: &Config, tell: Tell<'_>) {
    let Facts { version, .. } = facts;
    let shown = format!("PostgreSQL {}", version / 10_000);
    let whose = if config.database.database_url.is_some() { "" } else { ", private" };
    if *version < VERSION_MIN {
        tell(Check::failed("database", format_args!("it is {shown}; use 14 or newer")));
    } else if facts.is_standby {
        tell(Check::failed("database", format_args!("{shown} is a standby, which only reads; name its primary")));
    } else if facts.encoding != "UTF8" {
        let encoding = &facts.encoding;
        tell(Check::failed("database", format_args!("its encoding is {encoding}; make the database with UTF8")));
    } else {
        tell(Check::ok("database", format_args!("{shown}{whose} answers")));
    }
    if !facts.is_durable {
        tell(Check::warning(
            "database",
            "fsync or full_page_writes is off, so that a power cut may take what was acknowledged. Switch both on.",
        ));
    }
    if !facts.has_timeouts {
        tell(Check::warning(
            "database",
            "the server's timeouts do not reach it: something between drops the settings of a connection. Connect to \
             PostgreSQL itself, or to a pooler by session.",
        ));
    }
    let wanted = config.database.database_connections + RESERVED;
    if u32::try_from(facts.connections_max).is_ok_and(|most| most < wanted) {
        tell(Check::warning(
            "database",
            format_args!(
                "it takes {} connections in all, and each server wants {}. Raise max_connections, or lower \
                 OTRACE_DATABASE_CONNECTIONS.",
                facts.connections_max, config.database.database_connections
            ),
        ));
    }
    if !facts.is_encrypted && facts.address.as_deref().is_some_and(is_far) {
        tell(Check::warning(
            "database",
            "what is said to it crosses networks in the clear. End DATABASE_URL with ?sslmode=verify-full.",
        ));
    }
}

/// Whether an address is neither this machine's nor one of a private network.
fn is_far(address: &str) -> bool {
    match address.parse() {
        Ok(IpAddr::V4(address)) => !(address.is_loopback() || address.is_private() || address.is_link_local()),
        Ok(IpAddr::V6(address)) => !(address == Ipv6Addr::LOCALHOST || address.is_unique_local()),
        Err(_) => false,
    }
}

fn schema(Distance { missing, unknown }: Distance) -> Check {
    match (missing, unknown) {
        (0, 0) => Check::ok("schema", "up to date"),
        (missing, 0) => {
            Check::ok("schema", format_args!("{missing} migrations are to come; the server runs them at its start"))
        }
        (_, unknown) => Check::warning(
            "schema",
            format_args!(
                "a newer otrace-server has been here: {unknown} migrations are unknown to this one. Use that one."
            ),
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::super::Status;
    use super::*;

    #[test]
    fn a_database_is_far_where_others_networks_lie_between() {
        for address in ["127.0.0.1", "10.1.2.3", "172.18.0.2", "192.168.1.1", "::1", "fd00::1", "no address"] {
            assert!(!is_far(address), "{address}");
        }
        assert!(is_far("203.0.113.7") && is_far("2001:db8::1"));
    }

    #[test]
    fn a_newer_schema_is_told_from_an_older_one() {
        let of = |missing, unknown| schema(Distance { missing, unknown }).status;
        assert_eq!((of(0, 0), of(3, 0), of(0, 1)), (Status::Ok, Status::Ok, Status::Warning));
    }
}
