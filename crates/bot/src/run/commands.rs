//! What is asked once: flatten, stop, look at the key.

use keyhold_domain::{CommandId, ReasonCode};
use keyhold_protocol::uplink::{Command, CommandOutcome, StopPolicy};
use tokio::time::Instant;

use super::{Bot, FAREWELL, RunError};
use crate::mind::desk::Repeat;
use crate::mind::record::Record;
use crate::outside::Outside;

impl<O: Outside> Bot<O> {
    /// A command from the server. A repeat is answered and not done again.
    pub(super) fn commanded(&mut self, id: CommandId, command: Command) -> Result<(), RunError> {
        match self.mind.desk().repeat(id) {
            Repeat::UnderWay => Ok(()),
            Repeat::Done(outcome) => {
                self.answers.push_back((id, outcome));
                Ok(())
            }
            Repeat::New => {
                tracing::info!(command = %id, ?command, "the server wants something done");
                self.record(Record::Commanded { id, command })?;
                if command != Command::InspectKey {
                    return Ok(());
                }
                if !self.is_connected() {
                    let detail = "The key is not open now.".to_owned();
                    let outcome = CommandOutcome::Failed { code: ReasonCode::NoKey, detail };
                    return self.command_ended(id, outcome);
                }
                self.inspect();
                Ok(())
            }
        }
    }

    pub(super) fn command_ended(&mut self, id: CommandId, outcome: CommandOutcome) -> Result<(), RunError> {
        self.record(Record::CommandEnded { id, outcome: outcome.clone() })?;
        self.answers.push_back((id, outcome));
        Ok(())
    }

    /// Ends the commands whose end has come.
    pub(super) fn finish_commands(&mut self) -> Result<(), RunError> {
        let under_way: Vec<_> = self.mind.desk().under_way().collect();
        let quiet = self.slots.values().all(|work| work.lanes.requests() == 0);
        let idle = quiet && self.mind.is_idle();
        for (id, command) in &under_way {
            let done = match command {
                Command::Flatten | Command::Stop { positions: StopPolicy::Close } => idle,
                Command::Stop { positions: StopPolicy::Leave } => quiet,
                Command::InspectKey => false,
            };
            if done {
                self.command_ended(*id, CommandOutcome::Completed)?;
            }
        }
        if self.ending.is_none() && self.mind.desk().has_stopped() {
            self.ending = Some(Instant::now() + FAREWELL);
        }
        Ok(())
    }
}
