//! Two hundred that want the same card at once.

#![allow(clippy::unwrap_used, reason = "a helper that fails fails its test")]

mod common;

use common::FakeHost;
use rtrun_hooks::ledger::{Claim, Error, Mode};
use std::collections::BTreeSet;

#[test]
fn of_two_hundred_one_gets_the_lease_and_the_others_are_told_who() {
    let host = FakeHost::new(2, 0);
    let owners: Vec<_> = (0..200).map(|n| host.process(&format!("c{n}"), 100 + n)).collect();
    let claim = [Claim::Device { name: "bc635:0".into(), mode: Mode::Exclusive }];
    let results: Vec<_> = std::thread::scope(|scope| {
        let (host, claim) = (&host, &claim);
        let book = |owner| scope.spawn(move || host.ledger().book(owner, claim));
        owners.iter().map(book).collect::<Vec<_>>().into_iter().map(|thread| thread.join().unwrap()).collect()
    });
    let winners: Vec<_> = results.iter().zip(&owners).filter(|(result, _)| result.is_ok()).collect();
    let named: BTreeSet<String> = results
        .iter()
        .filter_map(|result| match result {
            Err(Error::Held { holder, .. }) => Some(holder.clone()),
            Err(other) => panic!("{other}"),
            Ok(_) => None,
        })
        .collect();
    assert_eq!(winners.len(), 1);
    assert_eq!(named, BTreeSet::from([winners[0].1.id.clone()]));

    // It ends, and the next may have it.
    host.end(winners[0].1);
    let next = owners.iter().find(|owner| *owner != winners[0].1).unwrap();
    host.ledger().book(next, &claim).unwrap();
}
