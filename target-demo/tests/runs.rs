//! The program as its users run it. It ends with status 1 when the truth disagrees with a header, so
//! that every run here is also a check of that.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::process::{Child, Command, Output, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};
use serde_json::Value;

const SCENARIOS: [&str; 15] = [
    "grow",
    "grow_then_delete",
    "shrink",
    "rebuild",
    "array_bitmap",
    "sliding_window",
    "tombstones",
    "stalled_evacuation",
    "burst",
    "many_small",
    "leak",
    "churn",
    "bad_hash",
    "many_threads",
    "steady",
];

fn demo(line: &str) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_target-demo"));
    command.args(line.split(' ')).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

fn truth_of(output: &Output) -> Result<Value> {
    ensure!(output.status.success(), "{}: {}", output.status, String::from_utf8_lossy(&output.stderr));
    let truth: Value = serde_json::from_slice(&output.stdout)?;
    ensure!(truth["schema"] == "demo.truth/1", "another schema");
    Ok(truth)
}

fn play(line: &str) -> Result<Value> {
    truth_of(&demo(line).output()?).with_context(|| line.to_owned())
}

fn maps(truth: &Value) -> Result<&Vec<Value>> {
    truth["maps"].as_array().context("no maps")
}

/// The sum of a field over all maps; `path` is a JSON pointer.
fn sum(truth: &Value, path: &str) -> Result<u64> {
    let field = |map: &Value| map.pointer(path).and_then(Value::as_u64).with_context(|| format!("no {path}"));
    maps(truth)?.iter().map(field).sum()
}

fn signal(child: &Child, name: &str) -> Result<()> {
    let sent = Command::new("sh").args(["-c", &format!("kill -{name} {}", child.id())]).status()?;
    ensure!(sent.success(), "no such process");
    Ok(())
}

/// Waits for a line on stderr that contains `words`.
fn await_line(child: &mut Child, words: &str) -> Result<()> {
    let stderr = child.stderr.as_mut().context("no stderr")?;
    let mut line = String::new();
    BufReader::new(stderr).read_line(&mut line)?;
    ensure!(line.contains(words) && line.contains(&child.id().to_string()), "{line}");
    Ok(())
}

fn finish(child: Child) -> Result<Output> {
    let began = Instant::now();
    let output = child.wait_with_output()?;
    ensure!(began.elapsed() < Duration::from_secs(10), "it took {:?} to end", began.elapsed());
    Ok(output)
}

#[test]
fn each_scenario_ends_with_a_truth_that_its_headers_confirm() -> Result<()> {
    for scenario in SCENARIOS {
        for size in ["--entries 1", "--entries 2000", "--entries 7001 --maps 3 --rounds 2 --seed 9"] {
            let truth = play(&format!("{scenario} {size}"))?;
            ensure!(truth["scenario"] == scenario, "{scenario}");
            ensure!(sum(&truth, "/events/insert")? > 0, "{scenario} {size}");
            ensure!(sum(&truth, "/events/allocate")? >= maps(&truth)?.len() as u64, "{scenario} {size}");
        }
    }
    Ok(())
}

#[test]
fn the_help_tells_of_each_scenario() -> Result<()> {
    let help = String::from_utf8(demo("--help").output()?.stdout)?;
    for scenario in SCENARIOS {
        ensure!(help.contains(&format!("\n  {scenario} ")), "{scenario}");
    }
    let rows =
        help.lines().skip_while(|line| *line != "Scenarios:").skip(1).take_while(|line| !line.is_empty());
    assert_eq!(rows.count(), SCENARIOS.len(), "a scenario is missing from this test");
    Ok(())
}

#[test]
fn what_cannot_be_played_is_refused_with_status_2_and_a_reason() -> Result<()> {
    for (line, reason) in [
        ("growing", "sliding_window"),
        ("grow --entries none", "--entries"),
        ("burst --entries 3 --maps 4", "--maps 4"),
    ] {
        let output = demo(line).output()?;
        assert_eq!(output.status.code(), Some(2), "{line}");
        let said = String::from_utf8(output.stderr)?;
        ensure!(said.contains(reason), "{line}: {said}");
    }
    Ok(())
}

#[test]
fn the_same_seed_gives_the_same_truth_but_for_addresses_and_times() -> Result<()> {
    let told = |line: &str| -> Result<String> {
        let mut truth = play(line)?;
        for field in ["pid", "elapsed_ns", "cpu_ns"] {
            truth[field] = Value::Null;
        }
        for map in truth["maps"].as_array_mut().context("no maps")? {
            map["address"] = Value::Null;
        }
        Ok(truth.to_string())
    };
    for scenario in SCENARIOS {
        let line = format!("{scenario} --entries 3000 --threads 1 --seed 5");
        assert_eq!(told(&line)?, told(&line)?, "{scenario}");
    }
    assert_ne!(told("grow --entries 3000 --seed 5")?, told("grow --entries 3000 --seed 6")?);
    Ok(())
}

