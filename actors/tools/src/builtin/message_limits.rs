//! How much agents may write to each other. Two that answer each other by messages would never stop by themselves: each
//! message begins a turn, and each turn costs a call of a model.

use std::collections::HashMap;

use engram_domain::AgentId;
use parking_lot::Mutex;

const MINUTE_NS: i64 = 60_000_000_000;
/// Pairs of agents that are remembered at most.
const PAIRS: usize = 10_000;

/// How much agents may write to each other.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MessageLimits {
    /// Messages from agent to agent that may follow from one request, each because of the one before.
    pub hops: u32,
    /// Messages that one agent may send to one other in a minute, counted by this node.
    pub per_minute: u32,
}

impl Default for MessageLimits {
    fn default() -> Self {
        Self { hops: 16, per_minute: 60 }
    }
}

/// What a pair has sent since a moment of the monotonic clock, in nanoseconds.
#[derive(Debug, Clone, Copy)]
struct Minute {
    since_ns: i64,
    sent: u32,
}

/// The limits, and what was sent in the current minute.
#[derive(Debug, Default)]
pub(crate) struct MessageCounter {
    limits: MessageLimits,
    pairs: Mutex<HashMap<(AgentId, AgentId), Minute>>,
}

impl MessageCounter {
    pub fn new(limits: MessageLimits) -> Self {
        Self { limits, pairs: Mutex::default() }
    }

    /// Whether a message after so many others may be sent at all; why not, in words for the model.
    pub fn check_hops(&self, hops: u32) -> Result<(), String> {
        let most = self.limits.hops;
        if hops <= most {
            return Ok(());
        }
        Err(format!(
            "The message was not sent: {most} messages between agents have led to this turn, and no more may follow from \
             one request. Stop writing to other agents and end your turn."
        ))
    }

    /// Counts a message; why it may not be sent, in words for the model.
    pub fn count(&self, from: AgentId, to: AgentId, now_ns: i64) -> Result<(), String> {
        let mut pairs = self.pairs.lock();
        if pairs.len() >= PAIRS && !pairs.contains_key(&(from, to)) {
            pairs.retain(|_, minute| now_ns - minute.since_ns < MINUTE_NS);
            if pairs.len() >= PAIRS {
                pairs.clear();
            }
        }
        let minute = pairs.entry((from, to)).or_insert(Minute { since_ns: now_ns, sent: 0 });
        if now_ns - minute.since_ns >= MINUTE_NS {
            *minute = Minute { since_ns: now_ns, sent: 0 };
        }
        if minute.sent >= self.limits.per_minute {
            let seconds = (MINUTE_NS - (now_ns - minute.since_ns)) / 1_000_000_000 + 1;
            return Err(format!(
                "The message was not sent: you have sent {} messages to {to} within a minute. The next one may be sent in \
                 {seconds} seconds.",
                minute.sent
            ));
        }
        minute.sent += 1;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;

    #[test]
    fn a_pair_may_send_so_much_in_a_minute_and_pairs_do_not_hinder_each_other() {
        let [a, b, c] = [1, 2, 3].map(|n| AgentId(Uuid::from_u128(n)));
        let counter = MessageCounter::new(MessageLimits { hops: 1, per_minute: 2 });
        assert!(counter.count(a, b, 0).is_ok() && counter.count(a, b, 1).is_ok());
        let refused = counter.count(a, b, MINUTE_NS / 2).expect_err("a third one");
        assert!(refused.contains("in 31 seconds"), "{refused}");
        assert!(counter.count(b, a, 1).is_ok() && counter.count(a, c, 1).is_ok());
        assert!(counter.count(a, b, MINUTE_NS).is_ok(), "the next minute");
    }

    #[test]
    fn what_is_remembered_is_bounded() {
        let counter = MessageCounter::default();
        let to = AgentId(Uuid::nil());
        for n in 0..3 * PAIRS as u128 {
            assert!(counter.count(AgentId(Uuid::from_u128(n)), to, 0).is_ok());
        }
        assert!(counter.pairs.lock().len() <= PAIRS);
    }
}
