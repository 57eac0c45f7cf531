//! Hash maps that a profile describes (docs/profiles.md): what is read of one, and how.
//!
//! [`profile`] reads a description, [`expression`] is its language of numbers, [`layout`] says what a map looks
//! like, [`sizes`] how it grows, [`label`] what it is called, [`windows`] which bytes of it tell that before and
//! after a call.

pub mod expression;
pub mod label;
pub mod layout;
pub mod profile;
pub mod sizes;
pub mod windows;

#[cfg(test)]
mod examples;
