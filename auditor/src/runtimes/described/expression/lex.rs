//! A text into words and signs, each with its place.
