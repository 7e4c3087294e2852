//! From the list parameters of a request to a page of the store.

use engram_store::Page;

use crate::http::{error::ApiError, pagination::PageQuery};

/// Rows of a list that does not say how many.
pub const DEFAULT_LIMIT: i64 = 50;

/// The page that is asked for. `ascending` is the order where the caller did not say one.
pub fn page(q: &PageQuery, limit: i64, ascending: bool) -> Result<Page, ApiError> {
    let (after, before) = q.cursors();
    Ok(Page { limit: q.limit(limit)?, after, before, ascending: q.ascending(ascending)? })
}

/// The part of a short list that is asked for, by the same rules as the store's pages. The list must
/// be in ascending order.
pub fn cut<T>(mut items: Vec<T>, page: Page, id: impl Fn(&T) -> uuid::Uuid) -> Vec<T> {
    if !page.ascending {
        items.reverse();
    }
    if let Some(at) = page.after.and_then(|after| items.iter().position(|i| id(i) == after)) {
        items.drain(..=at);
    }
    if let Some(at) = page.before.and_then(|before| items.iter().position(|i| id(i) == before)) {
        items.truncate(at);
    }
    items.truncate(usize::try_from(page.limit).unwrap_or(0));
    items
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;

    #[test]
    fn cursors_are_exclusive_and_speak_of_the_order_asked_for() {
        let items: Vec<Uuid> = (1..=5).map(|n| Uuid::from_u64_pair(0, n)).collect();
        let cut = |page| cut(items.clone(), page, |i| *i);
        let page = Page { limit: 2, after: Some(items[1]), before: None, ascending: true };
        assert_eq!(cut(page), items[2..4]);
        assert_eq!(cut(Page { ascending: false, ..page }), [items[0]]);
        assert_eq!(cut(Page { after: None, before: Some(items[3]), ..page }), items[0..2]);
        assert_eq!(cut(Page { after: Some(Uuid::max()), ..page }), items[0..2]);
    }
}
