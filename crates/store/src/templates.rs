//! Strategy templates. Every save is a new version; versions never change.

use keyhold_domain::{BotId, TemplateId, Timestamp};
use keyhold_engine::template::Template;

use crate::database::{Transaction, statements};
use crate::row::{Row, args, to_document};
use crate::{StoreError, WorkspaceStore};

statements! {
    LIST_TEMPLATES = "SELECT t.id, t.kind, t.version, t.updated_at, v.document FROM templates t \
         JOIN template_versions v ON v.workspace_id = t.workspace_id AND v.template_id = t.id \
         AND v.version = t.version WHERE t.workspace_id = $1 ORDER BY t.kind, t.name, t.id";
    FIND_TEMPLATE = "SELECT t.id, t.kind, t.version, t.updated_at, v.document FROM templates t \
         JOIN template_versions v ON v.workspace_id = t.workspace_id AND v.template_id = t.id \
         AND v.version = t.version WHERE t.workspace_id = $1 AND t.id = $2";
    USED_BY = "SELECT id, label, template_id FROM bots WHERE workspace_id = $1 AND template_id IS NOT NULL \
         ORDER BY label, id";
    ADD_TEMPLATE = "INSERT INTO templates (workspace_id, id, kind, name, version, updated_at) \
         VALUES ($1, $2, $3, $4, 1, $5)";
    ADD_VERSION = "INSERT INTO template_versions (workspace_id, template_id, version, document, created_at) \
         VALUES ($1, $2, $3, $4, $5)";
    NEXT_VERSION = "UPDATE templates SET name = $1, version = version + 1, updated_at = $2 \
         WHERE workspace_id = $3 AND id = $4 AND kind = $5";
    CURRENT_VERSION = "SELECT version FROM templates WHERE workspace_id = $1 AND id = $2";
    BUMP_BOTS_OF_TEMPLATE = "UPDATE bots SET generation = generation + 1 WHERE workspace_id = $1 AND template_id = $2";
    FIND_VERSION = "SELECT document FROM template_versions WHERE workspace_id = $1 AND template_id = $2 AND version = $3";
    DROP_TEMPLATE = "DELETE FROM templates WHERE workspace_id = $1 AND id = $2 AND kind = 'user'";
}

/// Who may change a template.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TemplateKind {
    /// Built in: can be used and duplicated, not changed.
    System,
    /// The user's own.
    User,
}

impl TemplateKind {
    /// The stored word.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::System => "system",
            Self::User => "user",
        }
    }
}

impl std::str::FromStr for TemplateKind {
    type Err = ();
    fn from_str(text: &str) -> Result<Self, ()> {
        [Self::System, Self::User].into_iter().find(|kind| kind.as_str() == text).ok_or(())
    }
}

/// A template at its newest version.
#[derive(Debug, Clone)]
pub struct TemplateRow {
    /// Its id.
    pub id: TemplateId,
    /// Who may change it.
    pub kind: TemplateKind,
    /// The version.
    pub version: u32,
    /// When it was saved.
    pub updated_at: Timestamp,
    /// The document.
    pub document: Template,
    /// Bots that use it.
    pub used_by: Vec<(BotId, String)>,
}

/// A version to be saved.
#[derive(Debug, Clone)]
pub struct NewTemplateVersion<'a> {
    /// The template.
    pub id: TemplateId,
    /// Who may change it.
    pub kind: TemplateKind,
    /// The document.
    pub document: &'a Template,
    /// Now.
    pub now: Timestamp,
}

fn template(row: &Row) -> Result<TemplateRow, StoreError> {
    Ok(TemplateRow {
        id: row.parsed("id")?,
        kind: row.parsed("kind")?,
        version: row.small("version")?,
        updated_at: row.time("updated_at")?,
        document: row.document("document")?,
        used_by: Vec::new(),
    })
}

