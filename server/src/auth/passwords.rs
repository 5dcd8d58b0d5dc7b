//! Hashing passwords: argon2id, off the async threads, only a few at once.

use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, anyhow};
use argon2::password_hash::phc::PasswordHash;
use argon2::{Algorithm, Argon2, Params, PasswordHasher, PasswordVerifier, Version};
use tokio::sync::{OnceCell, Semaphore};
use tokio::task::spawn_blocking;
use tokio::time::timeout;

use crate::error::{AppError, Result};

/// How long a sign-in waits for its turn before it is sent away.
const TURN_WITHIN: Duration = Duration::from_secs(5);

/// How much work one hash is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PasswordCost {
    /// Memory in KiB.
    pub memory_kib: u32,
    /// Passes over it.
    pub passes: u32,
}

impl PasswordCost {
    /// What servers use: RFC 9106's low-memory profile with one lane, about a quarter of a second.
    pub const DEFAULT: Self = Self { memory_kib: 64 * 1024, passes: 3 };
    /// The least that OWASP allows.
    pub const FLOOR: Self = Self { memory_kib: 19_456, passes: 2 };

    fn argon2(self) -> anyhow::Result<Argon2<'static>> {
        let params = Params::new(self.memory_kib, self.passes, 1, None).map_err(|error| anyhow!("argon2: {error}"))?;
        Ok(Argon2::new(Algorithm::Argon2id, Version::V0x13, params))
    }
}

/// Hashes and checks passwords, on half of the processors at most.
#[derive(Clone, Debug)]
pub struct Passwords {
    cost: PasswordCost,
    turns: Arc<Semaphore>,
    /// What an unknown account's password is checked against, so that it takes as long as a known one's.
    dummy: Arc<OnceCell<String>>,
}

/// What a check of a password found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Checked {
    /// Whether it is the right one.
    pub is_right: bool,
    /// Whether its hash was made more cheaply than new ones are, and should be made again.
    pub needs_rehash: bool,
}

impl Passwords {
    /// Hashes at this cost.
    pub fn new(cost: PasswordCost) -> Self {
        let processors = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
        Self { cost, turns: Arc::new(Semaphore::new((processors / 2).max(1))), dummy: Arc::default() }
    }

    /// A password's hash as a PHC string, with a salt of its own.
    pub async fn hash(&self, password: &str) -> Result<String> {
        let cost = self.cost;
        let password = password.to_owned();
        self.in_turn(move || {
            let hash = cost.argon2()?.hash_password(password.as_bytes()).map_err(|error| anyhow!("argon2: {error}"))?;
            Ok(hash.to_string())
        })
        .await
    }

    /// Checks a password against an account's hash; against none, it takes as long and is wrong.
    pub async fn check(&self, password: &str, hash: Option<String>) -> Result<Checked> {
        let has_hash = hash.is_some();
        let hash = match hash {
            Some(hash) => hash,
            None => self.dummy.get_or_try_init(|| self.hash("nobody's password")).await?.clone(),
        };
        let cost = self.cost;
        let password = password.to_owned();
        self.in_turn(move || {
            let parsed =
                PasswordHash::new(&hash).map_err(|error| anyhow!("reading a stored password hash: {error}"))?;
            let is_right = cost.argon2()?.verify_password(password.as_bytes(), &parsed).is_ok() && has_hash;
            let stored =
                Params::try_from(&parsed).map_err(|error| anyhow!("reading a stored password hash: {error}"))?;
            let needs_rehash = stored.m_cost() < cost.memory_kib || stored.t_cost() < cost.passes;
            Ok(Checked { is_right, needs_rehash })
        })
        .await
    }

    async fn in_turn<T: Send + 'static>(&self, work: impl FnOnce() -> anyhow::Result<T> + Send + 'static) -> Result<T> {
        let Ok(turn) = timeout(TURN_WITHIN, Arc::clone(&self.turns).acquire_owned()).await else {
            return Err(AppError::Unavailable(
                "Too many people sign in at this moment. Try again in a few seconds.".into(),
            ));
        };
        let turn = turn.context("the turns are never closed")?;
        // The turn is held by the work itself: a request that is given up does not free it early.
        let done = spawn_blocking(move || {
            let done = work();
            drop(turn);
            done
        });
        Ok(done.await.context("hashing a password")??)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn only_the_right_password_passes() {
        let passwords = Passwords::new(PasswordCost::FLOOR);
        let hash = passwords.hash("correct horse battery").await.unwrap();
        assert!(hash.starts_with("$argon2id$v=19$m=19456,t=2,p=1$"), "{hash}");
        assert!(passwords.check("correct horse battery", Some(hash.clone())).await.unwrap().is_right);
        assert!(!passwords.check("wrong horse battery", Some(hash)).await.unwrap().is_right);
    }

    #[tokio::test]
    async fn an_account_without_a_password_is_never_entered_by_one() {
        let passwords = Passwords::new(PasswordCost::FLOOR);
        assert!(!passwords.check("nobody's password", None).await.unwrap().is_right);
    }

    #[tokio::test]
    async fn a_cheaper_hash_is_to_be_made_again() {
        let cheap = Passwords::new(PasswordCost::FLOOR).hash("correct horse battery").await.unwrap();
        let dearer = Passwords::new(PasswordCost { memory_kib: 20_000, passes: 2 });
        let checked = dearer.check("correct horse battery", Some(cheap)).await.unwrap();
        assert_eq!(checked, Checked { is_right: true, needs_rehash: true });
    }
}
