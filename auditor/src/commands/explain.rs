//! `auditor explain [TOPIC]`: prints rows of `topics.rs`.

use std::fmt::Write as _;

use anyhow::bail;

use super::Exit;
use super::topics::{Topic, all};
use crate::audit::nearest;
use crate::cli;
use crate::output;
use crate::render::sources::SOURCES;
use crate::render::wrap::wrap;

/// Explains a topic, or lists them all.
pub(super) fn run(request: &cli::Explain) -> anyhow::Result<Exit> {
    let text = match &request.topic {
        None => list(),
        Some(name) => match find(name) {
            Some(topic) => page(&topic),
            None => bail!("{}", unknown(name)),
        },
    };
    output::print(&text)?;
    Ok(Exit::Clean)
}

fn find(name: &str) -> Option<Topic> {
    let name = name.to_lowercase().replace('-', "_");
    all().find(|topic| topic.names().any(|known| known == name))
}

fn list() -> String {
    let width = all().map(|topic| topic.name.len()).max().unwrap_or_default();
    let mut text = "What can be explained (auditor explain TOPIC):\n".to_owned();
    for topic in all() {
        text += &format!("  {:width$}  {}\n", topic.name, topic.line);
    }
    text
}

fn page(topic: &Topic) -> String {
    let Topic { name, also, line, text } = topic;
    let mut page = format!("{name}: {line}\n\n{}\n", text.trim_matches('\n'));
    page += &sources(name);
    if !also.is_empty() {
        page += &format!("\nAlso explains: {}\n", also.join(", "));
    }
    page
}

/// What feeds its numbers, in the words of the screen's help.
fn sources(topic: &str) -> String {
    /// Columns of a line.
    const COLUMNS: usize = 90;
    let mut text = String::new();
    for source in SOURCES.iter().filter(|source| source.topic == topic) {
        let intro = if text.is_empty() { "\nWhere the numbers come from:\n" } else { "" };
        let told = wrap(&format!("{}: {}", source.name, source.text), COLUMNS - 4);
        text += &format!("{intro}  {}\n", told.join("\n    "));
    }
    text
}

/// Says which topics come nearest.
fn unknown(name: &str) -> String {
    let mut text = format!("there is no topic {name:?}");
    let near = nearest(name);
    if !near.is_empty() {
        write!(text, "; did you mean {}?", near.join(" or ")).expect("a string takes everything");
    }
    text + "; `auditor explain` lists them all"
}

/// Names of topics that a slip of the finger would make of this one.
fn nearest(name: &str) -> Vec<&'static str> {
    nearest::nearest(name, all().flat_map(|topic| topic.names()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slip_of_the_finger_finds_its_topic() {
        assert_eq!(nearest("tombstone").first(), Some(&"tombstones"));
        assert_eq!(nearest("evacation").first(), Some(&"evacuation"));
        assert!(nearest("xyzzy-nothing-like-it").is_empty());
        assert!(nearest(&"x".repeat(100_000)).is_empty());
    }

    #[test]
    fn names_are_found_in_any_case_and_by_the_fields_they_explain() {
        assert_eq!(find("Tombstones").map(|topic| topic.name), Some("tombstones"));
        assert_eq!(find("at-least").map(|topic| topic.name), Some("confidence"));
        assert_eq!(find("BEFORE-ATTACH").map(|topic| topic.name), Some("origin"));
    }

    #[test]
    fn every_source_of_the_screen_belongs_to_a_topic_that_tells_it() {
        for source in SOURCES {
            let topic = find(source.topic).filter(|topic| topic.name == source.topic);
            let page = page(&topic.expect(source.topic)).replace("\n    ", " ");
            assert!(page.contains(&format!("{}: {}", source.name, source.text)), "{page}");
        }
    }

    #[test]
    fn the_list_has_every_topic_on_a_line_of_its_own() {
        assert_eq!(list().lines().count(), all().count() + 1);
    }
}
