//! Pages of the catalog of [`keyhold_engine::catalog`], from which forms are drawn.

use utoipa::ToSchema;

use super::words::{ExitKind, Family, Role, Unit};

/// The catalog's page on one component.
#[derive(ToSchema)]
#[schema(as = ComponentEntry)]
pub(crate) struct ComponentPage {
    /// Its name in documents.
    kind: String,
    family: Family,
    title: String,
    help: String,
    /// What it does in each role it can play.
    roles: Vec<RoleEntry>,
    needs: DataNeeds,
    /// How many closed candles it must have seen before it answers, as a formula over its parameters.
    warmup: String,
    /// The unit of a reading's value and limit.
    unit: Unit,
    /// In the order shown.
    parameters: Vec<ParameterEntry>,
}

/// The catalog's page on one exit rule.
#[derive(ToSchema)]
#[schema(as = ExitEntry)]
pub(crate) struct ExitPage {
    /// Its name in documents.
    kind: ExitKind,
    family: Family,
    title: String,
    help: String,
    /// How many closed candles it needs, as a formula over its parameters.
    warmup: String,
    /// In the order shown.
    parameters: Vec<ParameterEntry>,
}

/// What a component works on besides closed candles.
#[derive(ToSchema)]
pub(crate) struct DataNeeds {
    /// The funding rate in force.
    funding: bool,
}

/// What a component does in one role.
#[derive(ToSchema)]
pub(crate) struct RoleEntry {
    role: Role,
    help: String,
}

/// Everything a form must know about one parameter.
#[derive(ToSchema)]
pub(crate) struct ParameterEntry {
    /// Its key in the document.
    name: String,
    title: String,
    help: String,
    #[serde(flatten)]
    shape: ParameterShape,
    /// The roles in which it has an effect; empty means in all.
    roles: Vec<Role>,
    /// It applies only while another parameter has this choice.
    #[schema(required)]
    applies_if: Option<AppliesIf>,
}

/// The condition under which a parameter has an effect.
#[derive(ToSchema)]
pub(crate) struct AppliesIf {
    parameter: String,
    choice: String,
}

/// What may be written for a parameter.
#[derive(ToSchema)]
#[serde(tag = "type", rename_all = "snake_case")]
pub(crate) enum ParameterShape {
    /// A whole number; both ends are allowed.
    Integer { unit: Unit, default: u32, min: u32, max: u32, step: u32 },
    /// A decimal as text; both ends are allowed. Without a default it is optional.
    Number {
        unit: Unit,
        #[schema(required)]
        default: Option<String>,
        min: String,
        max: String,
        step: String,
    },
    /// One word.
    Choice { choices: Vec<String>, default: String },
    /// Several words.
    Choices { choices: Vec<String>, default: Vec<String> },
    /// Steps; none is the default.
    Ladder { max_steps: u32 },
}
