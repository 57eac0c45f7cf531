//! Hostile files, torn files, and the round trip.

use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use proptest::collection::vec;
use proptest::prelude::*;

use super::*;
use crate::audit::fact::What;
use crate::audit::unit::Nanos;
use crate::recording::samples::{any_fact, busy, one_of_each};
use crate::recording::{Writer, frame};

/// A recording with one frame for every `batch` facts.
fn recorded(facts: &[Fact], batch: usize) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut writer = Writer::new(&mut bytes, Path::new("memory")).unwrap();
    for some in facts.chunks(batch) {
        some.iter().for_each(|fact| writer.append(fact).unwrap());
        writer.flush().unwrap();
    }
    writer.finish().unwrap();
    bytes
}

/// The facts up to the first error, that error, and the torn tail.
fn replayed(bytes: &[u8]) -> (Vec<Fact>, Option<ReadError>, Option<TornTail>) {
    let mut reader = match read(bytes, Path::new("memory")) {
        Ok(reader) => reader,
        Err(error) => return (Vec::new(), Some(error), None),
    };
    let mut facts = Vec::new();
    let mut error = None;
    for item in &mut reader {
        match item {
            Ok(fact) => facts.push(fact),
            Err(found) => error = Some(found),
        }
    }
    assert!(reader.next().is_none(), "nothing follows the end");
    (facts, error, reader.torn())
}

/// Where each frame begins.
fn frames(bytes: &[u8]) -> Vec<usize> {
    let mut begins = vec![0];
    while let Some(head) = bytes[begins[begins.len() - 1]..].first_chunk() {
        begins.push(begins[begins.len() - 1] + HEAD + Head::decode(head).unwrap().stored);
    }
    begins
}

#[test]
fn facts_of_every_kind_come_back_as_they_were() {
    let facts = one_of_each();
    let (back, error, torn) = replayed(&recorded(&facts, 4));
    assert!(error.is_none() && torn.is_none());
    assert_eq!(back, facts);
}

#[test]
fn a_cut_at_any_byte_gives_every_whole_frame_and_is_no_error() {
    let facts = one_of_each();
    let bytes = recorded(&facts, 3);
    let frames = frames(&bytes);
    for cut in frames[1]..bytes.len() {
        let (back, error, torn) = replayed(&bytes[..cut]);
        let whole = frames.iter().filter(|begin| **begin <= cut).count() - 2;
        assert!(error.is_none(), "cut at {cut}: {error:?}");
        assert_eq!(back, facts[..(whole * 3).min(facts.len())], "cut at {cut}");
        let tail = (cut - frames[whole + 1]) as u64;
        let expected = (tail > 0).then_some(TornTail { offset: frames[whole + 1] as u64, bytes: tail });
        assert_eq!(torn, expected, "cut at {cut}");
    }
}

#[test]
fn a_cut_inside_the_header_says_that_nothing_was_recorded() {
    let bytes = recorded(&one_of_each(), 3);
    assert!(matches!(replayed(&[]).1, Some(ReadError::Empty { .. })));
    for cut in 1..frames(&bytes)[1] {
        assert!(matches!(replayed(&bytes[..cut]).1, Some(ReadError::NoHeader { .. })), "cut at {cut}");
    }
}

#[test]
fn a_flipped_bit_anywhere_is_an_error_after_everything_before_it() {
    let facts = one_of_each();
    let bytes = recorded(&facts, 3);
    let frames = frames(&bytes);
    for at in 0..bytes.len() {
        let mut flipped = bytes.clone();
        flipped[at] ^= 0x10;
        let (back, error, torn) = replayed(&flipped);
        let frame = frames.iter().filter(|begin| **begin <= at).count() - 1;
        assert!(torn.is_none());
        match error {
            Some(ReadError::Damaged { offset, .. }) => assert_eq!(offset, frames[frame] as u64),
            Some(ReadError::NotARecording { .. }) => assert!(at < MAGIC.len()),
            other => panic!("byte {at}: {other:?}"),
        }
        assert_eq!(back, facts[..frame.saturating_sub(1) * 3], "byte {at}");
    }
}

