//! Hashing and checking passwords: Argon2id in PHC strings, a few at a time, the same work for unknown users.

use std::sync::Arc;

use argon2::password_hash::phc::PasswordHash;
use argon2::password_hash::{PasswordHasher as _, PasswordVerifier as _};
use argon2::{Algorithm, Argon2, Params, Version};
use tokio::sync::Semaphore;

use crate::http::problem::Problem;

/// Memory in KiB, passes, lanes.
const MEMORY_KIB: u32 = 64 * 1024;
const PASSES: u32 = 3;
const LANES: u32 = 1;
/// Hashes that may wait for their turn; beyond that the answer is "busy".
const MAX_WAITING: usize = 32;

/// The hasher; cheap to clone.
#[derive(Debug, Clone)]
pub(crate) struct Passwords {
    argon2: Argon2<'static>,
    /// As many at once as there are processors: each takes 64 MiB.
    running: Arc<Semaphore>,
    waiting: Arc<Semaphore>,
    /// The hash of a password nobody knows, checked when there is no account.
    dummy: Arc<str>,
}

/// What checking found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Checked {
    /// It is the password.
    Right,
    /// It is not, or there is none.
    Wrong,
}

impl Passwords {
    /// Prepares a hasher for `at_once` hashes at the same time.
    pub(crate) fn new(at_once: usize) -> Result<Self, Problem> {
        let params = Params::new(MEMORY_KIB, PASSES, LANES, None).map_err(|_constant| Problem::internal())?;
        let argon2 = Argon2::new(Algorithm::Argon2id, Version::V0x13, params);
        let dummy = hash_now(&argon2, &crate::random::token())?.into();
        Ok(Self {
            argon2,
            running: Arc::new(Semaphore::new(at_once)),
            waiting: Arc::new(Semaphore::new(MAX_WAITING)),
            dummy,
        })
    }

    /// The PHC string of a password.
    pub(crate) async fn hash(&self, password: String) -> Result<String, Problem> {
        let argon2 = self.argon2.clone();
        self.work(move || hash_now(&argon2, &password)).await?
    }

    /// Compares a password with a stored hash; without one it does the same work and finds it wrong.
    pub(crate) async fn check(&self, password: String, stored: Option<String>) -> Result<Checked, Problem> {
        let argon2 = self.argon2.clone();
        let known = stored.is_some();
        let stored = stored.unwrap_or_else(|| self.dummy.to_string());
        self.work(move || {
            let right = PasswordHash::new(&stored)
                .is_ok_and(|hash| argon2.verify_password(password.as_bytes(), &hash).is_ok());
            if right && known { Checked::Right } else { Checked::Wrong }
        })
        .await
    }

    async fn work<T: Send + 'static>(&self, job: impl FnOnce() -> T + Send + 'static) -> Result<T, Problem> {
        let busy = || {
            let mut problem = Problem::unavailable("BUSY", "Too many sign-ins at once.");
            problem.retry_after_s = Some(2);
            problem
        };
        let place = Arc::clone(&self.waiting).try_acquire_owned().map_err(|_full| busy())?;
        let turn = Arc::clone(&self.running).acquire_owned().await.map_err(|_closed| busy())?;
        drop(place);
        let done = tokio::task::spawn_blocking(move || {
            let result = job();
            drop(turn);
            result
        });
        done.await.map_err(|_stopped| Problem::internal())
    }
}

fn hash_now(argon2: &Argon2<'_>, password: &str) -> Result<String, Problem> {
    argon2.hash_password(password.as_bytes()).map(|hash| hash.to_string()).map_err(|_| Problem::internal())
}
