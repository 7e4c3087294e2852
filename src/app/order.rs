//! Pages of messages in the order that a caller asked for. The store's cursors always go by time; in a list that runs
//! backwards they change places.

use engram_domain::Message;
use engram_store::Page;

/// The page for the store, whose cursors go by time.
pub(super) fn by_time(page: Page) -> Page {
    let Page { after, before, ascending, .. } = page;
    let (after, before) = if ascending { (after, before) } else { (before, after) };
    Page { after, before, ..page }
}

/// What the store answers, oldest first, in the order of the page.
pub(super) fn in_order(mut messages: Vec<Message>, page: Page) -> Vec<Message> {
    if !page.ascending {
        messages.reverse();
    }
    messages
}
