//! Strategy templates: built-in ones to use and duplicate, the user's own to edit.

use axum::extract::State;
use axum::http::StatusCode;
use keyhold_domain::id::kind;
use keyhold_domain::{TemplateId, Timestamp};
use keyhold_engine::check::{check_template, explain};
use keyhold_engine::template::Template;
use keyhold_store::{NewTemplateVersion, StoreError, TemplateKind, TemplateRow, WorkspaceStore};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::api::documents::{Named, engine_problems, label};
use crate::app::Shared;
use crate::http::auth::Session;
use crate::http::ids::PathId;
use crate::http::json::Json;
use crate::http::problem::{FieldProblem, Problem, ProblemDocument};
use crate::random;
use crate::shape;

/// A template at its newest version.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct TemplateView {
    #[schema(value_type = String)]
    id: TemplateId,
    name: String,
    #[schema(value_type = shape::TemplateKind)]
    kind: &'static str,
    version: u32,
    #[schema(value_type = shape::Document)]
    document: Template,
    valid: bool,
    problems: Vec<FieldProblem>,
    explanation: String,
    used_by: Vec<Named>,
    #[schema(value_type = i64)]
    updated_at: Timestamp,
}

impl From<TemplateRow> for TemplateView {
    fn from(row: TemplateRow) -> Self {
        let problems = problems(&row.document);
        Self {
            id: row.id,
            name: row.document.name.clone(),
            kind: row.kind.as_str(),
            version: row.version,
            valid: problems.is_empty(),
            problems,
            explanation: explain(&row.document),
            used_by: row.used_by.into_iter().map(|(id, label)| Named::new(id, label)).collect(),
            updated_at: row.updated_at,
            document: row.document,
        }
    }
}

/// A new template: a document, or a copy of another.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct NewTemplate {
    #[serde(default)]
    #[schema(value_type = Option<shape::Document>)]
    document: Option<Template>,
    #[serde(default)]
    #[schema(value_type = Option<String>)]
    duplicate_of: Option<TemplateId>,
    #[serde(default)]
    name: Option<String>,
}

/// A document.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct DocumentBody {
    #[schema(value_type = shape::Document)]
    document: Template,
}

/// What a document means and what is wrong with it.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct TemplateCheck {
    problems: Vec<FieldProblem>,
    explanation: String,
}

fn problems(document: &Template) -> Vec<FieldProblem> {
    check_template(document).err().map(|found| engine_problems(&found)).unwrap_or_default()
}

/// The id of a built-in template: the same in every workspace.
fn system_id(name: &str) -> TemplateId {
    use sha2::Digest as _;
    let digest = sha2::Sha256::new().chain_update("keyhold/system-template/").chain_update(name).finalize();
    let mut bytes = [0; 16];
    bytes.copy_from_slice(&digest[..16]);
    TemplateId::from_bytes(bytes)
}

/// Puts the built-in templates into a workspace, as new versions where they changed.
///
/// # Errors
/// [`StoreError::Database`].
pub(crate) async fn put_system_templates(store: &WorkspaceStore, now: Timestamp) -> Result<(), StoreError> {
    for built_in in keyhold_engine::system_templates::all() {
        let id = system_id(built_in.id);
        let new = NewTemplateVersion { id, kind: TemplateKind::System, document: &built_in.template, now };
        match store.template(id).await {
            Ok(stored) if stored.document == built_in.template => {}
            Ok(_) => store.save_template(&new).await.map(drop)?,
            Err(StoreError::NotFound) => store.add_template(&new).await?,
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

/// All templates.
#[utoipa::path(get, path = "/templates",
    responses((status = 200, body = Vec<TemplateView>), (status = 401, body = ProblemDocument)))]
pub(crate) async fn list(session: Session) -> Result<Json<Vec<TemplateView>>, Problem> {
    let rows = session.workspace.templates().await?;
    Ok(Json(rows.into_iter().map(TemplateView::from).collect()))
}

/// One template.
#[utoipa::path(get, path = "/templates/{id}", params(("id" = String, Path)),
    responses((status = 200, body = TemplateView), (status = 404, body = ProblemDocument)))]
