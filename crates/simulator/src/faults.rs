//! What can go wrong between a bot and its venue, as chances drawn from a seed.
//!
//! Only says what shall happen to a message; a fake venue makes it happen. Chances are per thousand.

use serde::{Deserialize, Serialize};

use crate::latency::LatencyModel;
use crate::random::Random;

/// Chances of trouble. The default is a perfect network.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct FaultPlan {
    /// Delay of each answer.
    pub latency: LatencyModel,
    /// Requests that are cut before the venue sees them, per thousand.
    pub lose_request: u16,
    /// Answers that are cut after the venue has done the work, per thousand.
    pub lose_answer: u16,
    /// Stream messages sent twice, per thousand.
    pub duplicate_message: u16,
    /// Stream messages that change places with the next one, per thousand.
    pub reorder_message: u16,
    /// Stream messages that are lost, per thousand.
    pub lose_message: u16,
    /// Requests answered with HTTP 429, per thousand.
    pub too_many_requests: u16,
    /// Requests answered with HTTP 403, per thousand.
    pub forbidden: u16,
    /// Requests answered with HTTP 503, per thousand.
    pub unavailable: u16,
}

/// What happens to one request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RequestFate {
    /// Done and answered.
    Served,
    /// Never arrives.
    LostRequest,
    /// Done, but the answer is lost.
    LostAnswer,
    /// Answered with this HTTP status and not done.
    Status(u16),
}

/// What happens to one stream message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MessageFate {
    /// Sent once, in its place.
    Sent,
    /// Sent twice.
    Duplicated,
    /// Held back until the next message is out.
    Delayed,
    /// Not sent.
    Lost,
}

impl FaultPlan {
    /// The fate of the next request.
    pub const fn request(&self, random: &mut Random) -> RequestFate {
        if random.chance(self.lose_request) {
            RequestFate::LostRequest
        } else if random.chance(self.too_many_requests) {
            RequestFate::Status(429)
        } else if random.chance(self.forbidden) {
            RequestFate::Status(403)
        } else if random.chance(self.unavailable) {
            RequestFate::Status(503)
        } else if random.chance(self.lose_answer) {
            RequestFate::LostAnswer
        } else {
            RequestFate::Served
        }
    }

    /// The fate of the next stream message.
    pub const fn message(&self, random: &mut Random) -> MessageFate {
        if random.chance(self.lose_message) {
            MessageFate::Lost
        } else if random.chance(self.duplicate_message) {
            MessageFate::Duplicated
        } else if random.chance(self.reorder_message) {
            MessageFate::Delayed
        } else {
            MessageFate::Sent
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_perfect_network_serves_everything_and_draws_nothing() {
        let mut random = Random::new(9);
        let before = random.clone();
        let plan = FaultPlan::default();
        assert_eq!(plan.request(&mut random), RequestFate::Served);
        assert_eq!(plan.message(&mut random), MessageFate::Sent);
        assert_eq!(random, before);
    }

    #[test]
    fn a_certain_fault_always_happens() {
        let mut random = Random::new(9);
        let plan = FaultPlan { lose_answer: 1000, duplicate_message: 1000, ..FaultPlan::default() };
        assert_eq!(plan.request(&mut random), RequestFate::LostAnswer);
        assert_eq!(plan.message(&mut random), MessageFate::Duplicated);
    }
}
