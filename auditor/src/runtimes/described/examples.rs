//! Maps in captured memory, one profile each.
