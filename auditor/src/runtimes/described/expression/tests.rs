//! The language: what expressions come to, what is refused and where, and that nothing a text or a memory holds
//! makes it fail.

use proptest::prelude::*;

use super::*;
use crate::audit::unit::Address;
use crate::target::memory::{CapturedMemory, ReadError};

const OWN: u64 = 0x1000;

/// `self`, a few fields, constants.
fn names() -> Names {
    let mut names = Names::new();
    names.constant("entry", Value::Int(24)).constant("half", Value::Float(0.5));
    names.name("self", Name::Own, Type::Int).name("used", Name::Field(0), Type::Int);
    names.name("load", Name::Field(1), Type::Float).name("full", Name::Field(2), Type::Bool);
    names.name("lost", Name::Field(3), Type::Int).name("arg0", Name::Argument(0), Type::Int);
    names.name("rbx", Name::Register(3), Type::Int).name("ret", Name::Returned, Type::Int);
    names
}

fn scope() -> Scope {
    let fields = vec![
        Ok(Value::Int(100)),
        Ok(Value::Float(0.75)),
        Ok(Value::Bool(true)),
        Err(Unknown::Unreadable(ReadError::Gone)),
    ];
    Scope { fields, ..Scope::of_map(OWN) }
}

fn memory() -> CapturedMemory {
    let mut memory = CapturedMemory::new();
    let bytes: Vec<u8> = (0..128_u8).map(|byte| 0x80 | byte).collect();
    memory.insert(Address(OWN), bytes);
    memory
        .insert(Address(0x2000), 0x3000_u64.to_le_bytes())
        .insert(Address(0x3008), [7, 0, 0, 0, 0, 0, 0, 0]);
    memory.insert(Address(0x4000), 1.5_f64.to_le_bytes()).insert(Address(0x4008), 0.25_f32.to_le_bytes());
    memory.insert(Address(0x4010), f64::NAN.to_le_bytes());
    memory
}

fn parse(text: &str) -> Expression {
    Expression::parse(text, &names()).unwrap_or_else(|fault| panic!("{text}: {fault:?}"))
}

fn value(text: &str) -> Result<Value, Unknown> {
    parse(text).eval(&scope(), &memory())
}

fn int(text: &str) -> i128 {
    match value(text) {
        Ok(Value::Int(number)) => number,
        other => panic!("{text}: {other:?}"),
    }
}

fn is_so(text: &str) -> bool {
    value(text).unwrap().truth().unwrap()
}

fn fault(text: &str) -> Fault {
    Expression::parse(text, &names()).expect_err(text)
}

#[test]
fn signs_bind_as_in_rust_and_not_as_in_c() {
    assert_eq!(int("2 + 3 * 4"), 14);
    assert_eq!(int("(2 + 3) * 4"), 20);
    assert_eq!(int("10 - 4 - 3"), 3);
    assert_eq!(int("100 / 10 / 5"), 2);
    assert_eq!(int("1 << 2 + 1"), 8);
    assert_eq!(int("1 | 6 & 3"), 3);
    assert_eq!(int("1 | 2 ^ 3"), 1);
    assert_eq!(int("-2 * -3"), 6);
    assert!(is_so("used & 4 == 4"), "in C this is used & (4 == 4)");
    assert!(is_so("1 + 1 == 2 && !(3 < 2) || 1 > 2"));
    assert_eq!(int("full ? 1 : full ? 2 : 3"), 1);
    assert_eq!(int("used < 5 ? 1 : used < 200 ? 2 : 3"), 2);
}

#[test]
fn numbers_are_written_in_many_ways_and_mix() {
    assert_eq!(int("0x18 + 1_000 + entry"), 24 + 1000 + 24);
    assert_eq!(int("0xffff_ffff_ffff_ffff"), i128::from(u64::MAX));
    assert_eq!(int("0xffffffffffffffff + 1"), 1 << 64);
    assert_eq!(int("~0 & 0xff"), 255);
    assert_eq!(int("-7 / 2"), -3);
    assert_eq!(int("-7 % 2"), -1);
    assert_eq!(value("used * load").unwrap(), Value::Float(75.0));
    assert_eq!(value("used * half + 1").unwrap(), Value::Float(51.0));
    assert_eq!(int("floor(used * load + 0.9)"), 75);
    assert_eq!(int("ceil(used * load + 0.1) + floor(3)"), 79);
    assert!(is_so("load < 1 && load > 0.5 && full == true"));
    assert_eq!(value("full ? 1 : 0.5").unwrap(), Value::Float(1.0));
    assert_eq!(value("max(1, 2.5)").unwrap(), Value::Float(2.5));
}