#[test]
fn each_scenario_shows_what_it_is_named_for() -> Result<()> {
    let live_of_capacity =
        |truth: &Value| -> Result<f64> { Ok(sum(truth, "/live")? as f64 / sum(truth, "/capacity")? as f64) };
    ensure!(live_of_capacity(&play("grow_then_delete --entries 20000")?)? < 0.02);
    ensure!(live_of_capacity(&play("rebuild --entries 20000")?)? > 0.3);
    ensure!(live_of_capacity(&play("shrink --entries 20000")?)? > 0.3);
    ensure!(sum(&play("shrink --entries 20000")?, "/growths/shrink")? == 1);
    ensure!(sum(&play("sliding_window --entries 20000")?, "/growths/same_size")? > 0);
    ensure!(sum(&play("tombstones --entries 20000")?, "/tombstones")? > 5_000);
    ensure!(sum(&play("stalled_evacuation --entries 20000")?, "/old_table_bytes")? > 0);
    ensure!(sum(&play("burst --entries 20000 --maps 20")?, "/growths/double")? == 40);
    ensure!(sum(&play("leak --entries 20000")?, "/live")? == 20_000);
    ensure!(sum(&play("array_bitmap --entries 20000")?, "/bytes")? == 0);
    ensure!(sum(&play("bad_hash --entries 20000")?, "/overflow")? > 1_000);
    ensure!(sum(&play("steady --entries 20000")?, "/events/grow")? == 0);
    let churned = play("churn --entries 20000")?;
    ensure!(sum(&churned, "/live")? == 20_000 && sum(&churned, "/events/delete")? == 60_000);
    Ok(())
}

#[test]
fn sigterm_and_sigint_in_the_middle_of_any_scenario_yield_a_whole_truth() -> Result<()> {
    for (number, scenario) in SCENARIOS.into_iter().enumerate() {
        let line = format!("{scenario} --entries 4000000 --rounds 1000 --maps 100 --wait");
        let mut child = demo(&line).stdin(Stdio::piped()).spawn()?;
        await_line(&mut child, "waits")?;
        child.stdin.as_mut().context("no stdin")?.write_all(b"go\n")?;
        sleep(Duration::from_millis(200));
        signal(&child, if number % 2 == 0 { "TERM" } else { "INT" })?;
        let truth = truth_of(&finish(child)?).context(scenario)?;
        ensure!(sum(&truth, "/events/insert")? > 0, "{scenario}");
        ensure!(sum(&truth, "/live")? > 0, "{scenario}: stopped, its maps are still there");
    }
    Ok(())
}

#[test]
fn it_waits_for_a_line_says_so_and_then_plays() -> Result<()> {
    let mut child = demo("grow --entries 100 --wait").stdin(Stdio::piped()).spawn()?;
    await_line(&mut child, "waits")?;
    sleep(Duration::from_millis(100));
    ensure!(child.try_wait()?.is_none(), "it did not wait");
    child.stdin.as_mut().context("no stdin")?.write_all(b"go\n")?;
    assert_eq!(sum(&truth_of(&finish(child)?)?, "/live")?, 100);
    Ok(())
}

#[test]
fn the_end_of_stdin_starts_it_too() -> Result<()> {
    assert_eq!(sum(&play("grow --entries 100 --wait")?, "/live")?, 100);
    Ok(())
}

#[test]
fn a_signal_while_it_waits_ends_it_with_a_truth_of_nothing() -> Result<()> {
    let mut child = demo("grow --wait").stdin(Stdio::piped()).spawn()?;
    await_line(&mut child, "waits")?;
    signal(&child, "TERM")?;
    assert_eq!(sum(&truth_of(&finish(child)?)?, "/events/insert")?, 0);
    Ok(())
}

#[test]
fn it_holds_its_maps_until_it_is_told_to_end() -> Result<()> {
    let mut child = demo("grow --entries 100 --hold 600").spawn()?;
    await_line(&mut child, "holds")?;
    signal(&child, "TERM")?;
    assert_eq!(sum(&truth_of(&finish(child)?)?, "/live")?, 100);
    Ok(())
}

#[test]
fn the_truth_goes_to_a_file_when_asked() -> Result<()> {
    let file = std::env::temp_dir().join(format!("target-demo-truth-{}.json", std::process::id()));
    let output = demo(&format!("grow --entries 100 --truth {}", file.display())).output()?;
    ensure!(output.status.success() && output.stdout.is_empty());
    let mut told = String::new();
    std::fs::File::open(&file)?.read_to_string(&mut told)?;
    std::fs::remove_file(&file)?;
    assert_eq!(sum(&serde_json::from_str(&told)?, "/live")?, 100);
    Ok(())
}

#[test]
fn a_rate_is_kept() -> Result<()> {
    // 200 writes with 16 reads each, and 100 reads at the end.
    let began = Instant::now();
    let truth = play("grow --entries 200 --rate 7000")?;
    assert_eq!(truth["operations"], 3_500);
    ensure!(began.elapsed() >= Duration::from_millis(490), "{:?}", began.elapsed());
    Ok(())
}

#[test]
fn several_threads_share_the_work_of_one_truth() -> Result<()> {
    let truth = play("many_threads --entries 20000 --threads 5 --maps 3")?;
    assert_eq!((sum(&truth, "/live")?, maps(&truth)?.len()), (20_000, 3));
    assert_eq!(truth["operations"], 20_000 * 25);
    Ok(())
}
