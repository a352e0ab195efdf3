//! The sandbox on a thread of its own, which is all that it holds: what can still be done there, and what not.
//!
//! Another user and the whole of it take root; without, those tests say that they were skipped.

use std::fs::{self, File, OpenOptions};
use std::io::{ErrorKind, Write as _};
use std::net::{TcpListener, TcpStream, UdpSocket};
use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::net::{UnixDatagram, UnixStream};
use std::path::Path;
use std::process::Command;

use rustix::net::{AddressFamily, SocketType, socket};

use super::*;

/// Runs a closure on a thread that closes the sandbox first.
fn inside<T: Send>(plan: Plan, tries: impl FnOnce(Standing) -> T + Send) -> T {
    let work = move || tries(close(plan).unwrap());
    std::thread::scope(|scope| scope.spawn(work).join().unwrap())
}

fn plan(files: Files, calls: Calls) -> Plan {
    let user = is_root().then(|| User::named("nobody").unwrap());
    Plan { user, files, calls }
}

/// A folder that anybody may enter.
fn folder() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o777)).unwrap();
    folder
}

fn denied<T>(outcome: std::io::Result<T>) -> bool {
    outcome.is_err_and(|error| error.kind() == ErrorKind::PermissionDenied)
}

fn status() -> String {
    fs::read_to_string("/proc/thread-self/status").unwrap()
}

/// The value of a line of proc_pid_status(5).
fn line(status: &str, name: &str) -> String {
    let line = status.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':')).unwrap();
    line.split_whitespace().collect::<Vec<_>>().join(" ")
}

#[test]
fn capabilities_are_gone_and_none_can_come_back() {
    let files = Files { read: vec!["/proc".into()], ..Files::default() };
    let root = is_root();
    let (said, status) = inside(plan(files, Calls::default()), |standing| (standing.to_string(), status()));
    for set in ["CapInh", "CapPrm", "CapEff", "CapAmb"] {
        assert_eq!(line(&status, set), "0000000000000000", "{set}");
    }
    assert_eq!((line(&status, "NoNewPrivs"), line(&status, "Seccomp")), ("1".to_owned(), "2".to_owned()));
    if root {
        assert_eq!(line(&status, "CapBnd"), "0000000000000000");
        assert_eq!(line(&status, "Uid"), "65534 65534 65534 65534");
        assert_eq!(line(&status, "Gid"), "65534 65534 65534 65534");
        assert_eq!(line(&status, "Groups"), "");
        assert!(said.starts_with("user nobody, no capabilities, "), "{said}");
    }
    assert!(said.ends_with("system calls filtered"), "{said}");
}

#[test]
fn only_the_files_that_were_named_can_be_opened() {
    let (open, shut) = (folder(), folder());
    let (notes, secret) = (open.path().join("notes"), shut.path().join("secret"));
    for path in [&notes, &secret] {
        fs::write(path, "text").unwrap();
        fs::set_permissions(path, fs::Permissions::from_mode(0o666)).unwrap();
    }
    let spool = folder();
    let mut before = File::open(&secret).unwrap();
    let files = Files { read: vec![open.path().to_owned()], write: vec![spool.path().to_owned()], ..Files::default() };
    inside(plan(files, Calls::default()), |standing| {
        if standing.files == Held::No {
            eprintln!("SKIPPED: this kernel has no landlock");
            return;
        }
        assert_eq!(fs::read_to_string(&notes).unwrap(), "text");
        assert!(denied(OpenOptions::new().append(true).open(&notes)), "it is there to be read");
        assert!(denied(fs::read_to_string(&secret)) && denied(fs::read_to_string("/etc/passwd")));
        assert!(denied(fs::write(open.path().join("new"), "x")) && denied(fs::write(shut.path().join("new"), "x")));
        assert!(denied(fs::rename(&notes, open.path().join("moved"))));
        let kept = spool.path().join("a/b");
        fs::create_dir_all(kept.parent().unwrap()).unwrap();
        fs::write(spool.path().join("beside"), "kept").unwrap();
        fs::rename(spool.path().join("beside"), &kept).unwrap();
        assert_eq!(fs::read_to_string(&kept).unwrap(), "kept");
        fs::remove_file(&kept).unwrap();
        assert!(denied(std::os::unix::fs::symlink("/etc/passwd", spool.path().join("link"))));
        let mut text = String::new();
        std::io::Read::read_to_string(&mut before, &mut text).unwrap();
        assert_eq!(text, "text", "what was open stays open");
    });
}

