//! What a refusal is about, told by its words (in lower case): providers have no common codes for it.

/// Whether the words say that the prompt is too long for the model.
pub(crate) fn tells_overflow(words: &str) -> bool {
    const OVERFLOW: [&str; 28] = [
        "context_length_exceeded",
        "context length",
        "context limit",
        "context size",
        "context window",
        "exceed_context_size",
        "exceeds the available context",
        "input is too long",
        "input length",
        "input must have less than",
        "input token count",
        "input too long",
        "max tokens allowed",
        "inputs must have less than",
        "maximum allowed length",
        "maximum input",
        "maximum number of tokens",
        "maximum prompt length",
        "prompt is too large",
        "prompt is too long",
        "prompt too long",
        "prompt too large",
        "reduce the length of",
        "reduce your message",
        "request too large",
        "token limit",
        "too many input tokens",
        "too many tokens",
    ];
    // A limit of what the model may write is another matter.
    const OF_THE_ANSWER: [&str; 4] =
        ["completion tokens", "max_tokens is too large", "max_completion_tokens is too large", "maximum output"];
    !OF_THE_ANSWER.iter().any(|w| words.contains(w)) && OVERFLOW.iter().any(|w| words.contains(w))
}

/// Whether the words say that a filter found something in what was sent.
pub(crate) fn names_filter(words: &str) -> bool {
    const FILTER: [&str; 21] = [
        "content_filter",
        "content filter",
        "content management policy",
        "content_policy",
        "content policy",
        "content exists risk",
        "content violat",
        "data_inspection_failed",
        "datainspectionfailed",
        "flagged",
        "high risk",
        "inappropriate",
        "moderation",
        "prohibited content",
        "prohibited_content",
        "responsibleaipolicy",
        "safety system",
        "safety_block",
        "sensitive",
        "unsafe content",
        "usage polic",
    ];
    FILTER.iter().any(|w| words.contains(w))
}

/// Whether the words are about pictures.
pub(crate) fn names_images(words: &str) -> bool {
    const IMAGES: [&str; 6] = ["image", "multimodal", "multi-modal", "vision", "picture", "content part"];
    IMAGES.iter().any(|w| words.contains(w))
}

/// Whether the words name anything that may be wrong with a request besides its length.
pub(crate) fn explains(words: &str) -> bool {
    const NAMED: [&str; 18] = [
        "api key",
        "argument",
        "decommissioned",
        "deprecated",
        "field",
        "format",
        "function",
        "json",
        "name",
        "param",
        "penalty",
        "role",
        "schema",
        "signature",
        "support",
        "temperature",
        "template",
        "tool",
    ];
    names_filter(words) || names_images(words) || NAMED.iter().any(|w| words.contains(w))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn overflow_is_told_in_many_words_and_is_not_the_length_of_the_answer() {
        for words in [
            "the input token count (1200321) exceeds the maximum number of tokens allowed (1048576).",
            "input length and `max_tokens` exceed context limit: 199211 + 20000 > 200000",
            "input length (9000 tokens) exceeds the maximum allowed length (8191 tokens).",
            "too many tokens: total number of tokens in the prompt cannot exceed 4081 - received 5012",
            "request too large for model on tokens per minute (tpm): limit 12000, requested 23000",
            "prompt is too long: 209683 tokens > 200000 maximum",
            "your request exceeded model token limit: 8192",
            "the request exceeds the available context size, try increasing it",
        ] {
            assert!(tells_overflow(words), "{words}");
        }
        for words in [
            "max_tokens is too large: 20000. this model supports at most 16384 completion tokens",
            "unsupported parameter: 'max_tokens'",
            "wrong temperature",
        ] {
            assert!(!tells_overflow(words), "{words}");
        }
    }

    #[test]
    fn filters_are_known_by_their_words() {
        for words in [
            "the response was filtered due to the prompt triggering azure openai's content management policy.",
            "content exists risk",
            "input data may contain inappropriate content.",
            "your chosen model requires moderation and your input was flagged",
        ] {
            assert!(names_filter(words), "{words}");
        }
        assert!(!names_filter("unknown variant `image_url`, expected `text`"));
    }
}
