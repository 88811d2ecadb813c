//! Verbs about records: taking a data key over, destroying it, saying what there is.

use keyhold_protocol::keeper::{
    Answer, Describe, Import, KeyRef, Leased, RecordVersion, Refusal, Shred, Tenant,
};
use keyhold_seal::EntropySource;

use super::{Asker, Keeper, Refused, by, opened};
use crate::audit::{Entry, Event};
use crate::clock::Now;

/// Versions listed by `describe`.
const MAX_DESCRIBED: usize = 64;

impl<E: EntropySource> Keeper<E> {
    pub(super) fn import(&mut self, import: &Import, asker: Asker, now: Now) -> Result<Answer, Refused> {
        let context = &import.context;
        let vault = opened(&mut self.custody)?;
        let prepared = vault.prepare(context, &import.sealed_data_key, now.wall_ms, &mut self.entropy)?;
        self.record(Entry {
            workspace: Some(context.workspace),
            key: Some(context.key),
            version: Some(context.version),
            ..by(Event::Import, asker, now)
        })?;
        opened(&mut self.custody)?.commit(&prepared, &mut self.entropy)?;
        Ok(Answer::Imported { wrapped_data_key: prepared.wrapped })
    }

    pub(super) fn shred(&mut self, shred: &Shred, asker: Asker, now: Now) -> Result<Answer, Refused> {
        let vault = opened(&mut self.custody)?;
        if !vault.records().belongs_to_another(shred.workspace, shred.key) {
            if self.leases.of(shred.key).is_some() {
                return Err(Refused::new(Refusal::KeyInUse, "shred while leased"));
            }
            if vault.records().key(shred.workspace, shred.key).bot.is_some() {
                return Err(Refused::new(Refusal::KeyAssigned, "shred while assigned"));
            }
        }
        let destroyed = vault.shred(shred.workspace, shred.key, shred.version, &mut self.entropy)?;
        self.record_soon(Entry {
            workspace: Some(shred.workspace),
            key: Some(shred.key),
            version: shred.version,
            detail: Some(format!("{destroyed} slots destroyed")),
            ..by(Event::Shred, asker, now)
        });
        Ok(Answer::Shredded { destroyed })
    }

    /// Neither a lease nor an assignment keeps a key alive that somebody else may have. A process that holds it goes on
    /// until it is stopped; no other gets it.
    pub(super) fn leaked(&mut self, of: KeyRef, asker: Asker, now: Now) -> Result<Answer, Refused> {
        let vault = opened(&mut self.custody)?;
        let destroyed = vault.shred(of.workspace, of.key, None, &mut self.entropy)?;
        let held = if self.leases.of(of.key).is_some() { ", while leased" } else { "" };
        self.record_soon(Entry {
            workspace: Some(of.workspace),
            key: Some(of.key),
            detail: Some(format!("{destroyed} slots destroyed{held}")),
            ..by(Event::Leaked, asker, now)
        });
        Ok(Answer::Shredded { destroyed })
    }

    pub(super) fn shred_tenant(&mut self, tenant: Tenant, asker: Asker, now: Now) -> Result<Answer, Refused> {
        let vault = opened(&mut self.custody)?;
        let leases = &self.leases;
        let in_use = |key| leases.of(key).is_some();
        let mut owned = vault.records().entries.iter().filter(|(_, one)| one.workspace == tenant.workspace);
        if owned.any(|(owner, _)| in_use(owner.key)) {
            return Err(Refused::new(Refusal::KeyInUse, "a key of the workspace is leased"));
        }
        let destroyed = vault.shred_workspace(tenant.workspace, &mut self.entropy)?;
        self.record_soon(Entry {
            workspace: Some(tenant.workspace),
            detail: Some(format!("{destroyed} slots destroyed")),
            ..by(Event::ShredTenant, asker, now)
        });
        Ok(Answer::Shredded { destroyed })
    }

    pub(super) fn verify_store(&mut self) -> Result<Answer, Refused> {
        Ok(Answer::Verified(opened(&mut self.custody)?.verify()?))
    }

    pub(super) fn describe(&mut self, describe: &Describe) -> Result<Answer, Refused> {
        let leased = if self.leases.of(describe.key).is_some() { Leased::Yes } else { Leased::No };
        let mut versions: Vec<RecordVersion> = opened(&mut self.custody)?
            .records()
            .versions(describe.key)
            .rev()
            .filter(|(_, record)| record.workspace == describe.workspace)
            .take(MAX_DESCRIBED)
            .map(|(version, record)| RecordVersion {
                version,
                state: record.state,
                imported_at_ms: record.imported_at_ms,
                leased,
            })
            .collect();
        if versions.is_empty() {
            return Err(Refused::new(Refusal::UnknownRecord, "describe"));
        }
        versions.reverse();
        Ok(Answer::Described { versions })
    }
}
