/// Why a container's annotations can't be obeyed; nothing has been done then. Boxed texts keep each command's `Result` small.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub enum Error {
    /// A key of ours that does not exist.
    #[error("annotations: unknown key {key:?}; did you mean {nearest:?}? `rtrun annotations` lists them all")]
    Unknown {
        /// As it was given.
        key: Box<str>,
        /// The nearest that exists.
        nearest: Box<str>,
    },
    /// A value that its key does not take.
    #[error("annotations: {key}: {value:?}: {problem}; legal are {legal}, as in {example}")]
    Value {
        /// As it was given.
        key: Box<str>,
        /// As it was given.
        value: Box<str>,
        /// What is wrong with it.
        problem: Box<str>,
        /// What the key takes.
        legal: &'static str,
        /// A value that it takes.
        example: &'static str,
    },
    /// Two values that can't both hold.
    #[error("annotations: {key}={value:?} contradicts {other}={other_value:?}: {why}")]
    Contradiction {
        /// As it was given.
        key: Box<str>,
        /// As it was given.
        value: Box<str>,
        /// The other's key.
        other: Box<str>,
        /// The other's value.
        other_value: Box<str>,
        /// Why they exclude each other.
        why: &'static str,
    },
    /// A key that needs another.
    #[error("annotations: {key}={value:?} needs {needed}: {why}")]
    Alone {
        /// As it was given.
        key: Box<str>,
        /// As it was given.
        value: Box<str>,
        /// What is missing.
        needed: &'static str,
        /// Why.
        why: &'static str,
    },
}
