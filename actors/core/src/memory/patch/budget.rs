//! How much work one patch may ask for.

/// Lines that are looked at and bytes that are copied for one patch, all its hunks together. A usual one needs some
/// thousands.
const MOST: usize = 16 * 1024 * 1024;

/// What is left for a patch. Each hunk is looked for in the whole block, and each section writes its block anew, so the
/// work grows with the product of two sizes that a caller chooses.
pub(super) struct Budget {
    left: usize,
}

impl Default for Budget {
    fn default() -> Self {
        Self { left: MOST }
    }
}

impl Budget {
    /// Takes a part of it. The error is a sentence for the model.
    pub(super) fn spend(&mut self, work: usize) -> Result<(), String> {
        self.left = self.left.checked_sub(work).ok_or(
            "The patch has too many changes for so large a memory block. Make it in several calls, or write the \
             block anew.",
        )?;
        Ok(())
    }

    /// What was spent.
    #[cfg(test)]
    pub(super) fn spent(&self) -> usize {
        MOST - self.left
    }
}
