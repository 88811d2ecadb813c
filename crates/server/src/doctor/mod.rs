//! What protects this installation on this machine, protection by protection: in force, degraded or absent, with what
//! that means and what to do about it.
//!
//! Nothing is believed that can be tried: bots' walls are put up by the bots' own program, the keeper is asked, the
//! database is opened. Nothing is repaired here. `house` looks at keeper, data and address, `walls` at what a bot has
//! around itself, `machine` at the rest.

mod house;
mod machine;
mod walls;

use serde::Serialize;
use utoipa::ToSchema;

use crate::config::Config;

/// How a protection stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Standing {
    /// As designed.
    InForce,
    /// Weaker than designed.
    Degraded,
    /// Not there.
    Absent,
}

impl Standing {
    /// The words for people.
    pub(crate) fn words(self) -> &'static str {
        match self {
            Self::InForce => "in force",
            Self::Degraded => "degraded",
            Self::Absent => "absent",
        }
    }
}

/// One protection as found.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub(crate) struct Finding {
    /// `keeper`, `bots`, `data`, `address` or `machine`.
    pub(crate) area: &'static str,
    /// What protects.
    pub(crate) protection: &'static str,
    /// How it stands.
    pub(crate) standing: Standing,
    /// What was found.
    pub(crate) found: String,
    /// What that means, when it is not in force.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) means: Option<&'static str>,
    /// What to do about it, when it is not in force.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) remedy: Option<&'static str>,
}

/// What is said of a protection that is not in force.
#[derive(Debug, Clone, Copy)]
struct Advice {
    means: &'static str,
    remedy: &'static str,
}

impl Finding {
    fn in_force(area: &'static str, protection: &'static str, found: impl Into<String>) -> Self {
        let found = found.into();
        Self { area, protection, standing: Standing::InForce, found, means: None, remedy: None }
    }

    /// The same protection, standing less well.
    fn but(self, standing: Standing, advice: Advice) -> Self {
        match standing {
            Standing::InForce => self,
            Standing::Degraded | Standing::Absent => {
                Self { standing, means: Some(advice.means), remedy: Some(advice.remedy), ..self }
            }
        }
    }
}

/// Looks at everything.
pub(crate) async fn examine(config: &Config) -> Vec<Finding> {
    let mut findings = house::examine(config).await;
    findings.extend(walls::examine(config).await);
    findings.extend(machine::examine(config));
    findings
}