pub(crate) async fn get(
    session: Session,
    PathId(id): PathId<kind::Template>,
) -> Result<Json<TemplateView>, Problem> {
    Ok(Json(session.workspace.template(id).await?.into()))
}

/// Makes a template. One with problems is kept, but no bot trades with it.
#[utoipa::path(post, path = "/templates", request_body = NewTemplate,
    responses((status = 201, body = TemplateView), (status = 404, body = ProblemDocument)))]
pub(crate) async fn create(
    State(app): State<Shared>,
    session: Session,
    Json(body): Json<NewTemplate>,
) -> Result<(StatusCode, Json<TemplateView>), Problem> {
    let mut document = match (body.document, body.duplicate_of) {
        (Some(document), None) => document,
        (None, Some(id)) => {
            let mut copy = session.workspace.template(id).await?.document;
            copy.name = format!("{} (copy)", copy.name).chars().take(80).collect();
            copy
        }
        (Some(_), Some(_)) | (None, None) => {
            let detail = "Send either a document or duplicate_of.";
            return Err(Problem::bad_request("INVALID_FIELD", detail).at(""));
        }
    };
    if let Some(name) = body.name {
        document.name = name;
    }
    document.name = label(&document.name, "/document/name")?;
    let id = random::id();
    let now = app.clock.now();
    let new = NewTemplateVersion { id, kind: TemplateKind::User, document: &document, now };
    session.workspace.add_template(&new).await?;
    Ok((StatusCode::CREATED, Json(session.workspace.template(id).await?.into())))
}

/// Saves a new version of the user's own template.
#[utoipa::path(put, path = "/templates/{id}", params(("id" = String, Path)), request_body = DocumentBody,
    responses((status = 200, body = TemplateView), (status = 403, body = ProblemDocument),
        (status = 404, body = ProblemDocument)))]
pub(crate) async fn save(
    State(app): State<Shared>,
    session: Session,
    PathId(id): PathId<kind::Template>,
    Json(body): Json<DocumentBody>,
) -> Result<Json<TemplateView>, Problem> {
    refuse_system(&session.workspace.template(id).await?)?;
    let mut document = body.document;
    document.name = label(&document.name, "/document/name")?;
    let new = NewTemplateVersion { id, kind: TemplateKind::User, document: &document, now: app.clock.now() };
    session.workspace.save_template(&new).await?;
    app.uplinks.changed(session.workspace.id());
    Ok(Json(session.workspace.template(id).await?.into()))
}

fn refuse_system(row: &TemplateRow) -> Result<(), Problem> {
    match row.kind {
        TemplateKind::User => Ok(()),
        TemplateKind::System => {
            let detail = "Built-in templates cannot be changed.";
            Err(Problem::new(StatusCode::FORBIDDEN, "SYSTEM_TEMPLATE", detail)
                .next("Duplicate it and change the copy."))
        }
    }
}

/// Deletes the user's own template with all versions.
#[utoipa::path(delete, path = "/templates/{id}", params(("id" = String, Path)),
    responses((status = 204), (status = 403, body = ProblemDocument), (status = 404, body = ProblemDocument),
        (status = 409, body = ProblemDocument)))]
pub(crate) async fn delete(
    session: Session,
    PathId(id): PathId<kind::Template>,
) -> Result<StatusCode, Problem> {
    refuse_system(&session.workspace.template(id).await?)?;
    session.workspace.delete_template(id).await.map_err(|error| match error {
        StoreError::Referenced => Problem::conflict("TEMPLATE_IN_USE", "A bot uses this template.")
            .next("Give the bot another template first."),
        other => other.into(),
    })?;
    Ok(StatusCode::NO_CONTENT)
}

/// Checks a document without saving it.
#[utoipa::path(post, path = "/templates/check", request_body = DocumentBody,
    responses((status = 200, body = TemplateCheck), (status = 401, body = ProblemDocument)))]
pub(crate) async fn check(
    _session: Session,
    Json(body): Json<DocumentBody>,
) -> Result<Json<TemplateCheck>, Problem> {
    let explanation = explain(&body.document);
    Ok(Json(TemplateCheck { problems: problems(&body.document), explanation }))
}
