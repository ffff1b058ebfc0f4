//! A whole desktop: xrdp, its session manager, an account and an Xorg session of it.
//!
//! All of it lives in a mount and process namespace of its own. The account stands in copies of the
//! system's files that only this namespace sees, and so do the fixed path of the session manager's
//! settings, its sockets and the X server's. When the namespace ends, the kernel ends every process in
//! it, and nothing was ever written to the machine's own files.

use super::place::Place;
use super::process::{Process, command};
use super::xrdp::{SOUND, configure};
use super::{free_port, lacking, listens, need, skip, text_of, wait_until};
use std::os::unix::fs::{MetadataExt, PermissionsExt, chown};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

/// The account, which exists in the namespace only.
pub const USER: &str = "rdpwhy-lab";
/// Its password.
pub const PASSWORD: &str = "Desk-Pass-1";

/// A number that no account of a machine has: above those of people, below `nobody`.
const ID: u32 = 64_731;

/// A running xrdp with its session manager.
pub struct Desktop {
    /// The port it listens on, at 127.0.0.1.
    pub port: u16,
    process: Process,
    scratch: tempfile::TempDir,
}

impl Desktop {
    /// Starts it. A desktop logs off by itself some seconds after it came up.
    pub fn start() -> Option<Self> {
        for program in ["xrdp", "xrdp-sesman", "xterm", "openssl"] {
            need(program)?;
        }
        if !Path::new(XORG_MODULE).is_file() {
            skip("xorgxrdp is not installed");
            return None;
        }
        let unshare = own_namespaces()?;
        let scratch = super::scratch();
        let folder = scratch.path();
        // The account has to reach its home.
        std::fs::set_permissions(folder, PermissionsExt::from_mode(0o711)).unwrap();
        make_account(folder);
        let (port, manager) = (free_port(), free_port());
        configure(folder, SOUND, &Place::at_loopback(port))?;
        std::fs::write(folder.join("sesman.ini"), manager_settings(folder, manager)).unwrap();
        std::fs::write(folder.join("stage.sh"), STAGE).unwrap();
        let mut command = command(&unshare);
        command.args(NAMESPACES).args(["sh", &text_of(&folder.join("stage.sh"))]);
        command.env("STAGE", folder).env("LC_ALL", "C");
        let mut process = Process::start(&mut command, &folder.join("stage.log"));
        let up = || listens(port) && listens(manager);
        let ready = wait_until(Duration::from_secs(30), || up() || !process.runs());
        let mut desktop = Self { port, process, scratch };
        assert!(ready && desktop.process.runs(), "no desktop came up: {}", desktop.log());
        Some(desktop)
    }

    /// Who the desktop's own processes were, told by themselves; nothing when none came up.
    pub fn visitor(&self) -> String {
        let told = std::fs::read_to_string(self.scratch.path().join("home/visitor"));
        told.unwrap_or_default().trim().to_owned()
    }

    /// What was written to the logs of all that runs there.
    pub fn log(&self) -> String {
        let read = |name| std::fs::read(self.scratch.path().join(name)).unwrap_or_default();
        let logs = ["xrdp.log", "sesman.log"].map(read).concat();
        self.process.output() + &String::from_utf8_lossy(&logs)
    }
}

const XORG_MODULE: &str = "/usr/lib/xorg/modules/libxorgxrdp.so";

const NAMESPACES: [&str; 5] = ["--mount", "--pid", "--fork", "--kill-child", "--mount-proc"];

/// Sets the stage up and runs both daemons. The shell is the first process of its namespace: it reaps
/// what the others leave, and its end is theirs.
const STAGE: &str = r#"set -e
for name in passwd group shadow; do mount --bind "$STAGE/$name" "/etc/$name"; done
mount --bind "$STAGE/sesman.ini" /etc/xrdp/sesman.ini
mkdir -p /run/xrdp
mount -t tmpfs -o mode=0755 tmpfs /run/xrdp
mkdir /run/xrdp/sockdir
chown root:xrdp /run/xrdp /run/xrdp/sockdir
chmod 3777 /run/xrdp/sockdir
mount --bind "$STAGE" /mnt
mount -t tmpfs -o mode=1777 tmpfs /tmp
mkdir -p "$STAGE"
mount --move /mnt "$STAGE"
xrdp-sesman -n -c "$STAGE/sesman.ini" &
xrdp -n -c "$STAGE/xrdp.ini" &
wait $!
"#;

