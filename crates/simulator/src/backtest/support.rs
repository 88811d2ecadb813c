//! What of a template can be simulated from the data there are.
//!
//! A component that needs more is named. Whether the run is then refused or goes on without it is asked of the person, never
//! decided here.

use keyhold_engine::catalog::DataNeeds;
use keyhold_engine::template::{ComponentSpec, Enabled, Role, Template};

use super::facts::lacks;
use super::recorded::RecordedFacts;
use super::report::Finding;
use super::run::BacktestError;
use super::spec::{Funding, Spec, Unsupported};

/// The enabled components that need more than candles, this funding and these series, by their names in documents, in the
/// order of the template.
pub fn unsupported(template: &Template, recorded: &RecordedFacts, funding: &Funding) -> Vec<String> {
    let lacks = |needs| lacks(recorded, funding, needs);
    names(template, &|component| is_unsupported(component, &lacks))
}

fn names(template: &Template, wanted: &dyn Fn(&ComponentSpec) -> bool) -> Vec<String> {
    template.components.iter().filter(|one| wanted(one)).map(|one| one.kind.clone()).collect()
}

fn is_unsupported(component: &ComponentSpec, lacks: &dyn Fn(DataNeeds) -> bool) -> bool {
    let entry = keyhold_engine::catalog::component(&component.kind);
    component.enabled == Enabled::Yes && entry.is_some_and(|entry| lacks(entry.needs))
}

/// The template without what cannot be simulated, when that was asked for.
pub(super) fn supported(
    spec: &Spec,
    lacks: &dyn Fn(DataNeeds) -> bool,
    findings: &mut Vec<Finding>,
) -> Result<Template, BacktestError> {
    let is_missing = |component: &ComponentSpec| is_unsupported(component, lacks);
    let missing: Vec<String> = names(&spec.template, &is_missing);
    if missing.is_empty() {
        return Ok(spec.template.clone());
    }
    let mut template = spec.template.clone();
    for component in &mut template.components {
        // A signal without data stays and is neutral: leaving it out would move the threshold.
        if is_missing(component) && component.role != Role::Signal {
            component.enabled = Enabled::No;
        }
    }
    match spec.unsupported {
        Unsupported::Refuse => Err(BacktestError::ComponentUnsupported(missing)),
        Unsupported::Neutral => {
            findings.push(Finding {
                code: "BT_COMPONENT_UNSUPPORTED",
                message: format!("Not simulated, for lack of data: {}.", missing.join(", ")),
            });
            Ok(template)
        }
    }
}
