//! Signals and keys that are meant for the command of a run: they reach it as they do without us.

use serde_json::{Value, json};

use crate::terminal::at_terminal;
use crate::workspace::Workspace;

#[tokio::test]
async fn ctrl_c_reaches_the_command_once_and_it_ends_as_it_likes() {
    let script = r#"
command = python('''
import os, signal
heard = 0
def interrupted(*_):
    global heard
    heard += 1
    os.write(1, b"interrupted")
def told(*_):
    os.write(1, b"heard %d" % heard)
    os._exit(3)
signal.signal(signal.SIGINT, interrupted)
signal.signal(signal.SIGTERM, told)
os.write(1, b"ready")
while True:
    signal.pause()
''')
t = Terminal(run(command))
t.until("ready")
t.type("\x03")
t.until("interrupted")
t.signal(signal.SIGTERM)
t.until("heard 1")
t.until("Status: failed (exit code 3)")
assert t.end() == 3
"#;
    at_terminal(&Workspace::new(), script).await;
}

#[tokio::test]
async fn ctrl_c_that_nobody_handles_ends_the_command_and_is_named() {
    let script = r#"
t = Terminal(run(["/bin/sh", "-c", "echo ready; exec sleep 100"]))
t.until("ready")
t.type("\x03")
t.until("Status: failed (exit code 130, SIGINT)")
assert t.end() == 130
"#;
    at_terminal(&Workspace::new(), script).await;
}

#[tokio::test]
async fn a_second_ctrl_c_kills_a_command_that_does_not_listen() {
    let script = r#"
t = Terminal(run(["/bin/sh", "-c", "trap '' INT; echo ready; sleep 100; sleep 100"]))
t.until("ready")
t.press_until("\x03", "interrupted twice: killed the command")
t.until("Status: failed (exit code 137, SIGKILL)")
assert t.end() == 137
"#;
    at_terminal(&Workspace::new(), script).await;
}

#[tokio::test]
async fn a_signal_reaches_the_processes_that_the_command_has_started() {
    let script = r#"
command = python('''
import os, signal
heard, hears = os.pipe()
def said(name):
    def say(*_):
        os.write(1, name + b" has heard ")
        os._exit(9)
    return say
both = (signal.SIGTERM, signal.SIGHUP)
child = os.fork()
for number in both:
    signal.signal(number, said(b"the helper") if child == 0 else lambda *_: None)
if child == 0:
    os.write(hears, b"ready")
    while True:
        signal.pause()
os.read(heard, 5)
os.write(1, b"ready")
os.waitpid(child, 0)
said(b"the command")()
''')
for number in (signal.SIGTERM, signal.SIGHUP):
    t = Terminal(run(command))
    t.until("ready")
    t.signal(number)
    t.until("the helper has heard the command has heard")
    assert t.end() == 9
"#;
    at_terminal(&Workspace::new(), script).await;
}

#[tokio::test]
async fn a_second_sigterm_is_no_more_than_the_first() {
    let script = r#"
command = python('''
import os, signal
signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGTERM])
os.write(1, b"ready")
signal.sigwait([signal.SIGTERM])
os.write(1, b"again")
signal.sigwait([signal.SIGTERM])
os._exit(7)
''')
t = Terminal(run(command))
t.until("ready")
t.signal(signal.SIGTERM)
t.until("again")
t.signal(signal.SIGTERM)
assert t.end() == 7
"#;
    at_terminal(&Workspace::new(), script).await;
}

#[tokio::test]
async fn a_signal_for_the_command_alone_does_not_end_what_it_has_started() {
    let script = r#"
command = python('''
import os, signal, subprocess
helper = subprocess.Popen(["cat"], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
def heard(*_):
    print(helper.communicate(b"the helper lives")[0].decode(), flush=True)
    os._exit(0)
signal.signal(signal.SIGUSR1, heard)
print("ready", flush=True)
while True:
    signal.pause()
''')
t = Terminal(run(command))
t.until("ready")
t.signal(signal.SIGUSR1)
t.until("the helper lives")
assert t.end() == 0
"#;
    at_terminal(&Workspace::new(), script).await;
}

