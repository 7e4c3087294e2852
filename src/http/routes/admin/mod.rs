//! What an administrator looks after.
//!
//! Invariants: the operator (the password, or a key of the default organization with the scope `admin`) sees all
//! organizations; a key of another organization with the scope `admin` sees its own users, keys and agents. Other keys
//! do not come here ([`crate::http::key_scopes`]). What only the operator may do takes a
//! [`crate::http::Operator`].

pub mod keys;
pub mod nodes;
pub mod orgs;
pub mod tree;
pub mod users;