#[test]
fn no_program_is_started_and_threads_are() {
    let files = Files { read: vec!["/bin".into(), "/usr".into(), "/lib".into(), "/lib64".into()], ..Files::default() };
    inside(plan(files, Calls { serves: true, dials: true }), |_| {
        assert!(denied(Command::new("/bin/true").status()));
        let thread = std::thread::Builder::new().name("inside".to_owned()).spawn(status_of_a_thread).unwrap();
        assert_eq!(thread.join().unwrap(), 7);
    });
}

fn status_of_a_thread() -> i32 {
    std::thread::yield_now();
    7
}

#[test]
fn no_raw_socket_is_opened_and_what_listens_is_answered() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let caller = TcpStream::connect(address).unwrap();
    let named = folder().path().join("socket");
    let raw = [(AddressFamily::PACKET, SocketType::RAW), (AddressFamily::INET, SocketType::RAW)];
    let other = [(AddressFamily::PACKET, SocketType::DGRAM), (AddressFamily::NETLINK, SocketType::RAW)];
    inside(plan(Files::default(), Calls { serves: true, dials: false }), |_| {
        for (family, kind) in raw.into_iter().chain(other) {
            assert_eq!(socket(family, kind, None).err(), Some(rustix::io::Errno::PERM), "{family:?} {kind:?}");
        }
        assert!(denied(TcpListener::bind("127.0.0.1:0")) && denied(UdpSocket::bind("127.0.0.1:0")));
        assert!(denied(TcpStream::connect(address)) && denied(UnixStream::connect(&named)));
        assert!(UnixDatagram::unbound().is_ok());
        let (mut stream, _) = listener.accept().unwrap();
        stream.write_all(b"ok").unwrap();
    });
    drop(caller);
}

#[test]
fn a_process_that_dials_reaches_receivers_and_opens_no_port() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let files = Files { dials: true, ..Files::default() };
    let calls = Calls { serves: false, dials: true };
    inside(plan(files, calls), |standing| {
        TcpStream::connect(address).unwrap();
        UdpSocket::bind("127.0.0.1:0").unwrap().send_to(b"x", address).unwrap();
        assert!(denied(socket(AddressFamily::INET, SocketType::RAW, None).map_err(Into::into)));
        assert!(denied(listener.accept().map(drop)), "it serves nobody");
        if standing.files == Held::Fully {
            assert!(denied(TcpListener::bind("127.0.0.1:0")));
        }
    });
}

#[test]
fn the_first_user_who_can_write_everything_is_taken() {
    if !is_root() {
        eprintln!("SKIPPED: becoming another user needs root");
        return;
    }
    let (open, closed) = (folder(), tempfile::tempdir().unwrap());
    let state = open.path().join("state");
    fs::create_dir_all(state.join("hook")).unwrap();
    fs::write(state.join("hook/1.json"), "{}").unwrap();
    std::os::unix::fs::symlink("/etc/hostname", state.join("link")).unwrap();
    let chosen = User::choose(Some("nobody"), &[Place::Folder("--state", state.clone())]).unwrap().unwrap();
    assert_eq!(chosen.name, "nobody");
    let owner = |path: &Path| std::os::unix::fs::MetadataExt::uid(&fs::metadata(path).unwrap());
    assert_eq!([owner(&state), owner(&state.join("hook/1.json"))], [chosen.uid; 2]);
    assert_eq!(owner(Path::new("/etc/hostname")), 0, "links are not followed");

    let report = Place::File("--report", closed.path().join("report.html"));
    let error = User::choose(Some("nobody"), std::slice::from_ref(&report)).unwrap_err().to_string();
    assert!(error.starts_with("--report ") && error.contains("the user `nobody`"), "{error}");
    assert_eq!(User::choose(None, &[report]).unwrap().unwrap().name, "root", "nobody else can write there");
    let error = User::choose(Some("no-such-user"), &[]).unwrap_err().to_string();
    assert!(error.contains("no such user"), "{error}");
}

#[test]
fn a_file_that_is_read_again_brings_its_folder_and_never_the_root() {
    let folder = folder();
    let (target, link) = (folder.path().join("archive/key.pem"), folder.path().join("key.pem"));
    fs::create_dir(target.parent().unwrap()).unwrap();
    fs::write(&target, "key").unwrap();
    std::os::unix::fs::symlink(&target, &link).unwrap();
    let mut files = Files::default();
    files.read_again(&link);
    assert!(files.read.contains(&folder.path().to_owned()), "{files:?}");
    assert!(files.read.contains(&target.parent().unwrap().canonicalize().unwrap()), "{files:?}");
    let mut files = Files::default();
    files.read_again(Path::new("/vigie.toml"));
    assert_eq!(files.read, [Path::new("/vigie.toml")]);
}
