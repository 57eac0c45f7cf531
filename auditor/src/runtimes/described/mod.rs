//! Hash maps that a profile describes (docs/profiles.md): what is read of one, and how.
//!
//! [`profile`] reads a description, [`expression`] is its language of numbers, [`layout`] says what a map looks
//! like, [`windows`] which bytes of it tell that before and after a call.

pub mod expression;
pub mod layout;
pub mod profile;
pub mod windows;
