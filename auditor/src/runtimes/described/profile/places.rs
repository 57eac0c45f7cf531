//! Understands where something happens to a map, and where maps are found: `[[probe]]` and `[[root]]`.

use std::ops::Range;

use toml::Spanned;

use super::raw::{self, At, Text};
use super::read::Reader;
use super::{Event, Field, Level, Minimum, Own, Place, Probe, ProfileError, Root, Target, Walk, When};
use super::{MOST_LEVELS, MOST_MAPS, MOST_PROBES, MOST_ROOTS};
use crate::runtimes::described::expression::{Chain, Expression, Name, Names, REGISTERS, Start, Type};

/// Loads that the kernel side follows.
const LOADS: usize = auditor_ebpf::STEPS;
/// Bytes of a symbol.
const SYMBOL: usize = 512;
/// Ways to say where, for a hint.
const WAYS: &str = "at = { symbol = \"name\" }, { regex = \"pattern\" }, { usdt = \"provider:name\" }, \
                    { offset = 0x1234, build_id = \"hex\" }, { callee_of = \"name\", nth = 0 } or \
                    { symbol = \"name\", call = \"callee\", nth = 0 }";

type Read<T> = Result<T, ProfileError>;

/// What probes and roots are read with.
pub(super) struct Places<'a> {
    pub(super) reader: &'a Reader<'a>,
    pub(super) fields: &'a [Field],
    pub(super) chains: &'a [Option<Chain>],
    pub(super) target: &'a Target,
}

