//! Two processes on one sandbox.

use std::io::Write;
use std::process::Stdio;

use crate::project::{Project, run};

#[test]
fn a_prompt_is_open_while_a_script_runs() {
    let project = Project::new();
    let mut prompt = project
        .command(&["-"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the prompt starts");
    let mut keyboard = prompt.stdin.take().expect("a keyboard");
    project.iacsh(&["scripts/recreate.rhai"]).code(0);
    keyboard
        .write_all(b"print(identity::clients().len() > 0); print(ecs::services().len());")
        .expect("typed");
    drop(keyboard);
    let output = prompt.wait_with_output().expect("an end");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    assert_eq!(String::from_utf8_lossy(&output.stdout), "true\n1\n");
}

#[test]
fn listings_and_a_recreate_at_once() {
    let project = Project::new();
    std::thread::scope(|scope| {
        let recreate = scope.spawn(|| project.iacsh(&["scripts/recreate.rhai"]));
        let readers: Vec<_> = (0..2)
            .map(|_| {
                scope.spawn(|| {
                    (0..5)
                        .map(|_| run(project.command(&["-c", "ec2::subnets()"])))
                        .collect::<Vec<_>>()
                })
            })
            .collect();
        for reader in readers {
            for ran in reader.join().expect("a reader") {
                ran.code(0);
            }
        }
        recreate.join().expect("a recreate").code(0);
    });
}
