//! Understands a profile: names, types, bounds. The first thing that is wrong is told.

use std::collections::BTreeSet;
use std::ops::Range;

use regex::{Regex, RegexBuilder};
use toml::Spanned;

use super::fault::Source;
use super::raw::{self, By, Number, Rows, Text};
use super::{Check, Field, Growth, Identity, Label, LabelKind, Metric, Profile, ProfileError, Target};
use super::{LONGEST, MOST_CHECKS, MOST_CONSTANTS, MOST_FIELDS, places};
use crate::audit::unit::Bytes;
use crate::runtimes::described::expression::{Chain, Expression, Name, Names, Scope, Type, Value, reserved};
use crate::runtimes::described::sizes::{Rung, ladder};
use crate::target::memory::CapturedMemory;

/// Bytes of a pattern, and of what it may become.
const PATTERN: usize = 512;
const PATTERN_BYTES: usize = 1 << 20;
const PATTERN_DEPTH: u32 = 32;
/// Characters of a name of a profile, a constant or a field.
const NAME: usize = 40;
/// Bytes of a line for people, of a longer text for them, of a symbol.
const LINE: usize = 200;
const PROSE: usize = 2000;
const SYMBOL: usize = 512;
/// Entries of a list of symbols or build ids.
const MOST_LISTED: usize = 64;

pub(super) type Read<T> = Result<T, ProfileError>;

/// Reads a profile.
pub(super) fn profile(text: &str) -> Read<Profile> {
    let source = Source(text);
    if text.len() > LONGEST {
        let problem = format!("{} bytes are more than a profile may have", text.len());
        return Err(Source("").error(&(0..0), problem, format!("at most {LONGEST}")));
    }
    let file: raw::File = toml::from_str(text).map_err(|error| source.of_toml(&error))?;
    let mut reader = Reader { source, constants: Names::new(), map: Names::new(), taken: BTreeSet::new() };
    let constants = reader.constants(file.constants)?;
    let fields = reader.fields(file.fields)?;
    let chains: Vec<Option<Chain>> = fields.iter().map(|field| field.chain.clone()).collect();
    let table_bytes = file.sizes.as_ref().map(|sizes| sizes.bytes.clone());
    let growth = file.sizes.map(|sizes| reader.growth(sizes)).transpose()?;
    let label = file.label.map(|label| reader.label(label)).transpose()?;
    let identity = file.identity.map_or(Ok(Identity::Map), |identity| reader.identity(identity))?;
    let metrics = reader.metrics(file.metrics, table_bytes)?;
    let checks = reader.conditions(file.check, "checks")?;
    let notes = reader.conditions(file.note, "notes")?;
    let target = reader.target(file.target)?;
    let places = places::Places { reader: &reader, fields: &fields, chains: &chains, target: &target };
    let probes = places.probes(file.probe)?;
    let roots = places.roots(file.root)?;
    let head = file.profile;
    Ok(Profile {
        name: reader.profile_name(head.name)?,
        about: reader.line(head.about)?,
        versions: head.versions.map(|text| reader.line(text)).transpose()?,
        moves: head.moves,
        returns: head.returns,
        remedy: head.remedy.map(|text| reader.text(text, PROSE)).transpose()?,
        guide: head.guide.map(|text| reader.text(text, PROSE)).transpose()?,
        target,
        constants,
        element: (0..).zip(&fields).find_map(|(at, field)| field.expression.is_element().then_some(at)),
        fields,
        metrics,
        growth,
        label,
        checks,
        notes,
        identity,
        probes,
        roots,
        free_by_munmap: file.free_by_munmap.map(|free| Bytes(free.at_least)),
    })
}

/// What is known while a profile is read.
pub(super) struct Reader<'a> {
    pub(super) source: Source<'a>,
    /// The constants so far.
    pub(super) constants: Names,
    /// These, `self`, and the fields and metrics so far.
    pub(super) map: Names,
    /// All names of constants and fields.
    taken: BTreeSet<String>,
}

