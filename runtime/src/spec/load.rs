use super::{Process, Resources, Spec};
use nix::errno::Errno;
use serde::de::DeserializeOwned;
use std::path::{Path, PathBuf};

/// Why a configuration was refused.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The file can't be read.
    #[error("reading {path}: {errno}")]
    Read {
        /// Which file.
        path: PathBuf,
        /// What the kernel said.
        errno: Errno,
    },
    /// The text is not JSON.
    #[error("{origin}: broken JSON at line {line} column {column}: {message}")]
    Syntax {
        /// Which file or stream.
        origin: String,
        /// Line, from 1.
        line: usize,
        /// Column, from 1.
        column: usize,
        /// What the parser expected.
        message: String,
    },
    /// A value has another type than the specification gives it.
    #[error("{origin}: {field}: {message} (line {line} column {column})")]
    Type {
        /// Which file or stream.
        origin: String,
        /// Path of the field, `linux.namespaces[2].type`.
        field: String,
        /// What was found and what was expected.
        message: String,
        /// Line, from 1.
        line: usize,
        /// Column, from 1.
        column: usize,
    },
}

/// Reads the bundle's `config.json`, or `config` in its place.
///
/// # Errors
/// [`Error`], with line and column, and the field's path where a type is wrong.
pub fn load(bundle: &Path, config: Option<&Path>) -> Result<Spec, Error> {
    let path = config.map_or_else(|| bundle.join("config.json"), Path::to_path_buf);
    parse(&read(&path)?, &path.display().to_string())
}

/// Reads the process document of `exec --process`.
///
/// # Errors
/// As [`load`].
pub fn load_process(path: &Path) -> Result<Process, Error> {
    parse_process(&read(path)?, &path.display().to_string())
}

/// Parses a `config.json`; `origin` names it in errors.
///
/// # Errors
/// As [`load`].
pub fn parse(text: &[u8], origin: &str) -> Result<Spec, Error> {
    typed(text, origin)
}

/// Parses a process document.
///
/// # Errors
/// As [`load`].
pub fn parse_process(text: &[u8], origin: &str) -> Result<Process, Error> {
    typed(text, origin)
}

/// Parses the resources document of `update --resources`.
///
/// # Errors
/// As [`load`].
pub fn parse_resources(text: &[u8], origin: &str) -> Result<Resources, Error> {
    typed(text, origin)
}

/// The text of a configuration, of any kind.
///
/// # Errors
/// [`Error::Read`].
pub fn read(path: &Path) -> Result<Vec<u8>, Error> {
    std::fs::read(path).map_err(|error| Error::Read { path: path.to_path_buf(), errno: crate::sys::errno(error) })
}

/// The good case costs one plain parse; only a refused text is parsed again to find the field's path.
fn typed<T: DeserializeOwned>(text: &[u8], origin: &str) -> Result<T, Error> {
    serde_json::from_slice(text).map_err(|plain| {
        let mut json = serde_json::Deserializer::from_slice(text);
        let tracked = serde_path_to_error::deserialize::<_, T>(&mut json);
        let field = tracked.err().map(|error| error.path().to_string()).unwrap_or_default();
        describe(&plain, field, origin)
    })
}

fn describe(error: &serde_json::Error, field: String, origin: &str) -> Error {
    let (line, column, origin) = (error.line(), error.column(), origin.to_owned());
    let text = error.to_string();
    let message = text.rsplit_once(" at line ").map_or(text.as_str(), |(message, _)| message).to_owned();
    if error.is_data() {
        Error::Type { origin, field, message, line, column }
    } else {
        Error::Syntax { origin, line, column, message }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn broken_json_names_line_and_column() {
        let error = parse(b"{\n \"ociVersion\": \"1.0.2\",\n oops}", "config.json").unwrap_err().to_string();
        assert!(error.starts_with("config.json: broken JSON at line 3 column "), "{error}");
    }

    #[test]
    fn wrong_type_names_the_field() {
        let text = br#"{"ociVersion":"1.0.2","linux":{"namespaces":[{"type":"pid"},{"type":"netwrk"}]}}"#;
        let error = parse(text, "config.json").unwrap_err().to_string();
        assert!(error.contains("linux.namespaces[1].type: unknown variant `netwrk`"), "{error}");
    }

    #[test]
    fn null_lists_are_empty() {
        let spec =
            parse(br#"{"ociVersion":"1.3.0","mounts":null,"process":{"args":null,"cwd":"/"},"linux":null}"#, "c");
        assert!(spec.unwrap().process.unwrap().args.is_empty());
    }
}
