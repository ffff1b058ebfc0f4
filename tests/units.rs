//! The units of the service under a real systemd, in a container of its own that `systemd-nspawn` boots: its root is
//! in memory, its network has nothing but a loopback.

use crate::support::json::{at, text};
use crate::support::{lacking, need, scratch, skip, text_of};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// Boots to this unit alone; the machine's own units have nothing to do there.
const PROBE: &str = "\
[Unit]
Wants=rdpwhy.socket
After=rdpwhy.socket basic.target
[Service]
Type=oneshot
ExecStart=/usr/bin/python3 /probe/units.py /probe/seen.json
ExecStopPost=/usr/bin/systemctl poweroff --force
StandardError=file:/probe/log
TimeoutStartSec=240
";

#[test]
fn systemd_runs_the_service_as_its_units_say() {
    let (Some(_), Some(_)) = (need("systemctl"), need("python3")) else { return };
    let Some(nspawn) = need("systemd-nspawn") else { return };
    if !is_root() {
        return skip("only root boots a container");
    }
    let folder = scratch();
    let name = format!("rdpwhy-units-{}", std::process::id());
    let container = || {
        let mut command = Command::new(&nspawn);
        command.args(["-D", "/", "--volatile=yes", "--register=no", "--keep-unit"]);
        command.args(["--private-network", "-M", &name]);
        command.stdin(Stdio::null());
        command
    };
    let tried = container().arg("/bin/true").output().unwrap();
    if !tried.status.success() {
        let why = String::from_utf8_lossy(&tried.stderr).into_owned();
        return lacking(&format!("this machine makes no container: {}", why.trim()));
    }
    let booted = container()
        .args(binds(folder.path()))
        .args(["--boot", "systemd.unit=probe.service", "systemd.firstboot=no"])
        .args(["systemd.mask=systemd-firstboot.service", "systemd.mask=nftables.service"])
        .output()
        .unwrap();
    let console = [&booted.stdout[..], &booted.stderr].concat();
    let log = std::fs::read_to_string(folder.path().join("log")).unwrap_or_default();
    let console = format!("{}\n{log}", String::from_utf8_lossy(&console));
    let seen = std::fs::read_to_string(folder.path().join("seen.json"));
    let seen = serde_json::from_str(&seen.unwrap_or_else(|error| panic!("{error}: {console}")));
    let seen: serde_json::Value = seen.unwrap();
    assert_eq!(seen.get("error"), None, "{seen:#}\n{console}");

    assert_eq!(text(&seen, "/before anybody came"), "inactive", "the socket starts it");
    assert_eq!(text(&seen, "/after somebody came"), "active");
    assert_eq!(at(&seen, "/first answer"), 3);
    let right = |name: &str| text(&seen, &format!("/rights/{name}"));
    assert_eq!([right("CapEff"), right("CapBnd")], ["0000000000000000", "0000000000000000"]);
    assert_eq!([right("NoNewPrivs"), right("Seccomp")], ["1", "2"]);
    let dynamic: u32 = right("Uid").split_whitespace().next().unwrap().parse().unwrap();
    assert!((61184..=65519).contains(&dynamic), "{dynamic} is no dynamic user of systemd");
    assert_eq!(at(&seen, "/reloaded"), true);
    assert_eq!(at(&seen, "/restarted"), true);
    let answers = at(&seen, "/answers during a restart").as_array().unwrap();
    assert!(answers.len() >= 2 && answers.iter().all(|code| *code == 5), "{answers:?}");
    // Failures of sessions are results, and the service has done its work.
    assert_eq!(at(&seen, "/exit status"), 4, "{seen:#}");
    assert_eq!(text(&seen, "/result"), "success");
    let journal = text(&seen, "/journal");
    assert!(journal.contains("ssl-cert-not-on-server (certain)"), "{journal}");
    let kept: Vec<&str> =
        at(&seen, "/kept").as_array().unwrap().iter().filter_map(|file| file.as_str()).collect();
    assert!(kept.contains(&"600 case.pcapng"), "{kept:?}");
    assert!(kept.iter().any(|file| file.starts_with("600 rdpwhy/")), "its secret: {kept:?}");
}

/// The folder of the test, with the program in it, and the units where systemd looks for them.
fn binds(folder: &Path) -> Vec<String> {
    let below = |path: &str| Path::new(env!("CARGO_MANIFEST_DIR")).join(path);
    let put = |name: &str, text: &str| -> PathBuf {
        let path = folder.join(name);
        std::fs::write(&path, text).unwrap();
        path
    };
    std::fs::copy(env!("CARGO_BIN_EXE_rdpwhy"), folder.join("rdpwhy")).unwrap();
    std::fs::copy(below("tests/support/units.py"), folder.join("units.py")).unwrap();
    std::fs::create_dir(folder.join("etc")).unwrap();
    let service = std::fs::read_to_string(below("proxy/systemd/rdpwhy.service")).unwrap();
    // The container's /usr is the machine's, and nothing can be put there.
    let service = put("rdpwhy.service", &service.replace("/usr/local/bin/", "/probe/"));
    let units = [
        ("rdpwhy.service", service),
        ("rdpwhy.socket", below("proxy/systemd/rdpwhy.socket")),
        ("probe.service", put("probe.service", PROBE)),
    ];
    let bind = |unit: (&str, PathBuf)| {
        format!("--bind-ro={}:/etc/systemd/system/{}", text_of(&unit.1), unit.0)
    };
    let folder = text_of(folder);
    let shared = [format!("--bind={folder}:/probe"), format!("--bind={folder}/etc:/etc/rdpwhy")];
    shared.into_iter().chain(units.map(bind)).collect()
}

fn is_root() -> bool {
    std::fs::metadata("/proc/self").is_ok_and(|own| std::os::unix::fs::MetadataExt::uid(&own) == 0)
}
