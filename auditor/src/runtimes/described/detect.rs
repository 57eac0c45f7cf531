//! Is a described map in this file: by its path, its build id and the symbols that it has or lacks.

use super::profile::{Profile, Target};
use crate::runtimes::Unusable;
use crate::target::module::Module;

/// What it is recognised by. `None`: this is no such file, or of another version. An error: it is such a file,
/// and cannot be looked into.
pub(super) fn recognise(profile: &Profile, module: &Module) -> Option<Result<String, Unusable>> {
    let target = &profile.target;
    if !target.file.is_match(&module.path().to_string_lossy()) {
        return None;
    }
    let build_id = module.elf().ok()?.build_id().unwrap_or_default();
    if !target.build_ids.is_empty() && !target.build_ids.iter().any(|known| known == build_id) {
        return None;
    }
    let has = |name: &String| !module.functions_like(name).is_empty() || module.object(name).is_some();
    if target.absent.iter().any(has) {
        return None;
    }
    let missing: Vec<&str> = target.symbols.iter().filter(|name| !has(name)).map(String::as_str).collect();
    if !missing.is_empty() {
        return lacks(target, module, &missing);
    }
    let by = if target.symbols.is_empty() { "its path".to_owned() } else { target.symbols.join(", ") };
    Some(Ok(format!("{by} in {}", module.path().display())))
}

/// A file without any of the symbols may be one that is stripped, if the profile says what would give them; one
/// that has some is of another version.
fn lacks(target: &Target, module: &Module, missing: &[&str]) -> Option<Result<String, Unusable>> {
    let help = target.help.as_ref().filter(|_| missing.len() == target.symbols.len())?;
    let path = module.path().display();
    let why = format!("{path} does not say where {} is; {help}", missing.join(", "));
    Some(Err(Unusable { why, is_stripped: true }))
}
