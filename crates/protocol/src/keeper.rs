//! Placeholder until the verbs are settled.
