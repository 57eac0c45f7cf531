//! A text into nodes: precedence climbing, with names resolved, types checked and numbers computed on the way.

use std::ops::Range;

use super::lex::{Placed, Token, tokens};
use super::scope::{Meaning, Name, Names};
use super::typed::{Typed, alike, computed, number, wants, widened, widest};
use super::types::{Binary, COMPARISONS, Function, Node, Type, Unary, Value, Width};
use super::words::{meant, reserved, widths};
use super::{DEEPEST, LONGEST, MOST_NODES, MOST_TERMS};

/// What is wrong with a text, and where.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{problem}")]
pub struct Fault {
    /// Which bytes of the text.
    pub at: Range<usize>,
    /// What is wrong.
    pub problem: String,
    /// What to write instead; may be empty.
    pub hint: String,
}

impl Fault {
    pub(super) fn new(at: &Range<usize>, problem: impl Into<String>, hint: impl Into<String>) -> Self {
        Self { at: at.clone(), problem: problem.into(), hint: hint.into() }
    }
}

pub(super) fn parse(text: &str, names: &Names) -> Result<(Node, Type), Fault> {
    if text.len() > LONGEST {
        return Err(Fault::new(
            &(0..1),
            "this is too long",
            format!("an expression has at most {LONGEST} bytes"),
        ));
    }
    let mut parser = Parser { tokens: tokens(text)?, at: 0, names, nodes: 0, depth: 0, in_sum: false };
    let whole = parser.choice()?;
    match parser.peek() {
        (Token::End, _) => Ok((whole.node, whole.kind)),
        (_, at) => Err(Fault::new(
            &at,
            "the expression ends before this",
            "an operator is missing, or this is too much",
        )),
    }
}

struct Parser<'a> {
    /// The last one is [`Token::End`].
    tokens: Vec<Placed<'a>>,
    at: usize,
    names: &'a Names,
    nodes: usize,
    depth: usize,
    in_sum: bool,
}

