//! `auditor man [VERB]`.

use anyhow::Context as _;
use clap::ColorChoice;
use clap_mangen::Man;

use super::Exit;
use crate::cli::grammar;
use crate::output;

/// Prints the manual page of all, or of one verb.
pub(super) fn run(verb: Option<&str>) -> anyhow::Result<Exit> {
    let mut grammar = grammar(ColorChoice::Never);
    grammar.build();
    let page = match verb {
        None => Man::new(grammar),
        Some(name) => {
            let verbs: Vec<&str> = grammar.get_subcommands().map(clap::Command::get_name).collect();
            let known = grammar.find_subcommand(name);
            let known = known.with_context(|| format!("there is no verb {name:?}: {}", verbs.join(", ")))?;
            Man::new(known.clone()).title(format!("auditor-{}", known.get_name()))
        }
    };
    let mut roff = Vec::new();
    page.render(&mut roff)?;
    output::print(&String::from_utf8(roff)?)?;
    Ok(Exit::Clean)
}
