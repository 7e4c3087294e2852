//! Makes cargo notice a new migration: `sqlx::migrate!` reads the folder when this crate is built.

fn main() {
    println!("cargo:rerun-if-changed=../../migrations");
}