#[tokio::test]
async fn ctrl_z_stops_the_run_and_fg_lets_it_go_on() {
    let script = r#"
command = python('''
import os, signal
signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGCONT])
os.write(1, b"ready")
signal.sigwait([signal.SIGCONT])
os.write(1, b"goes on")
os._exit(4)
''')
t = Terminal(shell("{recorded}\necho stopped: $?\nfg >/dev/null\necho ended: $?", recorded=run(command)))
t.until("ready")
t.type("\x1a")
t.until("stopped: 14")
t.until("goes on")
t.until("ended: 4")
assert t.end() == 0
"#;
    at_terminal(&Workspace::new(), script).await;
}

#[tokio::test]
async fn ctrl_z_while_the_command_has_the_terminal_stops_the_run_too() {
    let script = r#"
command = python('''
import os
os.write(1, input("first? ").encode() + b" second? ")
os.write(1, input().encode() + b" it is")
''')
t = Terminal(shell("{recorded}\necho stopped: $?\nfg >/dev/null\necho ended: $?", recorded=run(command)))
t.until("first? ")
t.type("a\n")
t.until("a second? ")
t.type("\x1a")
t.until("stopped: 14")
t.type("b\n")
t.until("b it is")
t.until("ended: 0")
assert t.end() == 0
"#;
    at_terminal(&Workspace::new(), script).await;
}

#[tokio::test]
async fn a_run_in_the_background_stops_when_its_command_reads_the_terminal() {
    let script = r#"
command = python("import os; os.write(1, b'it has ' + input().encode())")
t = Terminal(shell("{recorded} &\nwait $!\necho stopped: $?\nfg >/dev/null\necho ended: $?", recorded=run(command)))
t.until("stopped: 14")
t.type("b\n")
t.until("it has b")
t.until("ended: 0")
assert t.end() == 0
"#;
    at_terminal(&Workspace::new(), script).await;
}

#[tokio::test]
async fn ctrl_z_stops_nothing_where_nobody_could_let_it_go_on() {
    let script = r#"
t = Terminal(run(["/bin/sh", "-c", "echo ready; exec sleep 100"]))
t.until("ready")
t.type("\x1a")
t.type("\x03")
t.until("Status: failed (exit code 130, SIGINT)")
assert t.end() == 130
"#;
    at_terminal(&Workspace::new(), script).await;
}

#[tokio::test]
async fn a_terminal_that_is_closed_is_told_to_the_command() {
    let script = r#"
command = python('''
import os, signal
def hung_up(*_):
    open("told", "w").write("hung up")
    os._exit(0)
signal.signal(signal.SIGHUP, hung_up)
print("ready", flush=True)
while True:
    signal.pause()
''')
t = Terminal(run(command))
t.until("ready")
os.close(t.terminal)
os.waitpid(t.pid, 0)
assert open("told").read() == "hung up"
"#;
    at_terminal(&Workspace::new(), script).await;
}

#[tokio::test]
async fn what_we_were_told_to_ignore_the_command_ignores_too() {
    let script = r#"
command = python("import signal; print('ignored:', signal.getsignal(signal.SIGHUP) == signal.SIG_IGN)")
t = Terminal(["/bin/sh", "-c", "trap '' HUP; exec " + shlex.join(run(command))])
t.until("ignored: True")
assert t.end() == 0
"#;
    at_terminal(&Workspace::new(), script).await;
}

#[tokio::test]
async fn the_signal_that_ended_a_command_is_named() {
    let workspace = Workspace::new();
    let answer = workspace.run_with(&["--offline", "--expect-log", "x"], "kill -KILL $$").await;
    assert_eq!(answer.code, 137);
    assert!(answer.stderr.contains("\nStatus: failed (exit code 137, SIGKILL)\n"), "{}", answer.stderr);
    let mut runs = std::fs::read_dir(workspace.path(".trace/spool")).expect("a spool");
    let ended = runs.find_map(|run| std::fs::read(run.expect("read").path().join("ended.json")).ok());
    let ended: Value = serde_json::from_slice(&ended.expect("an end")).expect("JSON");
    assert_eq!((&ended["exit_code"], &ended["signal"]), (&json!(137), &json!("SIGKILL")));
}
