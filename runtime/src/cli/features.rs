use super::{Command, Error, Globals, print};

/// Print what this build implements, as the specification's features document
#[derive(clap::Parser)]
pub(super) struct Features {}

impl Command for Features {
    fn run(self, _: &Globals) -> Result<u8, Error> {
        print(&format!("{}\n", serde_json::to_string_pretty(&crate::spec::features())?))
    }
}
