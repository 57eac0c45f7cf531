//! The names of global variables, by the file's symbols, and which of them are the runtime's.

use super::private::Private;
use crate::target::elf::Kind;
use crate::target::module::Module;

/// Most variables whose names are kept.
const MOST: usize = 1 << 20;
/// Longest name; what is beyond is cut off.
const NAME: usize = 200;
/// Names of the runtime's variables.
const RUNTIME: &str = "runtime.";
/// Symbols that the linker makes for types, strings, pointer masks and the like.
const NOT_VARIABLES: &[&str] = &["type:", "type.", "go:", "go.", "runtime.gcbits.", "gclocals"];

/// A global variable.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Variable {
    /// Where it is.
    pub at: u64,
    /// Its bytes.
    pub size: u64,
    /// Its name, such as `main.globalCache`.
    pub name: String,
}

/// The global variables of a program, by address.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Variables {
    named: Vec<Variable>,
    /// Of those without a name.
    private: Private,
}

impl Variables {
    /// Those that the file's symbol table names; none where it is stripped.
    #[must_use]
    pub fn of(module: &Module) -> Self {
        let (Ok(elf), Some(bias)) = (module.elf(), module.load_bias()) else { return Self::default() };
        let symbols = elf.symbols().filter(|symbol| symbol.kind == Kind::Object && symbol.size > 0);
        let named = symbols.filter(|symbol| !NOT_VARIABLES.iter().any(|not| symbol.name.starts_with(not)));
        Self::new(named.take(MOST).map(|symbol| Variable {
            at: symbol.address.wrapping_add(bias),
            size: symbol.size,
            name: plain(&symbol.name),
        }))
    }

    /// These.
    pub fn new(variables: impl IntoIterator<Item = Variable>) -> Self {
        let mut all: Vec<_> = variables.into_iter().collect();
        all.sort_by(|one, other| (one.at, &one.name).cmp(&(other.at, &other.name)));
        all.dedup_by_key(|variable| variable.at);
        Self { named: all, private: Private::default() }
    }

    /// Tells those of the runtime that have no name from the others, too.
    pub fn tell_apart(&mut self, private: Private) {
        self.private = private;
    }

    /// Whether none has a name.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.named.is_empty()
    }

    /// The variable that holds the address.
    #[must_use]
    pub fn at(&self, address: u64) -> Option<&Variable> {
        let behind = self.named.partition_point(|variable| variable.at <= address);
        let nearest = self.named.get(behind.checked_sub(1)?)?;
        (address - nearest.at < nearest.size).then_some(nearest)
    }

    /// Whether the variable that holds the address is the runtime's.
    #[must_use]
    pub fn are_runtimes(&self, address: u64) -> bool {
        match self.at(address) {
            Some(variable) => variable.name.starts_with(RUNTIME),
            None => self.private.holds(address),
        }
    }
}

/// A name as people write it: the linker writes dots of a package's path as `%2e`.
fn plain(name: &str) -> String {
    let short: String = name.chars().filter(|character| !character.is_control()).take(NAME).collect();
    short.replace("%2e", ".")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn variable(at: u64, size: u64, name: &str) -> Variable {
        Variable { at, size, name: name.to_owned() }
    }

    #[test]
    fn a_variable_is_found_by_each_of_its_bytes_and_no_other() {
        let all = Variables::new([variable(100, 24, "main.b"), variable(16, 8, "main.a")]);
        let name = |at| all.at(at).map(|variable| variable.name.as_str());
        assert_eq!([name(15), name(16), name(23), name(24)], [None, Some("main.a"), Some("main.a"), None]);
        assert_eq!([name(99), name(123), name(124)], [None, Some("main.b"), None]);
        assert_eq!(Variables::default().at(5), None);
    }

    #[test]
    fn names_are_short_and_plain() {
        assert_eq!(plain("gopkg.in/yaml%2ev3.x\u{1b}[2J"), "gopkg.in/yaml.v3.x[2J");
        assert_eq!(plain(&"x".repeat(1000)).len(), NAME);
    }
}