#[test]
fn functions_say_what_they_are_named_for() {
    assert_eq!(int("min(3, 1, 2) * 10 + max(3, 1, 2)"), 13);
    assert_eq!(int("popcount(255)"), 8);
    assert_eq!([int("log2(1)"), int("log2(255)"), int("log2(256)")], [0, 7, 8]);
    assert_eq!(
        [int("pow2ceil(0)"), int("pow2ceil(1)"), int("pow2ceil(5)"), int("pow2ceil(64)")],
        [1, 1, 8, 64]
    );
    assert_eq!(int("sum(4, i)"), 6);
    assert_eq!(int("sum(4, i) + sum(2, 10 * i)"), 16);
    assert_eq!(int("sum(8, u8[self + i])"), (0..8).map(|i| 0x80 + i).sum());
}

#[test]
fn loads_read_what_they_say_with_their_sign() {
    assert_eq!(int("u8[self+1]"), 0x81);
    assert_eq!(int("i8[self+1]"), -127);
    assert_eq!(int("u16[self]"), 0x8180);
    assert_eq!(int("i16[self]"), -0x7e80);
    assert_eq!(int("u32[self]"), 0x8382_8180);
    assert_eq!(int("i32[self]"), i128::from(0x8382_8180_u32.cast_signed()));
    assert_eq!(int("u64[self]"), 0x8786_8584_8382_8180);
    assert_eq!(int("i64[self]"), i128::from(0x8786_8584_8382_8180_u64.cast_signed()));
    assert_eq!(int("u8[u64[0x2000] + 8]"), 7);
    assert_eq!(value("f64[0x4000] + f32[0x4008]").unwrap(), Value::Float(1.75));
}

#[test]
fn what_cannot_be_computed_is_unknown_and_says_why() {
    let why = |text: &str| value(text).expect_err(text).to_string();
    let largest = "(1 << 126)";
    assert_eq!(why(&format!("{largest} * (used - 90)")), "a number is too large");
    assert_eq!(why("used << 126"), "a number is too large");
    assert_eq!(why("1 / (used - 100)"), "division by zero");
    assert_eq!(why("1 % (used - 100)"), "division by zero");
    assert_eq!(why("1.0 / (load - 0.75)"), "division by zero");
    assert_eq!(why("used << (used + 28)"), "a shift by 128 bits");
    assert_eq!(why("used >> (0 - used)"), "a shift by -100 bits");
    assert_eq!(why("log2(used - 100)"), "log2 of 0");
    assert_eq!(why("popcount(50 - used)"), "popcount of -50");
    assert_eq!(why("u64[used - 200]"), "-100 is no address");
    assert_eq!(why("u64[self + 0xffffffffffffffff]"), "18446744073709555711 is no address");
    assert_eq!(why("u64[self + 124]"), "8 bytes at 0x107c are not mapped");
    assert_eq!(why("f64[0x4010]"), "a number is too large");
    assert_eq!(why("lost + 1"), "the process is gone");
    assert_eq!(why("arg0"), "a value is not at hand here");
    assert_eq!(why("sum(64, u8[self]) + u8[self]"), "more than 64 loads");
}

#[test]
fn what_is_not_needed_may_be_unknown() {
    assert!(!is_so("used > 200 && lost > 1"));
    assert!(is_so("used < 200 || lost > 1"));
    assert_eq!(int("full ? used : lost"), 100);
    assert!(value("lost > 1 && used > 200").is_err(), "from left to right");
    assert!(value("full ? lost : used").is_err());
}

/// A text with its fault: the mark below what is wrong, the hint beside it.
fn shown(text: &str) -> String {
    let Fault { at, problem, hint } = fault(text);
    let mark = format!("{}{}", " ".repeat(at.start), "^".repeat(at.len().max(1)));
    format!("{text}\n{mark} {problem}\n{hint}\n")
}

#[test]
fn faults_say_where_what_and_what_to_write_instead() {
    let texts = [
        "",
        "used +",
        "used + * 2",
        "(used",
        "used)",
        "used used",
        "usd + 1",
        "self + arg1",
        "slots * 2",
        "qqqqqq",
        "u64",
        "u64[self",
        "u63[self]",
        "[self]",
        "u64[full]",
        "u64[load]",
        "min(1)",
        "min(1 2)",
        "popcount(1, 2)",
        "popcont(1)",
        "log2(load)",
        "max",
        "used = 1",
        "\"text\"",
        "used.x",
        ".5",
        "12abc",
        "0x",
        "18446744073709551616",
        "1.5e",
        "1 < 2 < 3",
        "used && full",
        "full && used",
        "!used",
        "-full",
        "~load",
        "load % 2",
        "load << 1",
        "used == full",
        "full < full",
        "used ? 1 : 2",
        "full ? 1 : full",
        "full ? 1",
        "full + 1",
        "1 / 0",
        "1 << 200",
        "sum(65, i)",
        "sum(used, i)",
        "sum(2)",
        "sum(2, sum(2, i))",
        "i + 1",
        "ä",
    ];
    let all: Vec<String> = texts.iter().map(|text| shown(text)).collect();
    insta::with_settings!({
        snapshot_path => "../../../../tests/data/described",
        prepend_module_to_snapshot => false,
        omit_expression => true,
    }, {
        insta::assert_snapshot!("expression_faults", all.join("\n"));
    });
}