impl WorkspaceStore {
    /// All templates, system ones first.
    ///
    /// # Errors
    /// [`StoreError::Database`].
    pub async fn templates(&self) -> Result<Vec<TemplateRow>, StoreError> {
        let rows = self.database.all(LIST_TEMPLATES, args![self.workspace]).await?;
        let mut found = rows.iter().map(template).collect::<Result<Vec<_>, _>>()?;
        self.fill_users(&mut found).await?;
        Ok(found)
    }

    /// One template.
    ///
    /// # Errors
    /// [`StoreError::NotFound`].
    pub async fn template(&self, id: TemplateId) -> Result<TemplateRow, StoreError> {
        let row = self.database.one(FIND_TEMPLATE, args![self.workspace, id]).await?;
        let mut found = vec![template(&row.ok_or(StoreError::NotFound)?)?];
        self.fill_users(&mut found).await?;
        found.pop().ok_or(StoreError::NotFound)
    }

    /// The document of one version, which never changes.
    ///
    /// # Errors
    /// [`StoreError::NotFound`].
    pub async fn template_version(&self, id: TemplateId, version: u32) -> Result<Template, StoreError> {
        let row = self.database.one(FIND_VERSION, args![self.workspace, id, version]).await?;
        row.ok_or(StoreError::NotFound)?.document("document")
    }

    async fn fill_users(&self, templates: &mut [TemplateRow]) -> Result<(), StoreError> {
        for row in self.database.all(USED_BY, args![self.workspace]).await? {
            let of: TemplateId = row.parsed("template_id")?;
            if let Some(found) = templates.iter_mut().find(|found| found.id == of) {
                found.used_by.push((row.parsed("id")?, row.text("label")?));
            }
        }
        Ok(())
    }

    /// Saves the first version of a new template.
    ///
    /// # Errors
    /// [`StoreError::Taken`] when the id is used.
    pub async fn add_template(&self, new: &NewTemplateVersion<'_>) -> Result<(), StoreError> {
        let mut tx = self.database.begin().await?;
        let name = &new.document.name;
        tx.run(ADD_TEMPLATE, args![self.workspace, new.id, new.kind.as_str(), name, new.now]).await?;
        self.add_version(&mut tx, new, 1).await?;
        tx.commit().await
    }

    /// Saves a further version. Bots that use the template get it at their next candle.
    ///
    /// # Errors
    /// [`StoreError::NotFound`] when there is no such template of this kind.
    pub async fn save_template(&self, new: &NewTemplateVersion<'_>) -> Result<u32, StoreError> {
        let mut tx = self.database.begin().await?;
        let values = args![&new.document.name, new.now, self.workspace, new.id, new.kind.as_str()];
        if tx.run(NEXT_VERSION, values).await? == 0 {
            return Err(StoreError::NotFound);
        }
        let version = next_version(&mut tx, self, new.id).await?;
        self.add_version(&mut tx, new, version).await?;
        tx.run(BUMP_BOTS_OF_TEMPLATE, args![self.workspace, new.id]).await?;
        tx.commit().await?;
        Ok(version)
    }

    async fn add_version(
        &self,
        tx: &mut Transaction,
        new: &NewTemplateVersion<'_>,
        version: u32,
    ) -> Result<(), StoreError> {
        let document = to_document(new.document, "document")?;
        tx.run(ADD_VERSION, args![self.workspace, new.id, version, document, new.now]).await.map(drop)
    }

    /// Removes a user's template with all versions.
    ///
    /// # Errors
    /// [`StoreError::NotFound`] (also for system templates), [`StoreError::Referenced`] while a bot uses it.
    pub async fn delete_template(&self, id: TemplateId) -> Result<(), StoreError> {
        match self.database.run(DROP_TEMPLATE, args![self.workspace, id]).await? {
            0 => Err(StoreError::NotFound),
            _ => Ok(()),
        }
    }
}

async fn next_version(
    tx: &mut Transaction,
    store: &WorkspaceStore,
    id: TemplateId,
) -> Result<u32, StoreError> {
    let row = tx.one(CURRENT_VERSION, args![store.workspace, id]).await?;
    row.ok_or(StoreError::NotFound)?.small("version")
}
