//! Nodes with their types: what fits together, and what is a number already.

use std::ops::Range;

use super::eval::{self, Unknown};
use super::parse::Fault;
use super::types::{Function, Node, Type, Value};

/// A node with its type and the bytes of the text that it was made of.
pub(super) struct Typed {
    pub(super) node: Node,
    pub(super) kind: Type,
    pub(super) at: Range<usize>,
}

/// The value of a node whose parts are numbers; `None`: it is one already, or it is more than that.
pub(super) fn computed(node: &Node) -> Option<Result<Value, Unknown>> {
    let value = |node: &Node| if let Node::Literal(value) = node { Some(*value) } else { None };
    match node {
        Node::Unary(sign, of) => Some(eval::unary(*sign, value(of)?)),
        Node::Binary(sign, sides) => Some(eval::binary(*sign, value(&sides.0)?, value(&sides.1)?)),
        // Its value is in memory.
        Node::Call(Function::ElementBefore | Function::ElementBehind, _) => None,
        Node::Call(function, of) => {
            let values: Option<Vec<Value>> = of.iter().map(value).collect();
            Some(eval::call(*function, &values?))
        }
        Node::Choice(parts) => {
            let (condition, yes, no) = &**parts;
            let chosen = if value(condition)?.truth()? { yes } else { no };
            value(chosen).map(Ok)
        }
        Node::Literal(_) | Node::Name(_) | Node::Load(..) | Node::Sum(..) => None,
    }
}

pub(super) fn wants(typed: &Typed, kind: Type) -> Result<(), Fault> {
    if typed.kind == kind {
        return Ok(());
    }
    let hint = match (typed.kind, kind) {
        (_, Type::Bool) => "compare it, for example with != 0",
        (Type::Bool, _) => "write condition ? 1 : 0",
        (Type::Float, Type::Int) => "write floor(...) or ceil(...)",
        _ => "",
    };
    Err(Fault::new(&typed.at, format!("this is {}, and {kind} is wanted", typed.kind), hint))
}

pub(super) fn number(typed: Typed) -> Result<Typed, Fault> {
    match typed.kind {
        Type::Bool => wants(&typed, Type::Int).map(|()| typed),
        Type::Int | Type::Float => Ok(typed),
    }
}

/// Two of one type: a whole number beside a fraction becomes one.
pub(super) fn alike(left: Typed, right: Typed, what: &str) -> Result<(Typed, Typed), Fault> {
    if (left.kind == Type::Bool) != (right.kind == Type::Bool) {
        let at = left.at.start..right.at.end;
        let problem = format!("{what} must be of one type: these are {} and {}", left.kind, right.kind);
        return Err(Fault::new(&at, problem, "compare a number with something, or write condition ? 1 : 0"));
    }
    let kind = if left.kind == right.kind { left.kind } else { Type::Float };
    Ok((widened(left, kind), widened(right, kind)))
}

pub(super) fn widest(values: &[Typed]) -> Type {
    if values.iter().any(|value| value.kind == Type::Float) { Type::Float } else { Type::Int }
}

pub(super) fn widened(typed: Typed, kind: Type) -> Typed {
    match (typed.kind, kind) {
        (Type::Int, Type::Float) => {
            let node = match typed.node {
                Node::Literal(value) => Node::Literal(eval::widened(value, kind)),
                node => Node::Call(Function::ToFloat, vec![node]),
            };
            Typed { node, kind, at: typed.at }
        }
        _ => typed,
    }
}
