//! The state directory: nobody else's to read or write, and no id leads out of it.

use crate::Context;
use crate::call::run;
use crate::leftovers;
use crate::outcome::{Check, must};
use crate::sandbox::{CGROUPS, Sandbox};
use std::fs;
use std::os::unix::fs::{FileTypeExt, PermissionsExt};
use std::os::unix::process::CommandExt;
use std::path::Path;

/// Ids that are paths, or no names at all.
pub fn illegal_ids(context: &Context) -> Check {
    let sandbox = Sandbox::new(&context.runtime, "ids")?;
    let outside = sandbox.dir.join("victim");
    fs::create_dir(&outside)?;
    fs::write(outside.join("state.json"), "{}")?;
    fs::create_dir(&sandbox.root)?;
    let long = "x".repeat(2000);
    let bundle = sandbox.dir.display().to_string();
    let absolute = outside.display().to_string();
    for id in ["", ".", "..", "../victim", "a/b", "a/../../victim", &absolute, "a b", "a\nb", "ä", &long] {
        for words in [
            &["create", "--bundle", &bundle, "--", id][..],
            &["run", "--bundle", &bundle, "--", id],
            &["start", "--", id],
            &["kill", "--", id, "KILL"],
            &["delete", "--force", "--", id],
            &["exec", "--", id, "true"],
            &["state", "--", id],
        ] {
            let output = sandbox.call(words)?;
            let forced = words[0] == "delete" && output.code == 0;
            // Deleting by force what can't be there is no error to most callers; doing something would be.
            must(output.code != 0 || forced, format_args!("`{}` went well", output.command))?;
            let panicked = output.code >= 128 || output.stderr.contains("panicked");
            must(!panicked, format_args!("`{}`: {}", output.command, output.stderr.trim()))?;
            must(outside.join("state.json").exists(), format_args!("`{}` reached outside of --root", output.command))?;
        }
    }
    sandbox.gone()
}

/// Under umask 0 nothing that the runtime makes is writable, nor the state readable, for others.
pub fn permissions(context: &Context) -> Check {
    let mut sandbox = Sandbox::new(&context.runtime, "modes")?;
    let target = serde_json::json!({"destination": "/new/deep", "type": "tmpfs", "source": "t"});
    sandbox.config["mounts"].as_array_mut().into_iter().for_each(|mounts| mounts.push(target.clone()));
    sandbox.config["process"]["cwd"] = serde_json::json!("/made/cwd");
    sandbox.write()?;
    let before = |path: &Path| path.ends_with("bin") || path.ends_with("tmp");
    let mut command = sandbox.command(&sandbox.create_words());
    let no_mask = || {
        nix::sys::stat::umask(nix::sys::stat::Mode::empty());
        Ok(())
    };
    // SAFETY: one system call, which is async-signal-safe.
    unsafe { command.pre_exec(no_mask) };
    run(&mut command)?.succeeded()?;
    must(mode(&sandbox.root)? == 0o700, format_args!("{:o} on --root", mode(&sandbox.root)?))?;
    each(&sandbox.root, &mut |path, mode, is_directory| {
        let private = if is_directory { mode == 0o700 } else { mode & 0o077 == 0 };
        must(private, format_args!("{mode:o} on {}", path.display()))
    })?;
    let shut = |path: &Path, mode: u32, _| {
        must(mode & 0o002 == 0 || before(path), format_args!("{mode:o} on {}", path.display()))
    };
    each(&sandbox.dir.join("rootfs"), &mut |path, mode, directory| shut(path, mode, directory))?;
    for mountpoint in leftovers::hierarchies() {
        let group = mountpoint.join(CGROUPS).join(&sandbox.id);
        if group.exists() {
            shut(&group, mode(&group)?, true)?;
            each(&group, &mut |path, mode, directory| {
                // The kernel lets everybody write there what concerns himself alone.
                if path.ends_with("cgroup.event_control") { Ok(()) } else { shut(path, mode, directory) }
            })?;
        }
    }
    sandbox.call(&["delete", "--force", &sandbox.id])?.succeeded()?;
    sandbox.gone()
}

fn mode(path: &Path) -> Check<u32> {
    Ok(fs::symlink_metadata(path)?.permissions().mode() & 0o7777)
}

/// Every file below a directory, links left out.
fn each(directory: &Path, look: &mut dyn FnMut(&Path, u32, bool) -> Check) -> Check {
    for entry in fs::read_dir(directory)? {
        let path = entry?.path();
        let kind = fs::symlink_metadata(&path)?.file_type();
        if kind.is_symlink() {
            continue;
        }
        // A socket's mode counts as a file's.
        look(&path, mode(&path)?, kind.is_dir() && !kind.is_socket())?;
        if kind.is_dir() {
            each(&path, look)?;
        }
    }
    Ok(())
}
