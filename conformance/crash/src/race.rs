//! Commands on one id at the same time.

use crate::Context;
use crate::call::run_all;
use crate::outcome::{Check, must};
use crate::sandbox::Sandbox;

/// Rounds of create, start and delete on one id, all at once: each ends well or says why, and nothing stays.
pub fn same_id(context: &Context) -> Check {
    let sandbox = Sandbox::new(&context.runtime, "race")?;
    let create = sandbox.create_words().to_vec();
    let words = |list: &[&str]| list.iter().map(|word| (*word).to_owned()).collect::<Vec<String>>();
    let (start, delete) = (words(&["start", &sandbox.id]), words(&["delete", "--force", &sandbox.id]));
    let (state, exec) = (words(&["state", &sandbox.id]), words(&["exec", &sandbox.id, "true"]));
    for round in 0..40 {
        let mut commands = [&create, &delete, &create, &start, &exec, &delete, &create, &state, &start];
        commands.rotate_left(round % 9);
        for output in run_all(&mut commands.map(|words| sandbox.command(words)))? {
            // 137: the process that exec started was killed by a delete.
            let said = output.stderr.contains("level=error") || output.code == 137;
            must(output.code == 0 || said, format_args!("`{}` ended with {} in silence", output.command, output.code))?;
        }
    }
    sandbox.call(&delete.iter().map(String::as_str).collect::<Vec<_>>())?.succeeded()?;
    sandbox.gone()
}
