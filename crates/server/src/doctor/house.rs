//! Keeper, data and address.

use std::os::unix::fs::MetadataExt as _;

use keyhold_os::peer;
use keyhold_os::privileges::effective_user;
use keyhold_protocol::keeper::{Grade, Status};
use tokio::net::UnixStream;

use super::{Advice, Finding, Standing};
use crate::clock::Clock;
use crate::config::Config;
use crate::keeper::Keeper;
use crate::start::{has_data, open_store};

const KEEPER: &str = "keeper";
const DATA: &str = "data";

pub(super) async fn examine(config: &Config) -> Vec<Finding> {
    let mut findings = keeper(config).await;
    // Opening the database closes the folder to others, so its state is looked at before.
    findings.push(folder(config));
    findings.push(database(config).await);
    findings.push(address(&config.public_origin));
    findings
}

async fn keeper(config: &Config) -> Vec<Finding> {
    match Keeper::new(config.keeper.clone()).status().await {
        Ok(status) => {
            let mut findings = told(&status);
            findings.push(apart(config).await);
            findings
        }
        Err(error) => {
            let advice = Advice {
                means: "No key can be added, and no bot can open one.",
                remedy: "Start it: keyhold-keeper serve --dir <its folder> --socket <its socket>.",
            };
            let found = format!("{error} at {}", config.keeper.display());
            vec![Finding::in_force(KEEPER, "answers", found).but(Standing::Absent, advice)]
        }
    }
}

fn told(status: &Status) -> Vec<Finding> {
    let graded = |grade| match grade {
        Grade::Sound => Standing::InForce,
        Grade::Degraded => Standing::Degraded,
    };
    let word = |grade| graded(grade).words();
    let memory = match status.memory.as_str() {
        "sealed" => Standing::InForce,
        "locked" => Standing::Degraded,
        _ => Standing::Absent,
    };
    let answers = format!("{} keys, {} in use", status.live_records, status.leases);
    vec![
        Finding::in_force(KEEPER, "answers", answers),
        Finding::in_force(KEEPER, "deletion", word(status.deletion)).but(
            graded(status.deletion),
            Advice {
                means: "Overwriting a deleted key's slot may leave the old bytes on the disk.",
                remedy: "Put the keeper's folder on ext4, xfs or tmpfs.",
            },
        ),
        Finding::in_force(KEEPER, "sandbox", word(status.isolation)).but(
            graded(status.isolation),
            Advice {
                means: "The keeper runs without some of its walls.",
                remedy: "Use a kernel of version 6.12 or newer with Landlock and seccomp.",
            },
        ),
        Finding::in_force(KEEPER, "memory of the root key", status.memory.clone()).but(
            memory,
            Advice {
                means: "The root key lies in memory that root reads like any other, or that may be swapped out.",
                remedy: "Boot the kernel with secretmem.enable=1 and raise RLIMIT_MEMLOCK of the keeper.",
            },
        ),
    ]
}

/// Whether the server could read the keeper's folder: what keeps it from opening keys.
async fn apart(config: &Config) -> Finding {
    let protection = "kept from the server";
    let own = effective_user();
    let advice = Advice {
        means: "Whoever takes over the server can read the keeper's folder, and with it open stored keys.",
        remedy: "Run keeper and server as two users, neither of them root; tell the keeper the server's with --server-uid.",
    };
    let asked = match UnixStream::connect(&config.keeper).await {
        Ok(stream) => peer::credentials(&stream).map_err(|error| error.to_string()),
        Err(error) => Err(error.to_string()),
    };
    match asked {
        Ok(peer) if own != 0 && peer.uid != own => {
            Finding::in_force(KEEPER, protection, format!("keeper {}, server {own}", peer.uid))
        }
        Ok(peer) => Finding::in_force(
            KEEPER,
            protection,
            format!("the keeper runs as user {}, this program as {own}", peer.uid),
        )
        .but(Standing::Degraded, advice),
        Err(found) => Finding::in_force(KEEPER, protection, found).but(Standing::Absent, advice),
    }
}

