//! Names for agents that were created without one.

use uuid::Uuid;

const FIRST: [&str; 32] = [
    "Amber", "Brave", "Calm", "Clever", "Copper", "Crimson", "Curious", "Daring", "Eager", "Gentle", "Golden", "Happy",
    "Hidden", "Humble", "Ivory", "Jolly", "Keen", "Lively", "Lucky", "Mellow", "Mighty", "Noble", "Patient", "Quick",
    "Quiet", "Silver", "Steady", "Sunny", "Swift", "Tidy", "Velvet", "Witty",
];
const SECOND: [&str; 32] = [
    "Badger", "Beacon", "Brook", "Cedar", "Comet", "Crane", "Dolphin", "Ember", "Falcon", "Fern", "Finch", "Fox",
    "Glacier", "Harbor", "Heron", "Lantern", "Lark", "Lynx", "Maple", "Meadow", "Otter", "Owl", "Pebble", "Pine",
    "Raven", "River", "Sparrow", "Spruce", "Summit", "Thistle", "Willow", "Wren",
];

/// Two words out of an id. Names need not be unique.
pub fn from_id(id: Uuid) -> String {
    let bytes = id.as_bytes();
    format!("{}{}", FIRST[usize::from(bytes[0] % 32)], SECOND[usize::from(bytes[1] % 32)])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_two_words_and_depends_on_the_id() {
        assert_eq!(from_id(Uuid::nil()), "AmberBadger");
        assert_eq!(from_id(Uuid::max()), "WittyWren");
    }
}
