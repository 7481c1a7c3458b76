//! Options written down again, for unit files and the like.

use super::{LaunchOptions, Network, Restart};

/// The words that give these options.
pub fn words(options: &LaunchOptions) -> Vec<String> {
    let mut words = vec![format!("--app={}", options.app.display())];
    let mut put = |name: &str, value: Option<String>| words.extend(value.map(|value| format!("--{name}={value}")));
    put("entry", options.entry.as_ref().map(|entry| entry.display().to_string()));
    put("params", Some(options.params.clone()).filter(|params| !params.is_empty()));
    put("name", options.name.clone());
    put("cpus", options.cpus.clone());
    put("mem", options.mem.map(|bytes| format!("{bytes}B")));
    put("sched", options.sched.map(|policy| policy.to_string()));
    put("prio", options.prio.map(|priority| priority.to_string()));
    put("deadline", options.deadline.map(|triple| triple.to_string()));
    put("net", Some(network(&options.net)));
    put("clock", options.clock.clone());
    put("irq", options.irq.clone());
    put("restart", Some(restart(options.restart)));
    put("runtime", options.runtime.as_ref().map(|path| path.display().to_string()));
    options.env.iter().for_each(|value| put("env", Some(value.clone())));
    options.device.iter().for_each(|value| put("device", Some(value.clone())));
    options.annotation.iter().for_each(|value| put("annotation", Some(value.clone())));
    words.extend(
        [(options.mlock, "--mlock"), (options.rm, "--rm")]
            .into_iter()
            .filter(|(set, _)| *set)
            .map(|(_, word)| word.to_owned()),
    );
    words
}

fn network(network: &Network) -> String {
    match network {
        Network::Host => "host".to_owned(),
        Network::None => "none".to_owned(),
        Network::Namespace(name) => format!("ns:{name}"),
        Network::Bridge { bridge, address, gateway } => {
            let gateway = gateway.as_ref().map(|gateway| format!(",{gateway}")).unwrap_or_default();
            format!("bridge:{bridge},{address}{gateway}")
        }
    }
}

fn restart(restart: Restart) -> String {
    match restart {
        Restart::No => "no".to_owned(),
        Restart::Always => "always".to_owned(),
        Restart::OnFailure(None) => "on-failure".to_owned(),
        Restart::OnFailure(Some(most)) => format!("on-failure:{most}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::Parser;

    #[derive(Debug, Parser)]
    #[command(no_binary_name = true)]
    struct Line {
        #[command(flatten)]
        options: LaunchOptions,
    }

    #[test]
    fn options_survive_being_written_down() {
        let line = "--app=/x|--entry=bin/y|--params=a=1|--name=n|--cpus=0-1|--mem=64m|--deadline=2ms/5ms/10ms|--net=bridge:b,10.0.0.2/8,10.0.0.1|\
                    --clock=locked:chrony|--irq=housekeeping|--restart=on-failure:3|--env=A=b c|--env=D|--device=bc635:0+shared|--annotation=k=v|--mlock|--rm";
        let first = Line::parse_from(line.split('|')).options;
        let second = Line::parse_from(words(&first)).options;
        assert_eq!(serde_json::to_value(first).unwrap(), serde_json::to_value(second).unwrap());
    }
}