#[test]
fn another_file_is_not_taken_for_a_recording() {
    for other in ["x", "{\"schema\": \"auditor.report/1\"}", "PAR1 and some more bytes than a head has"] {
        let error = replayed(other.as_bytes()).1.unwrap();
        assert!(error.to_string().starts_with("memory is not a recording"), "{error}");
    }
}

#[test]
fn a_newer_version_names_both_versions_and_the_auditor_that_reads_it() {
    let header = Header { version: 7, created: 0, auditor: "2.1.0\x1b[31m".to_owned() };
    let mut bytes = Vec::new();
    frame::pack(Kind::Header, &v1::encode_header(&header).unwrap(), &mut bytes);
    let error = replayed(&bytes).1.unwrap().to_string();
    assert!(error.contains("format version 7"), "{error}");
    assert!(error.contains("reads up to 1"), "{error}");
    assert!(error.contains("auditor 2.1.031m or later"), "{error}");
}

#[test]
fn two_recordings_in_one_file_are_refused_after_the_first() {
    let one = recorded(&one_of_each(), 100);
    let (back, error, _) = replayed(&[one.clone(), one].concat());
    assert_eq!(back, one_of_each());
    assert!(matches!(error, Some(ReadError::Damaged { .. })));
}

#[test]
fn a_sealed_frame_that_holds_no_facts_is_an_error_after_those_it_holds() {
    let mut bytes = recorded(&[], 1);
    let mut frame = Vec::new();
    let tick = [0, 0, 21];
    frame::pack(Kind::Facts, &[&tick[..], &[0xFF; 20]].concat(), &mut frame);
    bytes.extend_from_slice(&frame);
    let (back, error, _) = replayed(&bytes);
    assert_eq!(back, [Fact { at: Nanos(0), thread: None, what: What::Tick }]);
    assert!(matches!(error, Some(ReadError::Damaged { damage: Damage::Content(_), .. })));
}

#[test]
fn a_directory_is_named_in_the_error() {
    let error = open(Path::new("/")).unwrap_err();
    assert!(matches!(error, ReadError::Read { offset: 0, .. }), "{error:?}");
}

/// Plays both parts: started by itself with a file to write, it records until it is killed.
#[test]
fn a_recording_survives_kill_9_of_its_writer() {
    const FILE: &str = "AUDITOR_TEST_RECORDING";
    let tick = |at| Fact { at: Nanos(at), thread: None, what: What::Tick };
    if let Some(path) = std::env::var_os(FILE) {
        let mut writer = Writer::create(Path::new(&path)).unwrap();
        // Bounded, should whoever started it die first.
        for at in 0..5_000_000 {
            writer.append(&tick(at)).unwrap();
            if at % 10 == 0 {
                writer.flush().unwrap();
            }
        }
    }
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("killed.rec");
    let itself = "recording::reader::tests::a_recording_survives_kill_9_of_its_writer";
    let mut writer = Command::new(std::env::current_exe().unwrap());
    let mut writer = writer.args(["--exact", itself]).env(FILE, &path).stdout(Stdio::null()).spawn().unwrap();
    while path.metadata().map_or(0, |file| file.len()) < 100_000 && writer.try_wait().unwrap().is_none() {
        std::thread::sleep(Duration::from_millis(1));
    }
    writer.kill().unwrap();
    writer.wait().unwrap();
    let facts: Vec<_> = open(&path).unwrap().map(Result::unwrap).collect();
    assert!(facts.len() > 1_000, "{} facts", facts.len());
    assert!(facts.iter().zip(0..).all(|(fact, at)| *fact == tick(at)));
}

/// How to damage a file.
#[derive(Clone, Debug)]
enum Blow {
    Flip(usize, u8),
    Cut(usize),
    Insert(usize, Vec<u8>),
    Remove(usize, usize),
    Repeat(usize, usize),
}

