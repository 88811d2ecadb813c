//! What Keyhold remembers: accounts, sealed keys, templates, bots and everything bots report.
//!
//! One SQL text serves SQLite (the default, one file in the data folder) and PostgreSQL. Every query about something
//! a user owns goes through a handle that is bound to one workspace ([`WorkspaceStore`]) or one user ([`UserStore`]);
//! there is no function that takes a bare id, so a query cannot forget whose it is. The crate reads no clock and draws
//! no random numbers: instants and ids are arguments. It stores ciphertext and cannot open it.
//!
//! Start at [`Store`]; statements stand beside the functions that use them.

mod accounts;
mod actor;
mod backtests;
mod bots;
mod closing;
mod commands;
mod custody;
mod database;
mod error;
mod figures;
mod history;
mod ingest;
mod job_state;
mod jobs;
mod keys;
mod migrate;
mod page;
mod passkeys;
#[cfg(test)]
mod prepare_test;
mod row;
mod sessions;
mod store;
mod system;
mod templates;

pub use accounts::{Claim, Install, Me, NewUser, SetupState, UserStore};
pub use actor::{Actor, Permission, Role};
pub use backtests::BacktestResult;
pub use bots::{Bot, BotChange, BotRefusal, Change, Deployment, KeyOfBot, NewBot, OpenPosition, Wish};
pub use closing::CloseRefusal;
pub use commands::{CommandRow, CommandStatus, NewCommand};
pub use custody::{KeyOpening, NewOpening, OpeningPurpose, StoredRecord};
pub use error::StoreError;
pub use figures::{Headline, Labels, TradeResult};
pub use history::{DecisionRow, EquityPoint, EventRow, FillRow, NewEvent, OrderRow, TradeFilter, TradeRow};
pub use ingest::{Ingested, Stored};
pub use job_state::{JOB_MOVES, JobState, JobStep};
pub use jobs::{AddJobRefusal, JobEnd, JobKind, JobRow, NewJob, Stepped};
pub use keys::{
    ApiKey, DeleteRefusal, KeyIntent, KeyRecord, KeySwitch, NewApiKey, PutKeyRefusal, Verification,
    VerificationState,
};
pub use page::{Before, PageRequest};
pub use passkeys::{Ceremony, CeremonyPurpose, NewPasskey, PasskeyRow};
pub use sessions::{NewSession, Principal, SessionMethod, SessionRow};
pub use store::{SQLITE_FILE, Store, StoreOptions, WorkspaceStore};
pub use system::{BotWork, DeploymentRef, SystemStore};
pub use templates::{NewTemplateVersion, TemplateKind, TemplateRow};
