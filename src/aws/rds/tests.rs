//! The kinds as scripts use them.