impl Reader<'_> {
    pub(super) fn error(
        &self,
        at: &Range<usize>,
        problem: impl Into<String>,
        hint: impl Into<String>,
    ) -> ProfileError {
        self.source.error(at, problem, hint)
    }

    /// An expression of a type.
    pub(super) fn expression(&self, text: &Text, names: &Names, kind: Type) -> Read<Expression> {
        let at = text.span();
        let expression =
            Expression::parse(text.get_ref(), names).map_err(|fault| self.source.within(&at, fault))?;
        if expression.kind() == kind {
            return Ok(expression);
        }
        let hint = match (expression.kind(), kind) {
            (Type::Float, _) => "write floor(...) or ceil(...)",
            (Type::Bool, _) => "write condition ? 1 : 0",
            (Type::Int, _) => "compare it with something",
        };
        Err(self.error(&at, format!("this is {}, and {kind} is wanted", expression.kind()), hint))
    }

    /// An expression of any type, or a number.
    fn any(&self, number: &Spanned<Number>, names: &Names) -> Read<Expression> {
        let at = number.span();
        match number.get_ref() {
            Number::Text(text) => {
                Expression::parse(text, names).map_err(|fault| self.source.within(&at, fault))
            }
            Number::Whole(whole) => Ok(Expression::of(Value::Int((*whole).into()))),
        }
    }

    /// An expression for a whole number, or one.
    pub(super) fn number(&self, number: Spanned<Number>, names: &Names) -> Read<Expression> {
        let at = number.span();
        match number.into_inner() {
            Number::Text(text) => self.expression(&Spanned::new(at, text), names, Type::Int),
            Number::Whole(whole) => Ok(Expression::of(Value::Int(whole.into()))),
        }
    }

    /// A number that is known now.
    fn constant(&self, number: &Spanned<Number>) -> Read<Value> {
        let value = self.any(number, &self.constants)?.eval(&Scope::default(), &CapturedMemory::new());
        value
            .map_err(|_unknown| self.error(&number.span(), "this is not known before a map is looked at", ""))
    }

    /// A count that is known now.
    fn count(&self, number: &Spanned<Number>) -> Read<u64> {
        let word = self.constant(number)?.word();
        word.ok_or_else(|| {
            self.error(&number.span(), "this must be a number of at most 64 bits, not negative", "")
        })
    }

    fn constants(&mut self, rows: Rows<Number>) -> Read<Vec<(String, Value)>> {
        let mut constants = Vec::new();
        for (name, number) in self.ordered(rows, MOST_CONSTANTS, "constants")? {
            self.claim(&name)?;
            let value = self.constant(&number)?;
            self.constants.constant(name.get_ref(), value);
            constants.push((name.into_inner(), value));
        }
        self.map = self.constants.clone();
        self.map.name("self", Name::Own, Type::Int);
        Ok(constants)
    }

    fn fields(&mut self, rows: Rows<Number>) -> Read<Vec<Field>> {
        let mut fields: Vec<Field> = Vec::new();
        let mut chains = Vec::new();
        for (number, (name, text)) in (0..).zip(self.ordered(rows, MOST_FIELDS, "fields")?) {
            self.claim(&name)?;
            let expression = self.any(&text, &self.map)?;
            let chain = expression.chain(&chains);
            self.map.name(name.get_ref(), Name::Field(number), expression.kind());
            chains.push(chain.clone());
            fields.push(Field { name: name.into_inner(), expression, chain });
        }
        Ok(fields)
    }

    fn conditions(&self, rows: Rows<String>, what: &str) -> Read<Vec<Check>> {
        let rows = self.ordered(rows, MOST_CHECKS, what)?;
        let check = |(name, text): (Text, Text)| {
            let expression = self.expression(&text, &self.map, Type::Bool)?;
            Ok(Check { text: self.line(name)?, source: text.into_inner(), expression })
        };
        rows.into_iter().map(check).collect()
    }

    fn growth(&self, sizes: raw::Sizes) -> Read<Growth> {
        let mut names = self.map.clone();
        names.name("slots", Name::Slots, Type::Int);
        let bytes = self.expression(&sizes.bytes, &names, Type::Int)?;
        let live = self.expression(&sizes.live, &names, Type::Int)?;
        names.name("live", Name::Full, Type::Int);
        let next = self.expression(&sizes.next, &names, Type::Int)?;
        let slot = sizes.slot.map(|slot| self.number(slot, &self.map)).transpose()?;
        let entry = sizes.entry.map(|entry| self.number(entry, &self.map)).transpose()?;
        let most = sizes.most.as_ref().map_or(Ok(super::MOST_SLOTS), |most| self.count(most))?;
        let parts = [Some(&bytes), Some(&live), Some(&next), slot.as_ref(), entry.as_ref()];
        let named = parts.into_iter().flatten().flat_map(Expression::names);
        let fields: BTreeSet<u16> =
            named.filter_map(|name| if let Name::Field(field) = name { Some(field) } else { None }).collect();
        let mut growth = Growth {
            first: self.count(&sizes.first)?,
            next,
            live,
            bytes,
            most: most.min(super::MOST_SLOTS),
            slot,
            entry,
            fields: fields.into_iter().collect(),
            rungs: Vec::new(),
        };
        growth.rungs = self.rungs(&growth, &sizes.first.span(), &sizes.next.span())?;
        Ok(growth)
    }

    /// The tables, where no field is needed to tell. They must get larger.
    fn rungs(&self, growth: &Growth, first: &Range<usize>, next: &Range<usize>) -> Read<Vec<Rung>> {
        if growth.first == 0 {
            return Err(self.error(first, "a first table without slots is none", "how many slots has it?"));
        }
        if !growth.fields.is_empty() {
            return Ok(Vec::new());
        }
        match ladder(growth, &Scope::default()) {
            Ok(rungs) if rungs.len() == 1 && growth.first < growth.most => {
                let problem = format!("after {} slots come no more by this", growth.first);
                Err(self.error(next, problem, "write what comes after a growth, such as slots * 2"))
            }
            Ok(rungs) => Ok(rungs),
            Err(why) => {
                let problem = format!("a table of {} slots cannot be computed: {why}", growth.first);
                Err(self.error(&self.key_of_table("sizes"), problem, "see `live` and `bytes`"))
            }
        }
    }

    fn label(&self, label: raw::Label) -> Read<Label> {
        let kind = label.kind;
        let expr = match (label.expr, kind) {
            (None, LabelKind::Type) => return Ok(Label { kind, expression: None, text: None }),
            (Some(text), LabelKind::Type) => {
                return Err(self.error(&text.span(), "a label of the kind `type` takes no `expr`", ""));
            }
            (None, _) => {
                let at = self.key_of_table("label");
                return Err(self.error(
                    &at,
                    format!("a label of the kind `{}` has an `expr`", kind.text()),
                    "",
                ));
            }
            (Some(text), _) => text,
        };
        if kind == LabelKind::Text {
            return Ok(Label { kind, expression: None, text: Some(self.line(expr)?) });
        }
        Ok(Label { kind, expression: Some(self.expression(&expr, &self.map, Type::Int)?), text: None })
    }

    fn identity(&self, identity: raw::Identity) -> Read<Identity> {
        match (identity.by, identity.key) {
            (By::Map, None) => Ok(Identity::Map),
            (By::Map, Some(key)) => Err(self.error(&key.span(), "`key` goes with by = \"table\"", "")),
            (By::Table, Some(key)) => Ok(Identity::Table(self.expression(&key, &self.map, Type::Int)?)),
            (By::Table, None) => {
                let hint = "key = the field that is the table's address";
                Err(self.error(&self.key_of_table("identity"), "by = \"table\" needs a `key`", hint))
            }
        }
    }

    fn target(&self, target: raw::Target) -> Read<Target> {
        let build_ids =
            self.list(target.build_id)?.into_iter().map(|id| self.build_id(&id)).collect::<Read<_>>()?;
        let symbols =
            |list| self.list(list)?.into_iter().map(|text| self.text(text, SYMBOL)).collect::<Read<_>>();
        Ok(Target {
            file: self.pattern(target.file.get_ref(), &target.file.span())?,
            symbols: symbols(target.symbols)?,
            absent: symbols(target.absent)?,
            build_ids,
            help: target.help.map(|text| self.text(text, PROSE)).transpose()?,
        })
    }

    fn list(&self, list: Vec<Text>) -> Read<Vec<Text>> {
        match list.get(MOST_LISTED) {
            None => Ok(list),
            Some(text) => {
                Err(self.error(&text.span(), format!("a list has at most {MOST_LISTED} entries"), ""))
            }
        }
    }

    /// Hex of a build id, in lower case.
    pub(super) fn build_id(&self, id: &Text) -> Read<String> {
        let hex = id.get_ref().to_ascii_lowercase();
        let is_one = (8..=128).contains(&hex.len()) && hex.bytes().all(|byte| byte.is_ascii_hexdigit());
        if is_one {
            Ok(hex)
        } else {
            Err(self.error(&id.span(), "this is no build id", "readelf -n FILE prints it"))
        }
    }

    /// A pattern that takes bounded memory, and time in proportion to the text.
    pub(super) fn pattern(&self, text: &str, at: &Range<usize>) -> Read<Regex> {
        if text.len() > PATTERN {
            return Err(self.error(at, format!("a pattern has at most {PATTERN} bytes"), ""));
        }
        let mut builder = RegexBuilder::new(text);
        builder.size_limit(PATTERN_BYTES).dfa_size_limit(PATTERN_BYTES).nest_limit(PATTERN_DEPTH);
        builder.build().map_err(|error| {
            let story = error.to_string();
            let last = story.lines().last().unwrap_or_default().trim_start_matches("error: ").to_owned();
            self.error(at, format!("this is no regular expression: {last}"), "")
        })
    }

    /// A name for a constant or a field, which nothing else has.
    fn claim(&mut self, name: &Text) -> Read<()> {
        let (text, at) = (name.get_ref(), name.span());
        let is_word = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_';
        let begins = text.bytes().next().is_some_and(|byte| byte.is_ascii_alphabetic() || byte == b'_');
        if !begins || text.len() > NAME || !text.bytes().all(is_word) {
            let hint = format!("letters, digits and _, at most {NAME}, not a digit first");
            return Err(self.error(&at, "this is no name", hint));
        }
        if reserved(text) {
            let hint = format!("call it otherwise, for example {text}_");
            return Err(self.error(&at, format!("`{text}` means something else in expressions"), hint));
        }
        if Metric::named(text).is_some() {
            let hint = format!("call it otherwise, for example {text}_now");
            return Err(self.error(&at, format!("`{text}` is the name of a metric"), hint));
        }
        if !self.taken.insert(text.clone()) {
            return Err(self.error(&at, format!("`{text}` is a constant already"), "call it otherwise"));
        }
        Ok(())
    }

    fn profile_name(&self, name: Text) -> Read<String> {
        let is_one = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"-_.".contains(&byte);
        let text = name.get_ref();
        if (1..=NAME).contains(&text.len()) && text.bytes().all(is_one) {
            return Ok(name.into_inner());
        }
        let hint = format!("a to z, 0 to 9, hyphen, underscore, dot; at most {NAME}");
        Err(self.error(&name.span(), "this is no name for a profile", hint))
    }

    fn line(&self, text: Text) -> Read<String> {
        match text.get_ref().contains('\n') {
            true => Err(self.error(&text.span(), "this must be one line", "")),
            false => self.text(text, LINE),
        }
    }

    /// A text for people, or a symbol: not empty, and not too long.
    pub(super) fn text(&self, text: Text, most: usize) -> Read<String> {
        match text.get_ref().len() {
            0 => Err(self.error(&text.span(), "this is empty", "")),
            len if len > most => {
                Err(self.error(&text.span(), format!("this is longer than {most} bytes"), ""))
            }
            _ => Ok(text.into_inner()),
        }
    }

    /// The rows of a table as they are written.
    pub(super) fn ordered<T>(&self, rows: Rows<T>, most: usize, what: &str) -> Read<Vec<(Text, Spanned<T>)>> {
        let mut rows: Vec<_> = rows.into_iter().collect();
        rows.sort_by_key(|(name, _)| name.span().start);
        match rows.get(most) {
            None => Ok(rows),
            Some((name, _)) => {
                Err(self.error(&name.span(), format!("a profile has at most {most} {what}"), ""))
            }
        }
    }

    /// Where a table begins; the start of the file where it is written in another way.
    pub(super) fn key_of_table(&self, name: &str) -> Range<usize> {
        let header = format!("[{name}]");
        self.source.0.find(&header).map_or(0..0, |at| at..at + header.len())
    }
}
