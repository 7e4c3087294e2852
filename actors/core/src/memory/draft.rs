//! The blocks while a tool works on them.

use std::sync::Arc;

use engram_domain::{Block, JsonMap, block};

use super::EditContext;
use crate::ports::store::BlockWrite;

/// Labels that an error names at most.
const NAMED: usize = 50;

/// Working copy of an agent's blocks. Dropped on an error, so that a failed edit leaves no trace.
pub(crate) struct Draft<'a, 'c> {
    before: &'a [Arc<Block>],
    after: Vec<Arc<Block>>,
    context: &'a mut EditContext<'c>,
}

impl<'a, 'c> Draft<'a, 'c> {
    pub fn new(blocks: &'a [Arc<Block>], context: &'a mut EditContext<'c>) -> Self {
        Self { before: blocks, after: blocks.to_vec(), context }
    }

    /// The text of a block.
    pub fn value(&self, label: &str) -> Result<&str, String> {
        self.find(label).map(|i| self.after[i].value.as_str())
    }

    /// All blocks as they are now.
    pub fn blocks(&self) -> &[Arc<Block>] {
        &self.after
    }

    /// Refuses a text of so many characters for a block, before somebody builds it. None: more than can be counted.
    pub fn check_size(&self, label: &str, chars: Option<usize>) -> Result<(), String> {
        let block = &self.after[self.find_writable(label)?];
        check_limit(block.limit, chars.unwrap_or(usize::MAX))
    }

    /// Gives a block a new text and returns it.
    pub fn set(&mut self, label: &str, value: String) -> Result<String, String> {
        let block = self.writable(label)?;
        check_limit(block.limit, value.chars().count())?;
        block.value.clone_from(&value);
        self.check_total()?;
        Ok(value)
    }

    /// Gives a block a new label.
    pub fn rename(&mut self, label: &str, new_label: &str) -> Result<(), String> {
        check_label(new_label)?;
        if label != new_label && self.find(new_label).is_ok() {
            return Err(format!("There is already a memory block '{new_label}'."));
        }
        // Freed by another renaming of the same call: the writes would have to come in the right
        // order, and for a swap there is none.
        let freed =
            |b: &&Arc<Block>| b.label == new_label && self.after.iter().any(|a| a.id == b.id && a.label != label);
        if label != new_label && self.before.iter().any(|b| freed(&b)) {
            return Err(format!("The label '{new_label}' was in use until now; take it in another call."));
        }
        new_label.clone_into(&mut self.writable(label)?.label);
        Ok(())
    }

    /// Gives a block a new description.
    pub fn describe(&mut self, label: &str, description: &str) -> Result<(), String> {
        self.writable(label)?.description = Some(description.to_owned());
        Ok(())
    }

    /// Adds a block of the default size.
    pub fn create(&mut self, label: &str, description: Option<&str>, value: String) -> Result<(), String> {
        check_label(label)?;
        if self.find(label).is_ok() {
            return Err(format!("There is already a memory block '{label}'."));
        }
        check_limit(block::DEFAULT_LIMIT, value.chars().count())?;
        if self.after.len() >= block::MAX_PER_AGENT {
            return Err(format!("There are {} memory blocks, which is as many as can be.", self.after.len()));
        }
        self.after.push(Arc::new(Block {
            id: (self.context.new_block)(),
            label: label.to_owned(),
            value,
            limit: block::DEFAULT_LIMIT,
            description: description.or_else(|| block::default_description(label)).map(str::to_owned),
            read_only: false,
            metadata: JsonMap::new(),
            template_name: None,
            is_template: false,
            preserve_on_migration: false,
            project_id: None,
            hidden: None,
            tags: vec![],
            created_at: self.context.now,
            updated_at: self.context.now,
            version: 1,
        }));
        self.check_total()
    }

