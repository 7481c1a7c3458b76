//! Devices that a container asks for.

use super::{Check, Context, Outcome, check, fail, ok};
use crate::device::resolve;
use crate::host::Error;
use crate::spec::Spec;

pub(super) const CHECKS: &[Check] =
    &[check("devices", devices, "a container that asks for a card which can't be given is not started")];

fn devices(context: &Context) -> Result<Option<Outcome>, Error> {
    let requests = &context.wanted.annotations.devices;
    if requests.is_empty() {
        return Ok(None);
    }
    Ok(Some(match resolve(context.host, requests, &Spec::default()) {
        Err(error) => fail(error.to_string(), "`rtrun devices --all` lists what there is"),
        Ok(grant) => {
            let found = grant.found.iter().map(|found| format!("{}: {}", found.asked, found.given.join(" ")));
            ok(found.collect::<Vec<_>>().join("; "))
        }
    }))
}