impl<'a> Parser<'a> {
    fn peek(&self) -> Placed<'a> {
        self.tokens[self.at.min(self.tokens.len() - 1)].clone()
    }

    fn next(&mut self) -> Placed<'a> {
        let token = self.peek();
        self.at += 1;
        token
    }

    fn take(&mut self, sign: &str) -> bool {
        let is_next = matches!(self.peek().0, Token::Sign(next) if next == sign);
        self.at += usize::from(is_next);
        is_next
    }

    fn expect(&mut self, sign: &str, why: &str) -> Result<Range<usize>, Fault> {
        let at = self.peek().1;
        if self.take(sign) { Ok(at) } else { Err(Fault::new(&at, format!("`{sign}` is missing here"), why)) }
    }

    /// A node more. Numbers of numbers are computed at once.
    fn node(&mut self, node: Node, kind: Type, at: Range<usize>) -> Result<Typed, Fault> {
        self.nodes += 1;
        if self.nodes > MOST_NODES {
            let hint = format!("an expression has at most {MOST_NODES} parts: make a field of some");
            return Err(Fault::new(&at, "this is too much for one expression", hint));
        }
        let node = match computed(&node) {
            None => node,
            Some(Ok(value)) => Node::Literal(value),
            Some(Err(why)) => return Err(Fault::new(&at, format!("this never has a value: {why}"), "")),
        };
        Ok(Typed { node, kind, at })
    }

    /// Goes one level down, for as long as `inner` takes.
    fn deeper(&mut self, inner: impl FnOnce(&mut Self) -> Result<Typed, Fault>) -> Result<Typed, Fault> {
        if self.depth == DEEPEST {
            let hint = format!("expressions nest at most {DEEPEST} deep: make a field of a part");
            return Err(Fault::new(&self.peek().1, "this nests too deep", hint));
        }
        self.depth += 1;
        let typed = inner(self);
        self.depth -= 1;
        typed
    }

    fn choice(&mut self) -> Result<Typed, Fault> {
        self.deeper(|parser| {
            let condition = parser.binary(1)?;
            if !parser.take("?") {
                return Ok(condition);
            }
            wants(&condition, Type::Bool)?;
            let yes = parser.choice()?;
            parser.expect(":", "a choice is written condition ? value : value")?;
            let no = parser.choice()?;
            let at = condition.at.start..no.at.end;
            let (yes, no) = alike(yes, no, "both values of a choice")?;
            let kind = yes.kind;
            parser.node(Node::Choice(Box::new((condition.node, yes.node, no.node))), kind, at)
        })
    }

    /// Signs that bind at least so tightly.
    fn binary(&mut self, tightest: u8) -> Result<Typed, Fault> {
        let mut left = self.unary()?;
        let mut compared = false;
        while let (Token::Sign(text), at) = self.peek() {
            let Some((sign, binds)) = Binary::of(text).filter(|(_, binds)| *binds >= tightest) else { break };
            if binds == COMPARISONS && compared {
                return Err(Fault::new(&at, "comparisons do not follow each other", "join two with &&"));
            }
            compared = binds == COMPARISONS;
            self.at += 1;
            let right = self.binary(binds + 1)?;
            left = self.joined(sign, text, left, right)?;
        }
        Ok(left)
    }

    fn joined(&mut self, sign: Binary, text: &str, left: Typed, right: Typed) -> Result<Typed, Fault> {
        let at = left.at.start..right.at.end;
        let sides = format!("both sides of `{text}`");
        let (left, right, kind) = match sign {
            Binary::And | Binary::Or => (wants(&left, Type::Bool).map(|()| left)?, right, Type::Bool),
            Binary::Remainder
            | Binary::ShiftLeft
            | Binary::ShiftRight
            | Binary::BitAnd
            | Binary::BitXor
            | Binary::BitOr => (wants(&left, Type::Int).map(|()| left)?, right, Type::Int),
            Binary::Equal | Binary::NotEqual => {
                let (left, right) = alike(left, right, &sides)?;
                (left, right, Type::Bool)
            }
            Binary::Less | Binary::LessOrEqual | Binary::Greater | Binary::GreaterOrEqual => {
                let (left, right) = alike(number(left)?, number(right)?, &sides)?;
                (left, right, Type::Bool)
            }
            Binary::Multiply | Binary::Divide | Binary::Add | Binary::Subtract => {
                let (left, right) = alike(number(left)?, number(right)?, &sides)?;
                let kind = left.kind;
                (left, right, kind)
            }
        };
        if matches!(sign, Binary::And | Binary::Or) || kind == Type::Int && !is_arithmetic(sign) {
            wants(&right, kind)?;
        }
        self.node(Node::Binary(sign, Box::new((left.node, right.node))), kind, at)
    }

    fn unary(&mut self) -> Result<Typed, Fault> {
        let (token, at) = self.peek();
        let sign = match token {
            Token::Sign("-") => Unary::Minus,
            Token::Sign("!") => Unary::Not,
            Token::Sign("~") => Unary::Complement,
            _ => return self.primary(),
        };
        self.at += 1;
        let of = self.deeper(Self::unary)?;
        let of = match sign {
            Unary::Minus => number(of)?,
            Unary::Not => wants(&of, Type::Bool).map(|()| of)?,
            Unary::Complement => wants(&of, Type::Int).map(|()| of)?,
        };
        let (kind, at) = (of.kind, at.start..of.at.end);
        self.node(Node::Unary(sign, Box::new(of.node)), kind, at)
    }

    fn primary(&mut self) -> Result<Typed, Fault> {
        let (token, at) = self.next();
        match token {
            Token::Literal(value) => self.node(Node::Literal(value), value.kind(), at),
            Token::Sign("(") => {
                let inner = self.choice()?;
                let end = self.expect(")", "a bracket is open")?;
                Ok(Typed { at: at.start..end.end, ..inner })
            }
            Token::Word(word) if self.take("[") => self.load(word, at),
            Token::Word(word) if self.take("(") => self.call(word, at),
            Token::Word(word) => self.named(word, at),
            Token::Sign("[") => {
                Err(Fault::new(&at, "a load says what it reads", format!("write {} before it", widths())))
            }
            Token::Sign(_) => Err(Fault::new(&at, "a value is missing here", "")),
            Token::End => Err(Fault::new(&at, "the expression ends where a value is missing", "")),
        }
    }

    fn load(&mut self, word: &str, at: Range<usize>) -> Result<Typed, Fault> {
        let width = Width::ALL.iter().find(|(text, _)| *text == word).map(|(_, width)| *width);
        let width = width.ok_or_else(|| {
            Fault::new(&at, format!("`{word}` is nothing that memory holds"), format!("one of {}", widths()))
        })?;
        let address = self.choice()?;
        let end = self.expect("]", "a load is written TYPE[address]")?;
        wants(&address, Type::Int)?;
        let kind = if matches!(width, Width::F32 | Width::F64) { Type::Float } else { Type::Int };
        self.node(Node::Load(width, Box::new(address.node)), kind, at.start..end.end)
    }

    fn call(&mut self, word: &str, at: Range<usize>) -> Result<Typed, Fault> {
        if word == "sum" {
            return self.sum(at);
        }
        let Some((_, function, least, most)) = Function::ALL.iter().find(|(text, ..)| *text == word).copied()
        else {
            let texts: Vec<&str> = Function::ALL.iter().map(|(text, ..)| *text).chain(["sum"]).collect();
            return Err(Fault::new(&at, format!("there is no function `{word}`"), meant(word, &texts)));
        };
        let mut values = vec![number(self.choice()?)?];
        while self.take(",") {
            values.push(number(self.choice()?)?);
        }
        let end = self.expect(")", "values are separated by commas")?;
        let at = at.start..end.end;
        if !(least..=most).contains(&values.len()) {
            let takes = match (least, most) {
                (1, 1) => "one value".to_owned(),
                _ if least == most => format!("{most} values"),
                _ => format!("{least} to {most} values"),
            };
            return Err(Fault::new(&at, format!("`{word}` takes {takes}, not {}", values.len()), ""));
        }
        let kind = match function {
            Function::Min | Function::Max => widest(&values),
            Function::Floor | Function::Ceil => Type::Int,
            _ => values.iter().try_for_each(|value| wants(value, Type::Int)).map(|()| Type::Int)?,
        };
        let values = match function {
            Function::Min | Function::Max => {
                values.into_iter().map(|value| widened(value, kind).node).collect()
            }
            _ => values.into_iter().map(|value| value.node).collect(),
        };
        self.node(Node::Call(function, values), kind, at)
    }

    fn sum(&mut self, at: Range<usize>) -> Result<Typed, Fault> {
        if self.in_sum {
            return Err(Fault::new(&at, "a sum cannot be within a sum", "make a field of the inner one"));
        }
        let terms = self.choice()?;
        let count = match terms.node {
            Node::Literal(Value::Int(count)) if (1..=MOST_TERMS).contains(&count) => count as u8,
            _ => {
                let hint = format!("a number from 1 to {MOST_TERMS}, or a constant");
                return Err(Fault::new(&terms.at, "a sum says how many terms it has", hint));
            }
        };
        self.expect(",", "a sum is written sum(terms, value), with `i` from 0 in the value")?;
        self.in_sum = true;
        let of = number(self.choice()?);
        self.in_sum = false;
        let of = of?;
        let end = self.expect(")", "a sum is written sum(terms, value)")?;
        self.node(Node::Sum(count, Box::new(of.node)), of.kind, at.start..end.end)
    }

    fn named(&mut self, word: &str, at: Range<usize>) -> Result<Typed, Fault> {
        if word == "i" && self.in_sum {
            return self.node(Node::Name(Name::Index), Type::Int, at);
        }
        match self.names.get(word) {
            Some(Meaning::Constant(value)) => self.node(Node::Literal(value), value.kind(), at),
            Some(Meaning::Name(name, kind)) => self.node(Node::Name(name), kind, at),
            None => Err(self.unknown(word, &at)),
        }
    }

    fn unknown(&self, word: &str, at: &Range<usize>) -> Fault {
        let texts: Vec<&str> = self.names.texts().collect();
        if Width::ALL.iter().any(|(text, _)| *text == word) {
            return Fault::new(at, format!("`{word}` needs an address"), format!("write {word}[self+8]"));
        }
        if Function::ALL.iter().any(|(text, ..)| *text == word) || word == "sum" {
            return Fault::new(at, format!("`{word}` needs values"), format!("write {word}(...)"));
        }
        let problem = match reserved(word) {
            true => format!("`{word}` cannot be used here"),
            false => format!("there is no `{word}` here"),
        };
        Fault::new(at, problem, meant(word, &texts))
    }
}

fn is_arithmetic(sign: Binary) -> bool {
    matches!(sign, Binary::Multiply | Binary::Divide | Binary::Add | Binary::Subtract)
}