    fn check_total(&self) -> Result<(), String> {
        let sum = |blocks: &[Arc<Block>]| -> usize { blocks.iter().map(|b| b.value.len()).sum() };
        let bytes = sum(&self.after);
        if bytes > block::MAX_BYTES_PER_AGENT && bytes > sum(self.before) {
            return Err(format!(
                "Edit failed: all memory blocks together would have {bytes} bytes, and may have {}. Condense some first.",
                block::MAX_BYTES_PER_AGENT
            ));
        }
        Ok(())
    }

    /// Takes a block away from the agent.
    pub fn remove(&mut self, label: &str) -> Result<(), String> {
        self.writable(label)?;
        let i = self.find(label)?;
        self.after.remove(i);
        Ok(())
    }

    /// The writes that lead from the blocks before to the blocks now, and those blocks. Removals come
    /// first, then changes, then new blocks, so that a label is free before it is taken again.
    pub fn finish(mut self) -> (Vec<BlockWrite>, Vec<Arc<Block>>) {
        let mut writes: Vec<BlockWrite> = self
            .before
            .iter()
            .filter(|b| !self.after.iter().any(|a| a.id == b.id))
            .map(|b| BlockWrite::Detach(b.id))
            .collect();
        for slot in &mut self.after {
            let Some(old) = self.before.iter().find(|b| b.id == slot.id) else {
                continue;
            };
            let label = (old.label != slot.label).then(|| slot.label.clone());
            let description = if old.description == slot.description { None } else { slot.description.clone() };
            if old.value == slot.value && label.is_none() && description.is_none() {
                continue;
            }
            writes.push(BlockWrite::Set {
                id: old.id,
                version: old.version,
                value: slot.value.clone(),
                label,
                description,
            });
            let block = Arc::make_mut(slot);
            block.version = old.version + 1;
            block.updated_at = self.context.now;
        }
        let created = self.after.iter().filter(|a| !self.before.iter().any(|b| b.id == a.id));
        writes.extend(created.map(|b| BlockWrite::Create(Box::new(b.as_ref().clone()))));
        (writes, self.after)
    }

    fn find(&self, label: &str) -> Result<usize, String> {
        self.after.iter().position(|b| b.label == label).ok_or_else(|| {
            let mut known: Vec<String> =
                self.after.iter().take(NAMED).map(|b| super::lines::excerpt(&b.label)).collect();
            if self.after.len() > NAMED {
                known.push("…".to_owned());
            }
            format!(
                "Block field {} does not exist (available sections = {})",
                super::lines::excerpt(label),
                if known.is_empty() { "none".to_owned() } else { known.join(", ") }
            )
        })
    }

    fn find_writable(&self, label: &str) -> Result<usize, String> {
        let i = self.find(label)?;
        if self.after[i].read_only {
            return Err("Error This block is read-only and cannot be edited.".into());
        }
        Ok(i)
    }

    fn writable(&mut self, label: &str) -> Result<&mut Block, String> {
        let i = self.find_writable(label)?;
        Ok(Arc::make_mut(&mut self.after[i]))
    }
}

fn check_limit(limit: i32, chars: usize) -> Result<(), String> {
    let limit = usize::try_from(limit.min(block::MAX_LIMIT)).unwrap_or(0);
    if chars > limit {
        return Err(format!(
            "Edit failed: Exceeds {limit} character limit (requested {chars}). Shorten the text, or condense the \
             block first."
        ));
    }
    Ok(())
}

/// Labels that a model may give: they become tags in the prompt.
fn check_label(label: &str) -> Result<(), String> {
    let fits = !label.is_empty()
        && label.chars().count() <= 100
        && label.chars().all(|c| c.is_alphanumeric() || matches!(c, '_' | '-' | '.' | '/'));
    if fits {
        return Ok(());
    }
    Err(format!(
        "'{}' cannot be a label: up to 100 letters, digits, '_', '-', '.' and '/' can.",
        super::lines::excerpt(label)
    ))
}
