//! Who is next: the limiter's bookkeeping, without anything that waits.

use std::{
    collections::{BTreeMap, HashMap},
    sync::Arc,
};

use engram_domain::AgentId;

use super::LlmLimits;

/// Places taken and calls that wait, each with a `W` by which it is woken.
///
/// Invariant between any two calls: whoever waits, waits because its provider or the whole is full.
pub(super) struct Queue<W> {
    limits: LlmLimits,
    used: usize,
    waiting: usize,
    /// Counts what happens, so that earlier and later can be told apart.
    clock: u64,
    /// Providers that somebody uses or waits for.
    providers: HashMap<Arc<str>, Provider<W>>,
}

struct Provider<W> {
    used: usize,
    /// Agents that wait, by their turn.
    turns: BTreeMap<u64, AgentId>,
    lines: HashMap<AgentId, Line<W>>,
}

/// Calls of one agent to one provider, oldest first.
struct Line<W> {
    /// When the agent is next: after everybody who waited when it was last served.
    turn: u64,
    calls: BTreeMap<u64, W>,
}

/// Where a call waits.
#[derive(Clone)]
pub(super) struct Ticket {
    provider: Arc<str>,
    agent: AgentId,
    number: u64,
}

impl<W> Queue<W> {
    pub(super) fn new(limits: LlmLimits) -> Self {
        let limits = LlmLimits { total: limits.total.max(1), per_provider: limits.per_provider.max(1) };
        Self { limits, used: 0, waiting: 0, clock: 0, providers: HashMap::new() }
    }

    pub(super) fn waiting(&self) -> usize {
        self.waiting
    }

    /// Takes a place if one is free. Nobody is passed by: who waits could not use it.
    pub(super) fn take(&mut self, provider: &str) -> Option<Arc<str>> {
        if self.used >= self.limits.total {
            return None;
        }
        let name = self.name(provider);
        let entry = self.providers.entry(name.clone()).or_default();
        if entry.used >= self.limits.per_provider {
            return None;
        }
        entry.used += 1;
        self.used += 1;
        Some(name)
    }

    /// Puts a call at the end of its agent's line.
    pub(super) fn wait(&mut self, provider: &str, agent: AgentId, waker: W) -> Ticket {
        let provider = self.name(provider);
        let number = self.tick();
        let entry = self.providers.entry(provider.clone()).or_default();
        let line = entry.lines.entry(agent).or_insert_with(|| {
            entry.turns.insert(number, agent);
            Line { turn: number, calls: BTreeMap::new() }
        });
        line.calls.insert(number, waker);
        self.waiting += 1;
        Ticket { provider, agent, number }
    }

    /// Takes a call out of the queue; none when it is not there any more.
    pub(super) fn leave(&mut self, ticket: &Ticket) -> Option<W> {
        let entry = self.providers.get_mut(&ticket.provider)?;
        let line = entry.lines.get_mut(&ticket.agent)?;
        let waker = line.calls.remove(&ticket.number)?;
        if line.calls.is_empty() {
            entry.turns.remove(&line.turn);
            entry.lines.remove(&ticket.agent);
        }
        self.waiting -= 1;
        self.forget_if_idle(&ticket.provider);
        Some(waker)
    }

    /// Gives a place back and takes it again for the call that is next: its provider, and how to wake it.
    pub(super) fn give_back(&mut self, provider: &Arc<str>) -> Option<(Arc<str>, W)> {
        self.used -= 1;
        if let Some(entry) = self.providers.get_mut(provider) {
            entry.used -= 1;
        }
        let next = self.next();
        self.forget_if_idle(provider);
        next
    }

    fn next(&mut self) -> Option<(Arc<str>, W)> {
        let most = self.limits.per_provider;
        let open = self.providers.iter().filter(|(_, entry)| entry.used < most);
        let (_, agent, name) = open
            .filter_map(|(name, entry)| entry.turns.first_key_value().map(|(turn, agent)| (*turn, *agent, name)))
            .min_by_key(|(turn, ..)| *turn)?;
        let name = name.clone();
        let turn = self.tick();
        let entry = self.providers.get_mut(&name)?;
        let line = entry.lines.get_mut(&agent)?;
        let (_, waker) = line.calls.pop_first()?;
        entry.turns.remove(&line.turn);
        if line.calls.is_empty() {
            entry.lines.remove(&agent);
        } else {
            line.turn = turn;
            entry.turns.insert(turn, agent);
        }
        entry.used += 1;
        self.used += 1;
        self.waiting -= 1;
        Some((name, waker))
    }

    /// The provider's name, shared where it is known.
    fn name(&self, provider: &str) -> Arc<str> {
        self.providers.get_key_value(provider).map_or_else(|| provider.into(), |(name, _)| name.clone())
    }

    fn tick(&mut self) -> u64 {
        self.clock += 1;
        self.clock
    }

    /// Names come from outside: one that nobody uses must not stay.
    fn forget_if_idle(&mut self, provider: &Arc<str>) {
        if self.providers.get(provider).is_some_and(|entry| entry.used == 0 && entry.lines.is_empty()) {
            self.providers.remove(provider);
        }
    }

    /// Places taken: in all, and at a provider.
    #[cfg(test)]
    pub(super) fn used(&self, provider: &str) -> (usize, usize) {
        (self.used, self.providers.get(provider).map_or(0, |entry| entry.used))
    }

    /// Whether nothing is left of anybody.
    #[cfg(test)]
    pub(super) fn is_clean(&self) -> bool {
        self.used == 0 && self.waiting == 0 && self.providers.is_empty()
    }

    /// Whether somebody waits although there is a place.
    #[cfg(test)]
    pub(super) fn has_slept(&self) -> bool {
        self.used < self.limits.total
            && self.providers.values().any(|entry| entry.used < self.limits.per_provider && !entry.lines.is_empty())
    }
}

impl<W> Default for Provider<W> {
    fn default() -> Self {
        Self { used: 0, turns: BTreeMap::new(), lines: HashMap::new() }
    }
}
