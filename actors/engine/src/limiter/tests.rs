//! Limits, turns, and that nothing gets lost.

use std::{future::Future, pin::Pin, task::Poll, time::Duration};

use futures::{FutureExt, poll};
use proptest::prelude::*;
use uuid::Uuid;

use super::*;

fn agent(n: u128) -> AgentId {
    AgentId(Uuid::from_u128(n))
}

fn limiter(total: usize, per_provider: usize) -> LlmLimiter {
    LlmLimiter::new(LlmLimits { total, per_provider })
}

/// A permit that is there at once.
fn now(limiter: &LlmLimiter, provider: &str, who: AgentId) -> Option<Permit> {
    limiter.acquire(provider, who, &CancellationToken::new()).now_or_never().flatten()
}

#[tokio::test]
async fn a_full_provider_holds_up_nobody_else() {
    let limiter = limiter(2, 1);
    let token = CancellationToken::new();
    let first = now(&limiter, "slow", agent(1)).expect("it is free");
    let mut second = Box::pin(limiter.acquire("slow", agent(2), &token));
    assert!(poll!(&mut second).is_pending());
    let other = now(&limiter, "fast", agent(3)).expect("another provider has a place");
    assert!(now(&limiter, "third", agent(4)).is_none(), "both places are taken");
    drop(other);
    assert!(poll!(&mut second).is_pending(), "the place of another provider is of no use to it");
    drop(first);
    assert!(poll!(&mut second).is_ready());
}

#[tokio::test]
async fn a_thousand_calls_of_one_agent_delay_another_by_one() {
    let limiter = limiter(1, 1);
    let token = CancellationToken::new();
    let first = now(&limiter, "p", agent(1)).expect("it is free");
    let mut crowd: Vec<_> = (0..1_000).map(|_| Box::pin(limiter.acquire("p", agent(1), &token))).collect();
    for call in &mut crowd {
        assert!(poll!(call).is_pending());
    }
    let mut single = Box::pin(limiter.acquire("p", agent(2), &token));
    assert!(poll!(&mut single).is_pending());
    assert_eq!(limiter.waiting(), 1_001);
    drop(first);
    let Poll::Ready(Some(pass)) = poll!(&mut crowd[0]) else { panic!("it was in turn") };
    assert!(poll!(&mut single).is_pending());
    drop(pass);
    assert!(poll!(&mut single).is_ready(), "after one call of the crowd");
}

#[tokio::test]
async fn cancelling_answers_and_loses_nothing() {
    let limiter = limiter(1, 1);
    let token = CancellationToken::new();
    let first = now(&limiter, "p", agent(1)).expect("it is free");
    let mut cancelled = Box::pin(limiter.acquire("p", agent(2), &token));
    assert!(poll!(&mut cancelled).is_pending());
    token.cancel();
    assert!(matches!(poll!(&mut cancelled), Poll::Ready(None)));
    drop(cancelled);
    assert_eq!(limiter.waiting(), 0);
    assert!(limiter.acquire("p", agent(3), &token).await.is_none(), "cancelled before it began");
    drop(first);
    assert!(now(&limiter, "p", agent(4)).is_some());
    assert!(limiter.0.lock().is_clean());
}

