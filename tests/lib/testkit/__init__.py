"""Helpers shared by every test outside the Rust integration binary.

They start and stop what a test needs (the server, the mock model, a Postgres) and install what it
needs (virtual environments, npm packages). Standard library only, so that `python3 -m testkit.envs`
works on a bare machine before anything is installed. Everything that is installed lands in
`target/test-env`, which git ignores.
"""
