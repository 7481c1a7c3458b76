//! Cards of every kind of driver, on hosts made of plain files.

use super::*;
use crate::host::Host;
use crate::host::fake::Tree;
use crate::spec::{Spec, parse};
use rtrun_hooks::annotation::{DeviceName, DeviceRequest};

const AT: &str = "/sys/bus/pci/devices/0000:03:00.0";
const RESOURCE: &str = "0x00000000fe000000 0x00000000fe00004f 0x0000000000040200\n\
                        0x00000000fe001000 0x00000000fe0017ff 0x0000000000040200\n";
const DECODING: &[u8] = &[0xe2, 0x12, 0x13, 0x40, 0x02, 0x00];

/// A bc635 without driver.
fn bare() -> Tree {
    Tree::new()
        .files(&format!(
            "{AT}/vendor = 0x12e2
             {AT}/device = 0x4013
             {AT}/class = 0x088000
             {AT}/resource0 = x
             {AT}/resource1 = x"
        ))
        .file(&format!("{AT}/resource"), RESOURCE)
        .file(&format!("{AT}/config"), DECODING)
}

fn ask(host: &Host, names: &str) -> Result<Grant, Error> {
    ask_as(host, names, &Spec::default())
}

fn ask_as(host: &Host, names: &str, spec: &Spec) -> Result<Grant, Error> {
    let requests: Vec<_> = names.split(',').map(|name| DeviceRequest::parse(name).unwrap()).collect();
    resolve(host, &requests, spec)
}

fn refusal(host: &Host, names: &str) -> String {
    ask(host, names).unwrap_err().to_string()
}

fn leases(grant: &Grant) -> Vec<(&str, bool)> {
    grant.leases.iter().map(|lease| (lease.name.as_str(), lease.shared)).collect()
}

#[test]
fn a_card_without_driver_gives_its_registers_at_a_fixed_place() {
    let tree = bare();
    let grant = ask(&tree.host(), "bc635:0").unwrap();
    let mounts: Vec<_> =
        grant.mounts.iter().map(|mount| (mount.destination.to_str().unwrap(), mount.options[1].as_str())).collect();
    assert_eq!(
        mounts,
        [
            ("/dev/rtrun/bc635/0/resource0", "rw"),
            ("/dev/rtrun/bc635/0/resource1", "rw"),
            ("/dev/rtrun/bc635/0/resource", "ro"),
            ("/dev/rtrun/bc635/0/config", "ro"),
        ]
    );
    assert_eq!(grant.mounts[0].source.as_deref(), Some(std::path::Path::new(&format!("{AT}/resource0"))));
    assert!(grant.devices.is_empty() && grant.rules.is_empty());
    assert_eq!(leases(&grant), [("0000:03:00.0", false)]);
    let grant = ask(&tree.host(), "03:00.0+ro").unwrap();
    assert_eq!(grant.mounts[0].destination.to_str(), Some("/dev/rtrun/pci/0000:03:00.0/resource0"));
    assert_eq!((grant.mounts[0].options[1].as_str(), leases(&grant)), ("ro", vec![("0000:03:00.0", false)]));
    assert_eq!(grant.found[0].pci.as_deref(), Some("0000:03:00.0"));
}

#[test]
fn registers_are_nobody_elses() {
    let error = refusal(&bare().host(), "bc635:0+shared");
    assert!(error.contains("+shared is refused: its time latch is one for the whole card"), "{error}");
    let error = refusal(&bare().host(), "0000:03:00.0+shared");
    assert!(error.contains("time latch"), "by its address too: {error}");
}

#[test]
fn a_card_that_does_not_answer_is_refused() {
    let error = refusal(&bare().file(&format!("{AT}/config"), [0; 64]).host(), "bc635:0");
    assert!(error.contains("memory decoding is off") && error.contains(&format!("echo 1 > {AT}/enable")), "{error}");
}