impl Places<'_> {
    pub(super) fn probes(&self, probes: Vec<Spanned<raw::Probe>>) -> Read<Vec<Probe>> {
        self.bounded(&probes, MOST_PROBES, "probes")?;
        probes.into_iter().map(|probe| self.probe(probe)).collect()
    }

    pub(super) fn roots(&self, roots: Vec<Spanned<raw::Root>>) -> Read<Vec<Root>> {
        self.bounded(&roots, MOST_ROOTS, "roots")?;
        roots.into_iter().map(|root| self.root(root.into_inner())).collect()
    }

    fn bounded<T>(&self, rows: &[Spanned<T>], most: usize, what: &str) -> Read<()> {
        match rows.get(most) {
            None => Ok(()),
            Some(row) => Err(self.reader.error(&row.span(), format!("there are at most {most} {what}"), "")),
        }
    }

    fn probe(&self, probe: Spanned<raw::Probe>) -> Read<Probe> {
        let line = self.reader.source.line(probe.span().start);
        let probe = probe.into_inner();
        let place_at = probe.at.span();
        let at = self.place(probe.at)?;
        let own_at = probe.own.span();
        let own = self.own(probe.own)?;
        let names = registers(&self.reader.map);
        let expression = |text: Option<Text>| text.map(|text| self.told_by(&text, &names)).transpose();
        let to = expression(probe.to)?;
        let from = expression(probe.from)?;
        let table = expression(probe.table)?;
        let bytes = expression(probe.bytes)?;
        let parts = [&to, &from, &table, &bytes];
        let returns = own.starts_at(Start::Returned)
            || parts.into_iter().flatten().any(|part| part.names().contains(&Name::Returned));
        let when_at = probe.when.as_ref().map_or(place_at.clone(), Spanned::span);
        let when = probe.when.map(Spanned::into_inner);
        let when = self.when(when, &when_at, (probe.event, &at, returns))?;
        let probe = Probe {
            event: probe.event,
            min: probe.min.map(|min| self.minimum(min, &own)).transpose()?,
            only: probe.only.map(|only| self.only(&only)).transpose()?,
            own,
            when,
            at,
            to,
            from,
            table,
            bytes,
            line,
        };
        self.told(&probe, &place_at)?;
        self.lasting(&probe, &own_at)?;
        Ok(probe)
    }

    /// Which events need to be told more than which map.
    fn told(&self, probe: &Probe, at: &Range<usize>) -> Read<()> {
        if probe.event == Event::Grow && probe.to.is_none() {
            let hint = "to = \"arg1\", to = \"ret\"; or event = \"resize\", which compares before and after";
            return Err(self.reader.error(
                at,
                "`grow` says how many buckets there will be: `to` is missing",
                hint,
            ));
        }
        Ok(())
    }

    /// What a compiler chose lasts for one build: then it takes a build id, or something to check it by.
    fn lasting(&self, probe: &Probe, at: &Range<usize>) -> Read<()> {
        let register = matches!(&probe.own, Own::Chain(Chain { start: Start::Register(_), .. }));
        if register && self.target.build_ids.is_empty() && probe.table.is_none() {
            let hint = "give [target] build_id, or `table`, which is compared with the map's own";
            return Err(self.reader.error(at, "in which register it is changes from build to build", hint));
        }
        Ok(())
    }

    fn when(
        &self,
        when: Option<When>,
        at: &Range<usize>,
        (event, place, returns): (Event, &Place, bool),
    ) -> Read<When> {
        let no_return = matches!(place, Place::Usdt { .. } | Place::Offset { .. } | Place::Call { .. });
        let default =
            if !no_return && (event == Event::Resize || returns) { When::Both } else { When::Entry };
        let when = when.unwrap_or(default);
        if no_return && (when == When::Both || returns) {
            let hint = "only functions return: symbol, regex, callee_of";
            return Err(self.reader.error(at, "there is no return at such a place", hint));
        }
        if returns && when == When::Entry {
            return Err(self.reader.error(at, "`ret` is not known at the entry", "when = \"both\""));
        }
        if event == Event::Resize && when == When::Entry {
            let hint = "when = \"both\"; where only the entry can be probed, `grow` with `to`";
            return Err(self.reader.error(at, "`resize` compares before and after", hint));
        }
        Ok(when)
    }

    fn place(&self, at: Spanned<At>) -> Read<Place> {
        let span = at.span();
        let wrong = |problem: &str| self.reader.error(&span, problem, WAYS);
        let symbol = |text: String| self.reader.text(Spanned::new(span.clone(), text), SYMBOL);
        let At { symbol: function, regex, usdt, offset, build_id, callee_of, call, nth } = at.into_inner();
        if call.is_none() && callee_of.is_none() && nth.is_some() {
            return Err(wrong("`nth` goes with `call` or `callee_of`"));
        }
        if build_id.is_some() && offset.is_none() {
            return Err(wrong("`build_id` goes with `offset`"));
        }
        match (function, regex, usdt, offset, callee_of, call) {
            (Some(function), None, None, None, None, None) => Ok(Place::Symbol(symbol(function)?)),
            (Some(function), None, None, None, None, Some(call)) => {
                Ok(Place::Call { symbol: symbol(function)?, call: symbol(call)?, nth: nth.unwrap_or(0) })
            }
            (None, Some(regex), None, None, None, None) => {
                Ok(Place::Regex(self.reader.pattern(&regex, &span)?))
            }
            (None, None, Some(usdt), None, None, None) => match usdt.split_once(':') {
                Some((provider, name)) => {
                    Ok(Place::Usdt { provider: symbol(provider.to_owned())?, name: symbol(name.to_owned())? })
                }
                None => Err(wrong("a USDT probe is named provider:name")),
            },
            (None, None, None, Some(offset), None, None) => self.offset(offset, build_id, &span),
            (None, None, None, None, Some(of), None) => {
                Ok(Place::Callee { of: symbol(of)?, nth: nth.unwrap_or(0) })
            }
            (None, None, None, None, None, None) => Err(wrong("this says nowhere")),
            _ => Err(wrong("this says more than one place")),
        }
    }

    fn offset(&self, offset: u64, build_id: Option<String>, at: &Range<usize>) -> Read<Place> {
        let build_id = build_id.map(|id| self.reader.build_id(&Spanned::new(at.clone(), id))).transpose()?;
        if build_id.is_none() && self.target.build_ids.is_empty() {
            let problem = "an offset is that of one build: it takes a build id";
            return Err(self.reader.error(at, problem, "readelf -n FILE prints it"));
        }
        Ok(Place::Offset { offset, build_id })
    }

    fn own(&self, own: Spanned<raw::Own>) -> Read<Own> {
        let at = own.span();
        let text = match own.into_inner() {
            raw::Own::Object(object) => {
                let symbol = self.reader.text(Spanned::new(at, object.symbol), SYMBOL)?;
                return Ok(Own::Symbol(symbol));
            }
            raw::Own::Text(text) => text,
        };
        let names = registers(&self.reader.constants);
        let expression = self.reader.expression(&Spanned::new(at.clone(), text), &names, Type::Int)?;
        let chain = expression.chain(&[]).filter(|chain| chain.fits(LOADS));
        chain.map(Own::Chain).ok_or_else(|| {
            let problem = "the kernel side cannot find the map by this";
            let hint = format!(
                "an argument, a register or `ret`, then at most {LOADS} loads of u64 with a number added before each"
            );
            self.reader.error(&at, problem, hint)
        })
    }

    fn minimum(&self, min: raw::Minimum, own: &Own) -> Read<Minimum> {
        let (text, at) = (min.field.get_ref(), min.field.span());
        let wrong = |problem, hint| Err(self.reader.error(&at, problem, hint));
        let Some(field) = self.fields.iter().position(|field| field.name == *text) else {
            let known = self.fields.iter().map(|field| field.name.as_str());
            return wrong(format!("there is no field `{text}`"), super::fault::meant(text, known));
        };
        let hint = "the filter runs in the kernel: take a field that is one load, such as u64[self+24]";
        let chain = self.chains[field].clone().filter(|chain| chain.start == Start::Own && chain.add == 0);
        let Some(chain) = chain.filter(|chain| !chain.steps.is_empty()) else {
            return wrong(format!("`{text}` is not one chain of loads"), hint.to_owned());
        };
        let whole = match own {
            Own::Chain(own) => chain.behind(own),
            Own::Symbol(_) => None,
        };
        match whole.filter(|whole| whole.fits(LOADS)) {
            Some(_) => Ok(Minimum { field: field as u16, chain, value: min.value }),
            None => wrong(
                format!("`{text}` is more than {LOADS} loads away from where the probe starts"),
                String::new(),
            ),
        }
    }

    /// Of which maps a probe tells: it is looked up in what was captured of the map, and reads nothing itself.
    fn only(&self, text: &Text) -> Read<Expression> {
        let expression = self.reader.expression(text, &self.reader.map, Type::Bool)?;
        let loads = expression.chains(&[]);
        if loads.chains.is_empty() && !loads.others {
            return Ok(expression);
        }
        let hint = "name fields for what is in the map";
        Err(self.reader.error(&text.span(), "`only` reads nothing by itself", hint))
    }

    /// What an event tells: a number computed from what can be named, or one chain, which the kernel side follows.
    fn told_by(&self, text: &Text, names: &Names) -> Read<Expression> {
        let expression = self.reader.expression(text, names, Type::Int)?;
        let loads = expression.chains(&[]);
        let has_none = loads.chains.is_empty() && !loads.others;
        let is_chain = expression.chain(&[]).is_some_and(|chain| chain.fits(LOADS));
        if has_none || is_chain {
            return Ok(expression);
        }
        let hint =
            "name fields for what is in the map; for all else write one load of loads, such as u64[arg1+8]";
        Err(self.reader.error(&text.span(), "the kernel side cannot find what this reads", hint))
    }

    fn root(&self, root: raw::Root) -> Read<Root> {
        let mut names = self.reader.constants.clone();
        names.name("sym", Name::Symbol, Type::Int);
        let mut with_item = names.clone();
        with_item.name("it", Name::Item, Type::Int);
        let levels = match root.tree {
            Some(tree) if !root.each.is_empty() => {
                return Err(self.reader.error(&tree.span(), "a root has `each` or `tree`, not both", ""));
            }
            Some(tree) => vec![self.only_tree(tree, &names, &with_item)?],
            None => {
                self.bounded(&root.each, MOST_LEVELS, "levels of a root")?;
                let scopes = [&names].into_iter().chain(std::iter::repeat(&with_item));
                let levels = root
                    .each
                    .into_iter()
                    .zip(scopes)
                    .map(|(level, names)| self.level(level, names, &with_item));
                levels.collect::<Read<_>>()?
            }
        };
        let names = if levels.is_empty() { &names } else { &with_item };
        let at = root.map.span();
        let maps = root.map.into_inner();
        if !(1..=MOST_MAPS).contains(&maps.len()) {
            return Err(self.reader.error(
                &at,
                format!("a root has 1 to {MOST_MAPS} maps at each element"),
                "",
            ));
        }
        let maps =
            maps.iter().map(|text| self.reader.expression(text, names, Type::Int)).collect::<Read<_>>()?;
        Ok(Root { symbol: self.reader.text(root.symbol, SYMBOL)?, levels, maps, is_shared: root.shared })
    }

    /// `base` may name the element of the level before; `child` and `next` name the node.
    fn level(&self, level: Spanned<raw::Level>, names: &Names, with_item: &Names) -> Read<Level> {
        let at = level.span();
        let raw::Level { base, count, stride, child, next } = level.into_inner();
        let walk = match (count, stride, child, next) {
            (Some(count), Some(stride), None, None) => {
                if *stride.get_ref() == 0 {
                    let problem = "elements that take no bytes are all one";
                    return Err(self.reader.error(&stride.span(), problem, ""));
                }
                Walk::Array { count: self.reader.number(count, names)?, stride: stride.into_inner() }
            }
            (None, None, child, next) => self.tree((child, next), &at, with_item)?,
            _ => {
                let hint =
                    "an array has `base`, `count` and `stride`; a tree or list `base`, `child` and `next`";
                return Err(self.reader.error(&at, "this level is neither an array nor a tree", hint));
            }
        };
        Ok(Level { base: self.reader.expression(&base, names, Type::Int)?, walk })
    }

    fn only_tree(&self, tree: Spanned<raw::Tree>, names: &Names, with_item: &Names) -> Read<Level> {
        let at = tree.span();
        let raw::Tree { base, child, next } = tree.into_inner();
        let walk = self.tree((child, next), &at, with_item)?;
        Ok(Level { base: self.reader.expression(&base, names, Type::Int)?, walk })
    }

    fn tree(
        &self,
        (child, next): (Option<Text>, Option<Text>),
        at: &Range<usize>,
        with_item: &Names,
    ) -> Read<Walk> {
        if child.is_none() && next.is_none() {
            let hint = "child = the first child of `it`, next = the next sibling of `it`";
            return Err(self.reader.error(at, "this tree has one node", hint));
        }
        let of_item = |text: Option<Text>| -> Read<Option<Expression>> {
            text.map(|text| self.reader.expression(&text, with_item, Type::Int)).transpose()
        };
        Ok(Walk::Tree { child: of_item(child)?, next: of_item(next)? })
    }
}

/// Names, and arguments, registers and the return value besides.
fn registers(names: &Names) -> Names {
    const ARGUMENTS: [&str; 6] = ["arg0", "arg1", "arg2", "arg3", "arg4", "arg5"];
    let mut names = names.clone();
    for (number, text) in (0..).zip(ARGUMENTS) {
        names.name(text, Name::Argument(number), Type::Int);
    }
    for (number, text) in (0..).zip(REGISTERS) {
        names.name(text, Name::Register(number), Type::Int);
    }
    names.name("ret", Name::Returned, Type::Int);
    names
}
