//! Steps: what they were asked, and what was said in them.

use engram_domain::{Message, Step, StepId};
use engram_store::{Page, messages::MessageFilter};

use crate::app::{
    App, Error, Result,
    order::{by_time, in_order},
};

/// The step, which must exist.
pub async fn find(app: &App, id: StepId) -> Result<Step> {
    app.store.step(id).await?.ok_or_else(|| Error::not_found("Step", id))
}

/// A page of what was said in a step, in the order that was asked for, with cursors that follow that order.
pub async fn messages(app: &App, id: StepId, page: Page) -> Result<Vec<Message>> {
    let messages = app.store.step_messages(id, by_time(page)).await?.ok_or_else(|| Error::not_found("Step", id))?;
    Ok(in_order(messages, page))
}

/// The messages that went to the model in a step, at most `limit`, as they are now.
pub async fn request(app: &App, step: &Step, limit: i64) -> Result<Vec<Message>> {
    let stretch = async |seq| {
        let filter = MessageFilter { seq: Some(seq), ..MessageFilter::default() };
        app.store.messages(step.conversation_id, &filter, Page::oldest(limit)).await
    };
    let mut messages = stretch(step.context_range).await?;
    if step.context_range.0 > 0 {
        // The system prompt leads every request, however old the rest is.
        messages.splice(0..0, stretch((0, 1)).await?);
    }
    Ok(messages)
}