#[test]
fn who_could_not_open_the_registers_is_told() {
    let text = br#"{"ociVersion":"1.3.0","process":{"cwd":"/","user":{"uid":1000,"gid":1000}}}"#;
    let user = parse(text, "c").unwrap();
    let tree = bare();
    let host = tree.host();
    use std::os::unix::fs::PermissionsExt;
    for file in ["resource0", "resource1"] {
        let file = host.path(format!("{AT}/{file}"));
        std::fs::set_permissions(file, std::fs::Permissions::from_mode(0o600)).unwrap();
    }
    let own = nix::unistd::geteuid().as_raw() == 1000;
    let result = ask_as(&host, "bc635:0", &user);
    assert!(own || result.unwrap_err().to_string().contains("the container's user (uid 1000) could not open it"));
}

#[test]
fn uio_gives_node_maps_or_registers() {
    let uio = || bare().link(&format!("{AT}/driver"), "../../drivers/uio_pci_generic");
    let tree = uio().files(&format!("{AT}/uio/uio0/dev = 245:0\n{AT}/uio/uio0/uevent = DEVNAME=uio0"));
    let Some(tree) = tree.node("/dev/uio0", 245, 0, 0o600) else { return eprintln!("skip: mknod is not allowed here") };
    let grant = ask(&tree.host(), "bc635:0").unwrap();
    assert_eq!(grant.devices[0].path.to_str(), Some("/dev/uio0"));
    assert_eq!((grant.rules[0].major, grant.rules[0].access.as_deref()), (Some(245), Some("rw")));
    assert_eq!(grant.mounts[0].destination.to_str(), Some("/dev/rtrun/bc635/0/resource0"));
    assert_eq!(leases(&grant), [("char 245:0", false), ("0000:03:00.0", false)]);
    let with_maps = tree.files(&format!("{AT}/uio/uio0/maps/map0/size = 0x1000"));
    let grant = ask(&with_maps.host(), "bc635:0").unwrap();
    let places: Vec<_> = grant.mounts.iter().map(|mount| mount.destination.to_str().unwrap()).collect();
    assert_eq!(places[..2], ["/dev/rtrun/bc635/0/maps", "/dev/rtrun/bc635/0/resource0"]);
    let closed = with_maps.file(&format!("{AT}/config"), [0; 64]);
    assert_eq!(ask(&closed.host(), "bc635:0").unwrap().mounts.len(), 1, "the node with its maps is enough");
}

#[test]
fn vfio_gives_the_group_when_all_of_it_is_free() {
    let tree = bare()
        .link(&format!("{AT}/driver"), "../../drivers/vfio-pci")
        .link(&format!("{AT}/iommu_group"), "../../../kernel/iommu_groups/7")
        .files("/sys/kernel/iommu_groups/7/devices/0000:03:00.0/x = 1");
    let made = tree.node("/dev/vfio/7", 511, 7, 0o600).and_then(|tree| tree.node("/dev/vfio/vfio", 10, 196, 0o666));
    let Some(tree) = made else { return eprintln!("skip: mknod is not allowed here") };
    let grant = ask(&tree.host(), "bc635:0").unwrap();
    let paths: Vec<_> = grant.devices.iter().map(|device| device.path.to_str().unwrap()).collect();
    assert_eq!(paths, ["/dev/vfio/7", "/dev/vfio/vfio"]);
    assert_eq!(leases(&grant), [("char 511:7", false), ("0000:03:00.0", false)], "/dev/vfio/vfio is everybody's");
    assert!(refusal(&tree.host(), "bc635:0+ro").contains("+ro is not possible"));
    assert!(refusal(&tree.host(), "bc635:0+shared").contains("lets one process open a VFIO group"));
    let other = "/sys/bus/pci/devices/0000:03:00.1";
    let tree = tree
        .files(&format!("{other}/vendor = 0x1\n{other}/device = 0x2\n{other}/class = 0x020000"))
        .link(&format!("{other}/driver"), "../../drivers/e1000e")
        .files("/sys/kernel/iommu_groups/7/devices/0000:03:00.1/x = 1");
    let error = refusal(&tree.host(), "bc635:0");
    assert!(error.contains("0000:03:00.1 of the same IOMMU group 7 is driven by e1000e"), "{error}");
}