/// What the account's session runs: it says who it is, shows a window, and ends.
const SESSION: &str = "#!/bin/sh\nid -un >\"$HOME/visitor\"\nexec xterm -e sleep 3\n";

/// The program `unshare`, where this process may use it; a container's root may not.
fn own_namespaces() -> Option<PathBuf> {
    let unshare = need("unshare")?;
    let mut probe = Command::new(&unshare);
    probe.args(NAMESPACES).args(["sh", "-c", "mount -t tmpfs tmpfs /mnt"]);
    let allowed = probe.output().is_ok_and(|output| output.status.success());
    if !allowed {
        lacking("namespaces of its own need root and CAP_SYS_ADMIN");
        return None;
    }
    Some(unshare)
}

/// Copies of the system's account files with one account more, and its home.
fn make_account(folder: &Path) {
    let hash = Command::new("openssl").args(["passwd", "-6", PASSWORD]).output().unwrap();
    let hash = String::from_utf8(hash.stdout).unwrap();
    let home = folder.join("home");
    for (name, line) in [
        ("passwd", format!("{USER}:x:{ID}:{ID}::{}:/bin/sh\n", text_of(&home))),
        ("group", format!("{USER}:x:{ID}:\n")),
        ("shadow", format!("{USER}:{}:20000:0:99999:7:::\n", hash.trim())),
    ] {
        let system = Path::new("/etc").join(name);
        let text = std::fs::read_to_string(&system).unwrap() + &line;
        let copy = folder.join(name);
        std::fs::write(&copy, text).unwrap();
        let original = std::fs::metadata(&system).unwrap();
        std::fs::set_permissions(&copy, original.permissions()).unwrap();
        chown(&copy, Some(original.uid()), Some(original.gid())).unwrap();
    }
    std::fs::create_dir(&home).unwrap();
    let session = home.join("startwm.sh");
    std::fs::write(&session, SESSION).unwrap();
    std::fs::set_permissions(&session, PermissionsExt::from_mode(0o755)).unwrap();
    for path in [&home, &session] {
        chown(path, Some(ID), Some(ID)).unwrap();
    }
}

/// A whole sesman.ini. Without the abstract socket an X server can not meet one outside.
fn manager_settings(folder: &Path, port: u16) -> String {
    let log = text_of(&folder.join("sesman.log"));
    let parameters = ["/usr/lib/xorg/Xorg", "-config", "xrdp/xorg.conf", "-noreset"];
    let silent = ["-nolisten", "tcp", "-nolisten", "local", "-logfile", ".xorg.%s.log"];
    let parameters = [&parameters[..], &silent].concat();
    let parameters: Vec<String> = parameters.iter().map(|word| format!("param={word}\n")).collect();
    format!(
        "[Globals]\nListenAddress=127.0.0.1\nListenPort={port}\nEnableUserWindowManager=true\n\
         UserWindowManager=startwm.sh\nDefaultWindowManager=startwm.sh\n\
         [Security]\nAllowRootLogin=false\nMaxLoginRetry=1\nAlwaysGroupCheck=false\n\
         [Sessions]\nX11DisplayOffset=10\nMaxSessions=5\n\
         [Logging]\nLogFile={log}\nLogLevel=INFO\nEnableSyslog=false\n\
         [Xorg]\n{}[Chansrv]\nFuseMountName=drives\n\
         [ChansrvLogging]\nLogLevel=INFO\nEnableSyslog=false\n",
        parameters.concat()
    )
}