#[test]
fn an_expression_is_bounded_in_length_parts_and_depth() {
    let deep = |n: usize| format!("{}1{}", "(".repeat(n), ")".repeat(n));
    assert!(Expression::parse(&deep(DEEPEST - 1), &names()).is_ok());
    assert!(fault(&deep(DEEPEST)).hint.contains("64 deep"));
    assert!(fault(&deep(2000)).hint.contains("64 deep"));
    assert!(fault(&format!("{}1", "-".repeat(2000))).hint.contains("64 deep"));
    assert!(fault(&"u8[".repeat(1000)).hint.contains("64 deep"));
    assert!(fault(&"full?".repeat(800)).hint.contains("64 deep"));
    let long = |n: usize| vec!["used"; n].join("+");
    assert_eq!(int(&long(256)), 25600);
    assert!(fault(&long(300)).hint.contains("512 parts"));
    assert!(fault(&" ".repeat(LONGEST + 1)).problem.contains("too long"));
}

#[test]
fn a_chain_is_a_start_then_loads_with_numbers_before_them() {
    let fields = [Some(parse("u64[self+32]").chain(&[]).unwrap()), None, None, None];
    let chain = |text: &str| parse(text).chain(&fields);
    let step = |offset, width| Step { offset, width };
    let of = |start, steps: &[Step], add| Some(Chain { start, steps: steps.to_vec(), add });
    assert_eq!(chain("arg0 - 32"), of(Start::Argument(0), &[], -32));
    assert_eq!(chain("rbx"), of(Start::Register(3), &[], 0));
    assert_eq!(chain("ret + 8 * 2"), of(Start::Returned, &[], 16));
    assert_eq!(chain("u32[self+784]"), of(Start::Own, &[step(784, Width::U32)], 0));
    let two = [step(32, Width::U64), step(10, Width::U8)];
    assert_eq!(chain("u8[u64[self+32]+10]"), of(Start::Own, &two, 0));
    assert_eq!(chain("u8[used+10]"), of(Start::Own, &two, 0), "a field stands for its chain");
    assert_eq!(chain("4 + u64[24 + self] + 4"), of(Start::Own, &[step(24, Width::U64)], 8));
    for none in ["u64[self] * 2", "self - arg0", "u64[self + u8[self]]", "load", "12", "full ? self : arg0"] {
        assert_eq!(chain(none), None, "{none}");
    }
}

#[test]
fn a_chain_fits_the_kernel_if_it_is_short_and_its_pointers_are_words() {
    let chain = |text: &str| parse(text).chain(&[]).unwrap();
    assert!(chain("u8[u64[u64[u64[self]]]]").fits(4));
    assert!(!chain("u8[u64[u64[u64[u64[self]]]]]").fits(4));
    assert!(!chain("u8[u32[self]]").fits(4));
    let behind = chain("u32[self+8]").behind(&chain("u64[arg0+16]+4")).unwrap();
    assert_eq!(behind, chain("u32[u64[arg0+16]+12]"));
}

#[test]
fn all_loads_are_told_those_of_sums_one_by_one() {
    let loads = |text: &str| parse(text).chains(&[]);
    let chain = |text: &str| parse(text).chain(&[]).unwrap();
    let two = loads("u8[self] + u8[self] + u16[u64[self+8]]");
    assert_eq!(two.chains, ["u8[self]", "u64[self+8]", "u16[u64[self+8]]"].map(chain));
    assert!(!two.others);
    let sum = loads("sum(3, i64[u64[self] + 8 + 24 * i])");
    let wanted = ["u64[self]", "i64[u64[self]+8]", "i64[u64[self]+32]", "i64[u64[self]+56]"];
    assert_eq!(sum.chains, wanted.map(chain));
    assert!(loads("u8[self + u8[self]]").others);
}

#[test]
fn names_are_told_once_each() {
    let names = parse("self + used + u64[used] + (full ? used : arg0)").names();
    assert_eq!(names, [Name::Own, Name::Argument(0), Name::Field(0), Name::Field(2)]);
}