#[test]
fn nodes_of_old_drivers_are_counted_out_to_cards() {
    let tree = bare().link(&format!("{AT}/driver"), "../../drivers/tfp");
    let error = refusal(&tree.host(), "bc635:0");
    assert!(
        error.contains("its driver tfp has made no device node") && error.contains("pci = [\"12e2:4013\"]"),
        "{error}"
    );
    let made = tree.node("/dev/tfp0", 240, 0, 0o600).and_then(|tree| tree.node("/dev/btfp1", 241, 1, 0o600));
    let Some(tree) = made else { return eprintln!("skip: mknod is not allowed here") };
    let families = Families::load(&tree.host()).unwrap();
    let found = all_cards(&tree.host(), &families).unwrap();
    let lines: Vec<_> = found.iter().map(|card| (card.name(), card.pci.is_some())).collect();
    assert_eq!(lines, [("bc635:0".to_owned(), true), ("bc635:1".to_owned(), false)]);
    assert!(refusal(&tree.host(), "bc635:1+shared").contains("time latch"), "tfp maps the registers");
    assert_eq!(leases(&ask(&tree.host(), "bc635:0+shared").unwrap()), [("char 241:1", true), ("0000:03:00.0", true)]);
    assert!(refusal(&tree.host(), "bc635:7").contains("this host has bc635:0 to bc635:1"));
}

#[test]
fn a_node_by_path_and_its_card_exclude_each_other() {
    let made = bare().node("/dev/windrvr1260", 242, 0, 0o600);
    let Some(tree) = made else { return eprintln!("skip: mknod is not allowed here") };
    let tree = tree
        .files("/sys/devices/pci0000:00/0000:03:00.0/misc/windrvr1260/dev = 242:0")
        .link("/sys/dev/char/242:0", "../../devices/pci0000:00/0000:03:00.0/misc/windrvr1260");
    let grant = ask(&tree.host(), "/dev/windrvr1260").unwrap();
    assert_eq!(leases(&grant), [("char 242:0", false), ("0000:03:00.0", true)]);
    assert!(grant.warnings[0].contains("makes the container root on the host"), "{:?}", grant.warnings);
    assert!(ask(&tree.host(), "bc635:0").unwrap().warnings.is_empty(), "never unless it is named");
    let name = DeviceName::parse("/dev/windrvr1260").unwrap();
    assert_eq!(pci_device(&tree.host(), &name).unwrap().unwrap().address, "0000:03:00.0");
}

#[test]
fn what_is_not_there_is_named() {
    let host = Tree::new();
    let host = host.host();
    for (name, part) in [
        ("bc635:0", "no bc635 card (looked for PCI ids: 12e2:4013; nodes: /dev/btfp*"),
        ("mil1553:0", "PCI ids: none"),
        ("bc653:0", "did you mean \"bc635\"?"),
        ("01:00.0", "device 0000:01:00.0: no PCI device has this address"),
        ("vendor.com/class=x", "no CDI specification in /etc/cdi or /var/run/cdi"),
        ("/dev/nothing", "no /dev/nothing here"),
    ] {
        let error = refusal(&host, name);
        assert!(error.contains(part), "{error}");
    }
}

const CDI: &str = r#"{"cdiVersion":"0.6.0","kind":"vendor.com/net","containerEdits":{"env":["ALL=1"]},"devices":[
    {"name":"a","containerEdits":{
        "deviceNodes":[{"path":"/dev/in","hostPath":"/dev/out","type":"c","major":7,"minor":8,"permissions":"rw"}],
        "mounts":[{"hostPath":"/lib/v","containerPath":"/lib/v","options":["ro","nosuid"]}],
        "hooks":[{"hookName":"createContainer","path":"/bin/h","args":["h","x"]}],
        "additionalGids":[0,44]}}]}"#;

#[test]
fn cdi_edits_are_applied() {
    let tree = Tree::new().file("/etc/cdi/v.json", CDI);
    let grant = ask(&tree.host(), "vendor.com/net=a").unwrap();
    assert_eq!(grant.env, ["ALL=1"]);
    assert_eq!((grant.devices[0].path.to_str(), grant.devices[0].minor), (Some("/dev/in"), 8));
    assert_eq!(grant.rules[0].access.as_deref(), Some("rw"));
    assert_eq!(grant.mounts[0].options, ["ro", "nosuid", "bind"]);
    assert_eq!((grant.hooks.create_container[0].args.len(), grant.groups.as_slice()), (2, &[44][..]));
    assert_eq!(leases(&grant), [("char 7:8", false), ("vendor.com/net=a", false)]);
    let error = refusal(&tree.host(), "vendor.com/net=b");
    assert!(error.contains("did you mean vendor.com/net=a?"), "{error}");
}

