//! `otrace run` at a terminal: the command has one too, and finds it as it would without us.
//!
//! [`at_terminal`] is the harness: it runs a Python script that opens real terminals (`terminal.py` says how).

use std::process::Stdio;

use tokio::process::Command;

use crate::workspace::Workspace;

/// Runs a script that drives `otrace` at terminals, and asserts what came of it.
pub async fn at_terminal(workspace: &Workspace, script: &str) {
    let output = Command::new("python3")
        .args(["-c", &format!("from terminal import *\n{script}")])
        .current_dir(workspace.root())
        .env_clear()
        .env("PATH", std::env::var_os("PATH").expect("PATH"))
        .env("HOME", workspace.root().parent().expect("a home"))
        .env("TERM", "xterm")
        .env("OTRACE", env!("CARGO_BIN_EXE_otrace"))
        .env("PYTHONPATH", concat!(env!("CARGO_MANIFEST_DIR"), "/tests/it"))
        .env("PYTHONDONTWRITEBYTECODE", "1")
        .stdin(Stdio::null())
        .kill_on_drop(true)
        .output()
        .await
        .expect("python runs");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}

#[tokio::test]
async fn a_command_has_a_terminal_of_the_same_size_for_each_stream() {
    let script = r#"
command = python('''
import os
print([os.isatty(stream) for stream in (0, 1, 2)], os.ttyname(1) != os.ttyname(2))
print(*os.get_terminal_size(1), *os.get_terminal_size(2))
''')
t = Terminal(run(command), lines=31, columns=97)
t.until("[True, True, True] True\r\n97 31 97 31\r\n")
assert t.end() == 0
"#;
    at_terminal(&Workspace::new(), script).await;
}

#[tokio::test]
async fn a_command_has_no_terminal_where_none_is_wanted() {
    let script = r#"
t = Terminal(run(python("import os; print([os.isatty(stream) for stream in (0, 1, 2)])"), "--no-tty"))
t.until("[True, False, False]\r\n")
assert t.end() == 0
"#;
    at_terminal(&Workspace::new(), script).await;
}

#[tokio::test]
async fn a_command_has_no_terminal_where_otrace_has_none() {
    let workspace = Workspace::new();
    let script = "for stream in 1 2; do test -t $stream && echo terminal; done; echo none";
    let answer = workspace.run_with(&["--offline", "--expect-log", "x"], script).await.succeeded();
    assert_eq!(answer.stdout, "none\n");

    let script = r#"
command = python("import os, sys; sys.stderr.write('to a file\\n'); print([os.isatty(n) for n in (1, 2)])")
t = Terminal(run(command, "-q"), stderr="errors.txt")
t.until("[True, False]\r\n")
assert t.end() == 0
assert open("errors.txt").read() == "to a file\n"
"#;
    at_terminal(&workspace, script).await;
}

#[tokio::test]
async fn what_is_printed_at_a_terminal_is_the_same_bytes() {
    let script = r#"
command = python(r'''
import os
os.write(1, b"<<\x1b[1;31mred\x1b[0m\tx\n 10%\r 20%\r100%\n\x07\x00\xff\xc3\r\nend>>")
''')
bare, recorded = Terminal(command), Terminal(run(command))
seen = []
for t in (bare, recorded):
    t.until_bytes(b"<<")
    seen.append(t.until_bytes(b">>"))
    assert t.end() == 0
assert seen[0] == seen[1], seen
assert b" 20%\r100%\r\n" in seen[0], seen
"#;
    at_terminal(&Workspace::new(), script).await;
}

#[tokio::test]
async fn a_flood_at_a_terminal_comes_whole_and_each_stream_has_its_log() {
    let script = r#"
import glob
command = python('''
import sys
for number in range(20000):
    print("line", number)
sys.stdout.flush()
sys.stderr.write("the errors\\n")
''')
t = Terminal(run(command))
seen = t.rest().replace("\r", "")
lines = "".join(f"line {number}\n" for number in range(20000))
assert lines in seen.replace("the errors\n", ""), seen[-200:]
assert t.end() == 0
[out], [err] = glob.glob(".trace/logs/*.stdout.log"), glob.glob(".trace/logs/*.stderr.log")
assert open(out).read() == lines
assert open(err).read() == "the errors\n"
"#;
    at_terminal(&Workspace::new(), script).await;
}

#[tokio::test]
async fn a_terminal_that_is_resized_resizes_the_command_s() {
    let script = r#"
command = python('''
import os, signal
signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGWINCH])
print("ready", flush=True)
signal.sigwait([signal.SIGWINCH])
print("size", *os.get_terminal_size(2), flush=True)
''')
t = Terminal(run(command))
t.until("ready")
t.resize(40, 100)
t.until("size 100 40")
assert t.end() == 0
"#;
    at_terminal(&Workspace::new(), script).await;
}

#[tokio::test]
async fn a_command_that_has_the_terminal_itself_is_told_its_size_too() {
    let script = r#"
command = python('''
import os, signal
def resized(*_):
    if os.get_terminal_size(1) == (100, 40):
        print("resized", flush=True)
        os._exit(0)
signal.signal(signal.SIGWINCH, resized)
input("ready? ")
print("go", flush=True)
while True:
    signal.pause()
''')
t = Terminal(run(command))
t.until("ready? ")
t.type("yes\n")
t.until("go")
t.resize(40, 100)
t.until("resized")
assert t.end() == 0
"#;
    at_terminal(&Workspace::new(), script).await;
}

#[tokio::test]
async fn a_command_asks_questions_and_passwords_at_the_terminal() {
    let script = r#"
command = python('''
import getpass
name = input("name? ")
password = getpass.getpass("password? ")
print(f"{name} has {len(password)} characters")
''')
t = Terminal(run(command))
t.until("name? ")
t.type("ada\n")
t.until("ada\r\n")
t.until("password? ")
t.type("sesame\n")
assert "sesame" not in t.until("ada has 6 characters")
assert t.end() == 0
"#;
    at_terminal(&Workspace::new(), script).await;
}

#[tokio::test]
async fn the_terminal_is_given_back_when_the_command_has_ended() {
    let script = r#"
recorded = shlex.join(run(python("input('command? ')")))
t = Terminal(["/bin/sh", "-c", recorded + "; printf 'shell? '; read answer; echo the shell has $answer"])
t.until("command? ")
t.type("a\n")
t.until("shell? ")
t.type("b\n")
t.until("the shell has b")
assert t.end() == 0
"#;
    at_terminal(&Workspace::new(), script).await;
}
