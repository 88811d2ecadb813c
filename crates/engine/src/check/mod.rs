//! Whether a template means something: all problems at once, each with its field, a code and a remedy.
//!
//! It knows no instrument, bot or account; those limits are checked where a plan is bound to them. Component rules
//! live with the components, exit parameters in [`crate::catalog::exits`]; here is what concerns the whole document.

mod combination;
mod document;
mod exits;
pub mod explain;
mod sessions;

use keyhold_domain::Decimal;

pub use self::document::check_document;
pub use self::explain::explain;
use crate::catalog::{DataNeeds, ExitKind};
use crate::component::{Component, Context, Parameters};
use crate::indicator::Atr;
use crate::problem::{Problem, code};
use crate::template::{Enabled, Role, TEMPLATE_FORMAT, Template};

/// The longest name, in characters.
pub const MAX_NAME_CHARS: usize = 80;
/// The longest description, in characters.
pub const MAX_DESCRIPTION_CHARS: usize = 2_000;
/// The largest number of components.
pub const MAX_COMPONENTS: usize = 64;
/// The largest number of exit rules.
pub const MAX_EXITS: usize = 16;
/// The largest number of sessions.
pub const MAX_SESSIONS: usize = 32;
/// The largest weight of a signal.
pub const MAX_WEIGHT: Decimal = Decimal::ONE_HUNDRED;

/// A template without problems, with its components built.
#[derive(Debug, Clone, PartialEq)]
pub struct CheckedTemplate {
    template: Template,
    components: Vec<CheckedComponent>,
    exits: Vec<CheckedExit>,
}

/// An enabled component, ready for its first candle.
#[derive(Debug, Clone, PartialEq)]
pub struct CheckedComponent {
    /// Its place in the template's list.
    pub index: usize,
    /// Influence of a signal; greater than zero.
    pub weight: Decimal,
    /// The component before its first candle.
    pub component: Component,
}

/// An enabled exit rule with its parameters.
#[derive(Debug, Clone, PartialEq)]
pub struct CheckedExit {
    /// Its place in the template's list.
    pub index: usize,
    /// Which rule it is.
    pub kind: ExitKind,
    /// Its parameters, complete.
    pub parameters: Parameters,
}

impl CheckedTemplate {
    /// The document.
    pub const fn template(&self) -> &Template {
        &self.template
    }

    /// The enabled components in the document's order.
    pub fn components(&self) -> &[CheckedComponent] {
        &self.components
    }

    /// The enabled exit rules in the document's order; each kind at most once.
    pub fn exits(&self) -> &[CheckedExit] {
        &self.exits
    }

    /// How many closed candles every component and exit rule needs before the first full decision.
    pub fn warmup_candles(&self) -> u32 {
        let components = self.components.iter().map(|checked| checked.component.warmup_candles());
        let exits = self.exits.iter().map(CheckedExit::warmup_candles);
        components.chain(exits).max().unwrap_or(0)
    }

    /// What the enabled components work on besides candles.
    pub fn needs(&self) -> DataNeeds {
        self.components.iter().fold(DataNeeds::CANDLES, |needs, checked| needs.or(checked.component.needs()))
    }
}

impl CheckedExit {
    /// How many closed candles the rule needs; 0 when it works from the first.
    pub fn warmup_candles(&self) -> u32 {
        let parameters = &self.parameters;
        match self.kind {
            ExitKind::HardStop | ExitKind::TakeProfit if parameters.choice("basis") == "atr" => {
                Atr::warmup_candles(parameters.integer("atr_period"))
            }
            ExitKind::Chandelier => Atr::warmup_candles(parameters.integer("period")),
            ExitKind::VolatilityExit => Atr::warmup_candles(parameters.integer("atr_period")),
            ExitKind::HardStop
            | ExitKind::TakeProfit
            | ExitKind::BreakEven
            | ExitKind::TrailingStop
            | ExitKind::TimeStop
            | ExitKind::SignalFlip => 0,
        }
    }
}

/// Checks the meaning of a whole template. All problems at once, in the order of the document.
///
/// ```
/// use keyhold_engine::check::check_template;
/// let mut template = keyhold_engine::system_templates::all().remove(0).template;
/// assert!(check_template(&template).is_ok());
/// template.exits.clear();
/// let problems = check_template(&template).unwrap_err();
/// assert_eq!(problems[0].code, "NO_EXIT_RULE");
/// ```
pub fn check_template(template: &Template) -> Result<CheckedTemplate, Vec<Problem>> {
    let mut problems = check_head(template);
    combination::check(template, &mut problems);
    let components = build_components(template, &mut problems);
    let exits = exits::check(template, &mut problems);
    sessions::check(&template.sessions, &mut problems);
    if problems.is_empty() {
        Ok(CheckedTemplate { template: template.clone(), components, exits })
    } else {
        Err(problems)
    }
}

fn check_head(template: &Template) -> Vec<Problem> {
    let mut problems = Vec::new();
    if template.format != TEMPLATE_FORMAT {
        problems.push(Problem::new(
            "format",
            code::FORMAT_UNSUPPORTED,
            format!("Format {} is not known; this program reads format {TEMPLATE_FORMAT}.", template.format),
            "Export the template again with this version, or update the program.",
        ));
    }
    let length = template.name.trim().chars().count();
    if length == 0 || length > MAX_NAME_CHARS || template.name.chars().any(char::is_control) {
        problems.push(Problem::new(
            "name",
            code::NAME_INVALID,
            "The name is empty, too long or holds control characters.",
            format!("Write a name of 1 to {MAX_NAME_CHARS} characters on one line."),
        ));
    }
    if template.description.chars().count() > MAX_DESCRIPTION_CHARS {
        problems.push(Problem::new(
            "description",
            code::TEXT_TOO_LONG,
            format!("The description is longer than {MAX_DESCRIPTION_CHARS} characters."),
            "Shorten it.",
        ));
    }
    let lists = [
        ("components", template.components.len(), MAX_COMPONENTS),
        ("exits", template.exits.len(), MAX_EXITS),
        ("sessions", template.sessions.len(), MAX_SESSIONS),
    ];
    for (path, count, limit) in lists {
        if count > limit {
            problems.push(Problem::new(
                path,
                code::TOO_MANY,
                format!("There are {count} entries; the limit is {limit}."),
                format!("Remove entries until at most {limit} are left."),
            ));
        }
    }
    problems
}

/// Builds every component, also the disabled ones: enabling one must not be able to break a saved template.
fn build_components(template: &Template, problems: &mut Vec<Problem>) -> Vec<CheckedComponent> {
    let context = Context::of(template);
    let mut components = Vec::new();
    for (index, spec) in template.components.iter().enumerate() {
        let path = format!("components[{index}]");
        let weight = spec.weight.0;
        if spec.role == Role::Signal && (weight <= Decimal::ZERO || weight > MAX_WEIGHT) {
            problems.push(Problem::new(
                format!("{path}.weight"),
                code::WEIGHT_INVALID,
                format!("The weight {} is not above 0 and at most {MAX_WEIGHT}.", weight.normalize()),
                "Write a weight such as 1; disable the component if it should not count.",
            ));
        }
        match Component::build(spec, context) {
            Ok(component) if spec.enabled == Enabled::Yes => {
                components.push(CheckedComponent { index, weight, component });
            }
            Ok(_) => {}
            Err(more) => problems.extend(more.into_iter().map(|problem| problem.under(&path))),
        }
    }
    components
}
