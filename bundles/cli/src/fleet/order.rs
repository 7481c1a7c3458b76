//! Each agent after those that it names.

use super::Member;

/// The members, reordered; those that are free keep the file's order.
///
/// # Errors
/// A name that no member has, or members that wait for each other.
pub fn ordered(mut waiting: Vec<Member>) -> Result<Vec<Member>, String> {
    for member in &waiting {
        if let Some(missing) = member.after.iter().find(|name| !waiting.iter().any(|other| other.name == **name)) {
            return Err(format!("{} comes after {missing}, and no agent is named so", member.name));
        }
    }
    let mut ordered: Vec<Member> = Vec::new();
    while !waiting.is_empty() {
        let free = |member: &Member| member.after.iter().all(|name| ordered.iter().any(|done| done.name == *name));
        match waiting.iter().position(free) {
            Some(next) => ordered.push(waiting.remove(next)),
            None if waiting.len() == 1 => return Err(format!("{} waits for itself", waiting[0].name)),
            None => {
                let names: Vec<&str> = waiting.iter().map(|member| member.name.as_str()).collect();
                return Err(format!("{} wait for each other", names.join(", ")));
            }
        }
    }
    Ok(ordered)
}
