//! How long recreate and destroy would take on AWS, against their longest chain: by simulated time, so that the figures are
//! those of the script and not of the machine. See `README.md` here.

use std::process::Command;

fn main() {
    let output = Command::new(env!("CARGO_BIN_EXE_iacsh"))
        .args([
            "test",
            "tests/scripts/overlap.rhai",
            "--show-output",
            "--color",
            "never",
        ])
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .output()
        .expect("the program starts");
    print!("{}", String::from_utf8_lossy(&output.stdout));
    eprint!("{}", String::from_utf8_lossy(&output.stderr));
}