#[tokio::test]
async fn a_pass_on_its_way_to_somebody_who_left_goes_to_the_next() {
    let limiter = limiter(1, 1);
    let token = CancellationToken::new();
    let first = now(&limiter, "p", agent(1)).expect("it is free");
    let mut leaves = Box::pin(limiter.acquire("p", agent(2), &token));
    let mut stays = Box::pin(limiter.acquire("p", agent(3), &token));
    assert!(poll!(&mut leaves).is_pending() && poll!(&mut stays).is_pending());
    drop(first);
    // The pass lies in its hand, unread.
    drop(leaves);
    assert!(matches!(poll!(&mut stays), Poll::Ready(Some(_))));
    drop(stays);
    assert!(limiter.0.lock().is_clean());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn nothing_is_lost_between_threads() {
    let limiter = limiter(4, 3);
    let tasks: Vec<_> = (0..400_u64)
        .map(|n| {
            let limiter = limiter.clone();
            tokio::spawn(async move {
                let token = CancellationToken::new();
                let provider = if n % 3 == 0 { "a" } else { "b" };
                let enter = limiter.acquire(provider, agent(u128::from(n % 7)), &token);
                // Some give up at a moment that nobody knows.
                let patience = Duration::from_micros(50 * (n % 40) + 1);
                if let Ok(Some(pass)) = tokio::time::timeout(patience, enter).await {
                    tokio::time::sleep(Duration::from_micros(n % 100)).await;
                    drop(pass);
                }
            })
        })
        .collect();
    for task in tasks {
        task.await.expect("no task panics");
    }
    assert!(limiter.0.lock().is_clean());
}

#[derive(Debug, Clone)]
enum Act {
    Enter {
        provider: usize,
        agent: u128,
    },
    /// A future is dropped, wherever it is.
    Drop(usize),
    /// A token fires.
    Cancel(usize),
    /// A call ends.
    Finish(usize),
    /// Everybody looks whether there is a pass. Between two of these permits lie unread.
    Look,
}

fn act() -> impl Strategy<Value = Act> {
    prop_oneof![
        4 => (0..3_usize, 0..5_u128).prop_map(|(provider, agent)| Act::Enter { provider, agent }),
        1 => any::<usize>().prop_map(Act::Drop),
        1 => any::<usize>().prop_map(Act::Cancel),
        3 => any::<usize>().prop_map(Act::Finish),
        3 => Just(Act::Look),
    ]
}

const PROVIDERS: [&str; 3] = ["a", "b", "c"];

type Entering<'a> = Pin<Box<dyn Future<Output = Option<Permit>> + 'a>>;

/// Polls everybody, in order.
fn look(entering: &mut Vec<(Entering<'_>, CancellationToken)>, inside: &mut Vec<Permit>) {
    entering.retain_mut(|(enter, _)| match enter.now_or_never() {
        None => true,
        Some(pass) => {
            inside.extend(pass);
            false
        }
    });
}

proptest! {
    #[test]
    fn places_are_kept_and_nobody_starves(
        acts in proptest::collection::vec(act(), 1..120), total in 1..5_usize, per_provider in 1..4_usize
    ) {
        let limiter = limiter(total, per_provider);
        let mut entering: Vec<(Entering<'_>, CancellationToken)> = Vec::new();
        let mut inside: Vec<Permit> = Vec::new();
        for act in acts {
            match act {
                Act::Enter { provider, agent: n } => {
                    let token = CancellationToken::new();
                    let (limiter, mine) = (&limiter, token.clone());
                    let enter = async move { limiter.acquire(PROVIDERS[provider], agent(n), &mine).await };
                    entering.push((Box::pin(enter), token));
                }
                Act::Drop(n) if !entering.is_empty() => drop(entering.swap_remove(n % entering.len())),
                Act::Cancel(n) if !entering.is_empty() => entering[n % entering.len()].1.cancel(),
                Act::Finish(n) if !inside.is_empty() => drop(inside.swap_remove(n % inside.len())),
                Act::Look => look(&mut entering, &mut inside),
                _ => {}
            }
            let queue = limiter.0.lock();
            let (used, _) = queue.used("");
            prop_assert!(inside.len() <= used && used <= total);
            prop_assert!(PROVIDERS.iter().all(|provider| queue.used(provider).1 <= per_provider));
            prop_assert!(!queue.has_slept(), "somebody waits although there is a place");
        }
        // Who is cancelled may have had a pass, which then goes to one who was looked at before.
        let mut before = usize::MAX;
        while entering.len() < before {
            before = entering.len();
            look(&mut entering, &mut inside);
        }
        prop_assert_eq!(limiter.0.lock().used("").0, inside.len(), "a place that nobody has");
        prop_assert_eq!(limiter.waiting(), entering.len());
        // With calls that end, everybody comes in.
        while !entering.is_empty() {
            inside.clear();
            let before = entering.len();
            look(&mut entering, &mut inside);
            prop_assert!(entering.len() < before, "nobody moves");
        }
        inside.clear();
        prop_assert!(limiter.0.lock().is_clean());
    }

    #[test]
    fn between_two_turns_of_an_agent_everybody_else_who_waits_has_one(calls in proptest::collection::vec(0..6_u128, 1..80)) {
        let mut queue = Queue::new(LlmLimits { total: 1, per_provider: 1 });
        let provider = queue.take("p").expect("it is free");
        let mut waiting: Vec<u128> = calls.clone();
        for who in calls {
            queue.wait("p", agent(who), who);
        }
        let mut last: Option<std::collections::BTreeSet<u128>> = None;
        while let Some((_, who)) = queue.give_back(&provider) {
            // Nobody comes a second time while another one who waits has not come yet.
            let round = last.get_or_insert_with(|| waiting.iter().copied().collect());
            prop_assert!(round.remove(&who), "{who} came again before {round:?}");
            let at = waiting.iter().position(|w| *w == who).expect("it waited");
            waiting.remove(at);
            if round.is_empty() {
                last = None;
            }
        }
        prop_assert!(waiting.is_empty());
    }
}