impl Blow {
    fn strike(&self, bytes: &mut Vec<u8>) {
        let place = |at: &usize| at % (bytes.len() + 1);
        let range = |at: &usize, len: &usize| place(at)..(place(at) + len).min(bytes.len());
        match self {
            Self::Flip(at, bits) if !bytes.is_empty() => {
                let at = at % bytes.len();
                bytes[at] ^= bits;
            }
            Self::Flip(..) => {}
            Self::Cut(at) => bytes.truncate(place(at)),
            Self::Insert(at, more) => {
                let at = place(at);
                bytes.splice(at..at, more.iter().copied()).for_each(drop);
            }
            Self::Remove(at, len) => {
                bytes.drain(range(at, len)).for_each(drop);
            }
            Self::Repeat(at, len) => {
                let copy = bytes[range(at, len)].to_vec();
                let at = place(at);
                bytes.splice(at..at, copy).for_each(drop);
            }
        }
    }
}

fn any_blow() -> impl Strategy<Value = Blow> {
    prop_oneof![
        any::<(usize, u8)>().prop_map(|(at, bits)| Blow::Flip(at, bits)),
        any::<usize>().prop_map(Blow::Cut),
        (any::<usize>(), vec(any::<u8>(), 1..40)).prop_map(|(at, more)| Blow::Insert(at, more)),
        (any::<usize>(), 1..60_usize).prop_map(|(at, len)| Blow::Remove(at, len)),
        (any::<usize>(), 1..200_usize).prop_map(|(at, len)| Blow::Repeat(at, len)),
    ]
}

proptest! {
    #[test]
    fn any_facts_in_any_batches_come_back_equal(facts in vec(any_fact(), 0..60), batch in 1..20_usize) {
        let (back, error, torn) = replayed(&recorded(&facts, batch));
        prop_assert!(error.is_none() && torn.is_none());
        prop_assert_eq!(back, facts);
    }

    #[test]
    fn a_damaged_recording_gives_only_facts_that_were_recorded(blows in vec(any_blow(), 1..4)) {
        let facts = one_of_each();
        let mut bytes = recorded(&facts, 3);
        blows.iter().for_each(|blow| blow.strike(&mut bytes));
        let (back, _, _) = replayed(&bytes);
        for fact in back {
            prop_assert!(facts.contains(&fact));
        }
    }

    #[test]
    fn arbitrary_bytes_never_panic(bytes in vec(any::<u8>(), 0..400)) {
        replayed(&bytes);
    }

    #[test]
    fn arbitrary_bytes_behind_sound_checksums_never_panic(payload in vec(any::<u8>(), 0..400)) {
        let mut bytes = recorded(&[], 1);
        let mut frame = Vec::new();
        frame::pack(Kind::Facts, &payload, &mut frame);
        bytes.extend_from_slice(&frame);
        replayed(&bytes);
        frame::pack(Kind::Header, &payload, &mut bytes);
        replayed(&bytes);
    }
}

/// `cargo test --release -p auditor speed_and_size -- --ignored --nocapture` prints the figures of
/// docs/recording.md.
#[test]
#[ignore = "measures"]
fn speed_and_size_of_a_million_facts() {
    let facts: Vec<_> = busy(1_000_000).collect();
    let began = Instant::now();
    let bytes = recorded(&facts, facts.len());
    let written = began.elapsed();
    let began = Instant::now();
    let back = read(&bytes[..], Path::new("memory")).unwrap().filter(Result::is_ok).count();
    let read_back = began.elapsed();
    assert_eq!(back, facts.len());
    println!("{:.1} bytes a fact", bytes.len() as f64 / back as f64);
    println!("written {:.2} M facts/s", back as f64 / written.as_secs_f64() / 1e6);
    println!("read    {:.2} M facts/s", back as f64 / read_back.as_secs_f64() / 1e6);
}
