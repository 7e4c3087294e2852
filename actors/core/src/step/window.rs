//! The messages in context, and how the model is shown them.
//!
//! What a step needs to know of them is kept as they come and go, so that a step costs as much as it adds
//! and not as much as there is: the sum of their tokens, the last one with calls, and the packaged form of
//! each. The packaged form is made when a request first needs it.

use std::sync::Arc;

use engram_domain::{Content, Message, MessageId, Role};

use super::request::{View, show};
use crate::{chain::Chain, compact, ports::llm::ChatMessage};

/// The messages in context besides the system message and the summary. Cheap to clone.
#[derive(Debug, Clone, Default)]
pub(super) struct Window {
    messages: Chain<Message>,
    tokens: usize,
    bytes: usize,
    /// Place of the last message with calls.
    calls_at: Option<usize>,
    shown: Option<Shown>,
}

/// What the model was shown last, to go on from there.
#[derive(Debug, Clone)]
struct Shown {
    zone: Arc<str>,
    packed: bool,
    summary: Option<Arc<Message>>,
    /// How many messages of the window are in it.
    through: usize,
    messages: Chain<ChatMessage>,
}

impl Window {
    /// How many there are.
    pub(super) fn len(&self) -> usize {
        self.messages.len()
    }

    /// Tokens of all of them.
    pub(super) fn tokens(&self) -> usize {
        self.tokens
    }

    /// Bytes of all of them: pictures are many bytes and few tokens.
    pub(super) fn bytes(&self) -> usize {
        self.bytes
    }

    /// Oldest first.
    pub(super) fn iter(&self) -> impl DoubleEndedIterator<Item = &Arc<Message>> {
        self.messages.shared()
    }

    /// The oldest one.
    pub(super) fn first(&self) -> Option<&Arc<Message>> {
        self.messages.shared().next()
    }

    /// The newest one.
    pub(super) fn last(&self) -> Option<&Arc<Message>> {
        self.messages.last()
    }

    /// The last message with calls, and those that came after it.
    pub(super) fn last_calls(&self) -> Option<(&Arc<Message>, impl Iterator<Item = &Arc<Message>>)> {
        let mut since = self.messages.since(self.calls_at?);
        Some((since.next()?, since))
    }

    /// All of them, in one piece.
    pub(super) fn to_vec(&self) -> Vec<Arc<Message>> {
        self.iter().cloned().collect()
    }

    /// Puts one behind the others.
    pub(super) fn push(&mut self, message: Arc<Message>) {
        if !message.content.calls().is_empty() {
            self.calls_at = Some(self.len());
        }
        self.tokens += compact::size(&message);
        self.bytes += message.bytes();
        self.messages.push(message);
    }

    /// Takes the `n` oldest out.
    pub(super) fn take_front(&mut self, n: usize) -> Vec<Arc<Message>> {
        let mut left = self.to_vec();
        let stay = left.split_off(n.min(left.len()));
        *self = stay.into_iter().collect();
        left
    }

    /// Puts `message` in the place of the one with its id.
    pub(super) fn replace(&mut self, message: &Arc<Message>) {
        *self = self.iter().map(|m| if m.id == message.id { message } else { m }).cloned().collect();
    }

    /// The one with this id.
    pub(super) fn find(&self, id: MessageId) -> Option<&Arc<Message>> {
        self.iter().find(|m| m.id == id)
    }

    /// The summary and all messages as the model is shown them.
    pub(super) fn show(&mut self, summary: Option<&Arc<Message>>, view: View<'_>) -> &Chain<ChatMessage> {
        let same = |s: &Shown| View { zone: &s.zone, packed: s.packed } == view;
        let fits = |s: &Shown| same(s) && s.summary.as_ref().map(Arc::as_ptr) == summary.map(Arc::as_ptr);
        // Words that were shown and have been said again since are shown where they stand now.
        let repeated = |s: &Shown| s.through > 0 && said_again(&self.messages, s.through - 1);
        let kept = self.shown.take().filter(fits).filter(|s| !repeated(s));
        let shown = self.shown.insert(kept.unwrap_or_else(|| Shown {
            zone: view.zone.into(),
            packed: view.packed,
            summary: summary.cloned(),
            through: 0,
            messages: summary.into_iter().filter_map(|m| show(m, view, None)).collect(),
        }));
        for (at, message) in (shown.through..).zip(self.messages.since(shown.through)) {
            if !said_again(&self.messages, at)
                && let Some(message) = show(message, view, None)
            {
                shown.messages.push(message);
            }
        }
        shown.through = self.messages.len();
        &shown.messages
    }

    /// As [`Window::show`], long texts cut to `cap` tokens. Nothing of it is kept.
    pub(super) fn show_cut(&self, summary: Option<&Arc<Message>>, view: View<'_>, cap: usize) -> Chain<ChatMessage> {
        let messages = self.iter().enumerate().filter(|(at, _)| !said_again(&self.messages, *at)).map(|(_, m)| m);
        summary.into_iter().chain(messages).filter_map(|m| show(m, view, Some(cap))).collect()
    }
}

/// Messages of one request that are compared with those of the next one.
const MOST_COMPARED: usize = 32;

/// Whether these words were said again by the next run before anybody answered: a client tries again what has failed, and
/// the model needs it once.
fn said_again(messages: &Chain<Message>, at: usize) -> bool {
    let said = |i: usize| {
        let message = (i < messages.len()).then(|| &messages[i])?;
        let words = message.role == Role::User && matches!(message.content, Content::Parts { .. });
        message.run_id.filter(|_| words).map(|run| (run, message))
    };
    let Some((run, _)) = said(at) else { return false };
    let same_run = |i: usize| said(i).is_some_and(|(of, _)| of == run);
    let before = (1..=at.min(MOST_COMPARED)).take_while(|n| same_run(at - n)).count();
    let first = at - before;
    let count = (first..).take(MOST_COMPARED + 1).take_while(|i| same_run(*i)).count();
    if count > MOST_COMPARED {
        return false;
    }
    let Some((next, _)) = said(first + count) else { return false };
    (first..first + count).all(|i| match (said(i), said(i + count)) {
        (Some((_, a)), Some((of, b))) => of == next && a.content == b.content && a.name == b.name,
        _ => false,
    })
}

impl FromIterator<Arc<Message>> for Window {
    fn from_iter<L: IntoIterator<Item = Arc<Message>>>(messages: L) -> Self {
        let messages: Vec<Arc<Message>> = messages.into_iter().collect();
        Self {
            tokens: compact::total(&messages),
            bytes: messages.iter().map(|m| m.bytes()).sum(),
            calls_at: messages.iter().rposition(|m| !m.content.calls().is_empty()),
            messages: messages.into_iter().collect(),
            shown: None,
        }
    }
}