async fn database(config: &Config) -> Finding {
    let protection = "database";
    if config.database_url.is_none() && !has_data(config) {
        return Finding::in_force(DATA, protection, "there is none yet; the first start makes it");
    }
    match open_store(config, &Clock::System).await {
        Ok(store) => {
            store.close().await;
            if config.database_url.is_none() {
                return Finding::in_force(
                    DATA,
                    protection,
                    "SQLite: deleted rows are overwritten, writes reach the disk",
                );
            }
            Finding::in_force(DATA, protection, "PostgreSQL").but(
                Standing::Degraded,
                Advice {
                    means: "PostgreSQL keeps the bytes of deleted rows for a while. A deleted key cannot be opened all \
                            the same: its slot in the keeper is overwritten.",
                    remedy: "None is needed for keys; VACUUM FULL and recycled log segments remove the bytes.",
                },
            )
        }
        Err(error) => {
            let mut found = error.to_string();
            if let Some(cause) = std::error::Error::source(&error) {
                found = format!("{found}: {cause}");
            }
            Finding::in_force(DATA, protection, found).but(
                Standing::Absent,
                Advice {
                    means: "The server does not start.",
                    remedy: "Look at the data folder (--data) or the address of the database.",
                },
            )
        }
    }
}

fn folder(config: &Config) -> Finding {
    let protection = "folder";
    let place = config.data.display();
    let advice = Advice {
        means: "Other users of this machine can list or read the data folder.",
        remedy: "chmod 700 the data folder; every start of the server does that too. Find out who opened it.",
    };
    match std::fs::metadata(&config.data) {
        Ok(found) if found.mode() & 0o066 == 0 => {
            Finding::in_force(DATA, protection, format!("{place}, mode {:o}", found.mode() & 0o777))
        }
        Ok(found) => {
            let found = format!("{place}, mode {:o}", found.mode() & 0o777);
            Finding::in_force(DATA, protection, found).but(Standing::Degraded, advice)
        }
        Err(_not_there) => {
            Finding::in_force(DATA, protection, format!("{place} is not there yet; the first start makes it"))
        }
    }
}

/// Browsers give passkeys and cryptography to pages of https and of this machine only.
fn address(origin: &str) -> Finding {
    let found = url::Url::parse(origin).ok();
    let local = |host: &str| host == "localhost" || host.ends_with(".localhost");
    let secure = found.is_some_and(|url| url.scheme() == "https" || url.host_str().is_some_and(local));
    let standing = if secure { Standing::InForce } else { Standing::Absent };
    Finding::in_force("address", "secure origin", origin).but(
        standing,
        Advice {
            means: "Browsers refuse passkeys and the sealing of keys on a page that did not come by https.",
            remedy: "Put a proxy with TLS in front and set --public-origin to its https address.",
        },
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secure_origin_is_https_or_this_machine() {
        for (origin, expected) in [
            ("https://keyhold.example.org", Standing::InForce),
            ("http://localhost:7400", Standing::InForce),
            ("http://keyhold.localhost", Standing::InForce),
            ("http://keyhold.lan", Standing::Absent),
            ("http://localhost.example.org", Standing::Absent),
            ("http://192.168.1.7:7400", Standing::Absent),
        ] {
            assert_eq!(address(origin).standing, expected, "{origin}");
        }
    }

    #[test]
    fn what_the_keeper_calls_degraded_is_degraded() {
        use Standing::{Absent, Degraded, InForce};
        let status = |deletion, isolation, memory: &str| Status {
            install: keyhold_domain::InstallId::from_u128(1),
            key_id: keyhold_seal::KeeperKeyId::from_bytes(&[0; 16]).unwrap(),
            fingerprint: String::new(),
            live_records: 1,
            shredded_records: 0,
            leases: 0,
            deletion,
            isolation,
            memory: memory.to_owned(),
            audit_entries: 1,
            audit_key: String::new(),
            epoch: 1,
            epochs: 1,
            providers: vec!["file".to_owned()],
            health: Vec::new(),
            alarms: 0,
        };
        let standings = |status| told(&status).iter().map(|one| one.standing).collect::<Vec<_>>();
        assert_eq!(standings(status(Grade::Sound, Grade::Sound, "sealed")), [InForce; 4]);
        assert_eq!(
            standings(status(Grade::Degraded, Grade::Degraded, "plain")),
            [InForce, Degraded, Degraded, Absent]
        );
    }
}