/// A sign, how it is computed without the language, as far as numbers go.
type Sign = (&'static str, fn(i128, i128) -> Option<i128>);

const SIGNS: [Sign; 10] = [
    ("+", i128::checked_add),
    ("-", i128::checked_sub),
    ("*", i128::checked_mul),
    ("/", i128::checked_div),
    ("%", i128::checked_rem),
    ("&", |a, b| Some(a & b)),
    ("|", |a, b| Some(a | b)),
    ("^", |a, b| Some(a ^ b)),
    (">>", |a, b| u32::try_from(b).ok().filter(|b| *b < 128).map(|b| a >> b)),
    ("<<", |a, b| {
        let by = u32::try_from(b).ok().filter(|b| *b < 128)?;
        let product = if by == 127 { (a == 0).then_some(0) } else { a.checked_mul(1 << by) };
        product.or((by == 127 && a == -1).then_some(i128::MIN))
    }),
];

/// Expressions with all brackets, with what they come to.
fn computed() -> impl Strategy<Value = (String, Option<i128>)> {
    let leaf = prop_oneof![
        (0..200_u64).prop_map(|n| (n.to_string(), Some(n.into()))),
        any::<u64>().prop_map(|n| (format!("{n:#x}"), Some(n.into()))),
        Just(("used".to_owned(), Some(100))),
        Just(("lost".to_owned(), None)),
    ];
    leaf.prop_recursive(6, 60, 2, |inner| {
        (inner.clone(), inner, 0..SIGNS.len()).prop_map(|(left, right, sign)| {
            let (text, apply) = SIGNS[sign];
            let value = left.1.zip(right.1).and_then(|(left, right)| apply(left, right));
            (format!("({} {text} {})", left.0, right.0), value)
        })
    })
}

/// Words and signs in any order.
fn soup() -> impl Strategy<Value = String> {
    const WORDS: &[&str] = &[
        "used",
        "load",
        "full",
        "lost",
        "self",
        "arg0",
        "entry",
        "i",
        "u8[",
        "u64[",
        "f32[",
        "]",
        "(",
        ")",
        "min(",
        "max(",
        "sum(",
        "log2(",
        "pow2ceil(",
        "popcount(",
        "floor(",
        ",",
        "+",
        "-",
        "*",
        "/",
        "%",
        "<<",
        ">>",
        "<",
        "==",
        "&&",
        "||",
        "!",
        "~",
        "?",
        ":",
        "0",
        "1",
        "64",
        "0.5",
        "0xffffffffffffffff",
        "true",
        "&",
        "|",
        "^",
    ];
    prop::collection::vec(prop::sample::select(WORDS), 0..24).prop_map(|words| words.join(" "))
}

proptest! {
    #[test]
    fn numbers_are_those_of_128_bits((text, wanted) in computed()) {
        // What has no value whatever the map holds is refused before.
        match Expression::parse(&text, &names()) {
            Ok(expression) => {
                let found = expression.eval(&scope(), &memory());
                prop_assert_eq!(found.ok(), wanted.map(Value::Int), "{}", text);
            }
            Err(fault) => {
                prop_assert!(fault.problem.starts_with("this never has a value"), "{}: {:?}", text, fault);
                prop_assert_eq!(wanted, None);
            }
        }
    }

    #[test]
    fn no_text_makes_it_fail(text in any::<String>()) {
        let parsed = Expression::parse(&text, &names());
        if let Err(fault) = parsed {
            prop_assert!(text.get(fault.at.clone()).is_some() || fault.at == (0..1), "{:?}", fault);
        }
    }

    #[test]
    fn words_in_any_order_are_refused_or_have_a_value_of_their_type_or_none(text in soup()) {
        if let Ok(expression) = Expression::parse(&text, &names()) {
            if let Ok(value) = expression.eval(&scope(), &memory()) {
                prop_assert_eq!(value.kind(), expression.kind(), "{}", text);
            }
            // Neither fails, whatever it is.
            let _chain = expression.chain(&[]);
            let _loads = expression.chains(&[]);
        }
    }

    #[test]
    fn a_chain_says_what_the_expression_does(at in 0_u64..120, add in -50_i64..50) {
        let text = format!("u64[u64[self+{at}]+8] + {add} - 3");
        let chain = parse(&text).chain(&[]).unwrap();
        let mut memory = CapturedMemory::new();
        memory.insert(Address(OWN + at), 0x9000_u64.to_le_bytes()).insert(Address(0x9008), 77_u64.to_le_bytes());
        let mut place = OWN;
        for step in &chain.steps {
            let from = Address(place.checked_add_signed(step.offset).unwrap());
            place = crate::target::memory::read_u64(&memory, from).unwrap();
        }
        let value = i128::from(place) + i128::from(chain.add);
        prop_assert_eq!(parse(&text).eval(&Scope::of_map(OWN), &memory), Ok(Value::Int(value)));
    }
}