#[test]
fn yaml_counts_as_well_and_run_counts_more_than_etc() {
    let yaml =
        "cdiVersion: \"0.5.0\"\nkind: vendor.com/net\ndevices:\n- name: a\n  containerEdits:\n    env: [\"Y=1\"]\n";
    let tree = Tree::new().file("/etc/cdi/v.json", CDI).file("/var/run/cdi/v.yaml", yaml);
    assert_eq!(ask(&tree.host(), "vendor.com/net=a").unwrap().env, ["Y=1"]);
    let twice = tree.file("/var/run/cdi/w.json", CDI);
    assert!(refusal(&twice.host(), "vendor.com/net=a").contains("/var/run/cdi/v.yaml and /var/run/cdi/w.json"));
}

#[test]
fn broken_cdi_files_are_named_where_they_matter() {
    let broken = CDI.replace("\"permissions\"", "\"permission\"");
    let tree = Tree::new().file("/etc/cdi/v.json", &broken).file("/etc/cdi/w.json", CDI.replace("vendor.com", "w.com"));
    let error = refusal(&tree.host(), "vendor.com/net=a");
    assert!(error.contains("/etc/cdi/v.json: unknown field `permission`"), "{error}");
    assert!(ask(&tree.host(), "w.com/net=a").is_ok(), "another vendor's mistake is not ours");
    let newer = Tree::new().file("/etc/cdi/v.json", CDI.replace("0.6.0", "2.0.0"));
    assert!(refusal(&newer.host(), "vendor.com/net=a").contains("versions up to 1.1 are understood"));
    let hook = Tree::new().file("/etc/cdi/v.json", CDI.replace("createContainer", "createContainers"));
    assert!(refusal(&hook.host(), "vendor.com/net=a").contains("did you mean \"createContainer\"?"));
}

#[test]
fn this_machines_pci_devices_are_told_apart() {
    let host = Host::default();
    for device in crate::host::pci::devices(&host).unwrap() {
        match ask(&host, &device.address) {
            Ok(grant) => assert!(!grant.found[0].given.is_empty(), "{}", device.address),
            Err(error) => assert!(error.to_string().contains(&device.address), "{error}"),
        }
    }
}

#[test]
fn cards_are_described_for_other_runtimes_and_read_back() {
    let Some(tree) = bare().node("/dev/mil1553a", 1, 3, 0o666) else {
        return eprintln!("skip: mknod is not allowed here");
    };
    let host = tree.host();
    let (specs, problems) = cdi::describe(&host).unwrap();
    assert!(problems.is_empty(), "{problems:?}");
    let directory = host.path("/etc/cdi");
    std::fs::create_dir_all(&directory).unwrap();
    std::fs::write(directory.join("rtrun.org-old.json"), "{}").unwrap();
    std::fs::write(directory.join("vendor.com-x.json"), "{}").unwrap();
    let written = cdi::write(&directory, &specs).unwrap();
    let names: Vec<_> = written.iter().map(|path| path.file_name().unwrap().to_str().unwrap()).collect();
    assert_eq!(names, ["rtrun.org-bc635.json", "rtrun.org-mil1553.json"]);
    assert_eq!(
        std::fs::read_dir(&directory).unwrap().count(),
        3,
        "a stale one of ours is gone, another vendor's stays"
    );
    let direct = ask(&host, "bc635:0").unwrap();
    let through = ask(&host, "rtrun.org/bc635=0").unwrap();
    let places = |grant: &Grant| grant.mounts.iter().map(|mount| mount.destination.clone()).collect::<Vec<_>>();
    assert_eq!(places(&direct), places(&through));
    let node = ask(&host, "rtrun.org/mil1553=0").unwrap();
    assert_eq!((node.devices[0].major, node.devices[0].minor), (1, 3));
}
