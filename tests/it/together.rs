//! Two processes on one sandbox.

use crate::project::{Project, run};

#[test]
fn a_prompt_is_open_while_a_script_runs() {
    let project = Project::new();
    let prompt = project.open();
    project.iacsh(&["scripts/recreate.rhai"]).code(0);
    let ran = prompt.end("print(identity::clients().len() > 0); print(ecs::services().len());");
    assert_eq!(ran.code(0).out, "true\n1\n");
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
