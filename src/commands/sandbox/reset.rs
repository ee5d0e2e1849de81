//! `iacsh sandbox reset`.

use std::path::Path;

use crate::cli::Options;
use crate::error::{Error, Result};
use crate::output::Printer;
use crate::sandbox::Sandbox;
use crate::session;

/// Deletes everything that the embedded cloud keeps, after asking.
pub fn reset(root: &Path, options: &Options, printer: &Printer) -> Result<u8> {
    let folder = session::sandbox_folder(root);
    if !folder.exists() {
        printer.message(&format!("there is nothing in {}", folder.display()));
        return Ok(0);
    }
    let question = format!("Delete the embedded cloud and its databases in {}?", folder.display());
    if !printer.confirm(&question, options.yes)? {
        return Err(Error::declined("nothing was deleted"));
    }
    session::reset_sandbox(root)?;
    let saved: Vec<String> = Sandbox::saved(&folder)?.into_iter().map(|saved| saved.name).collect();
    printer.message(&match saved.as_slice() {
        [] => "the sandbox is empty".to_owned(),
        names => format!("the sandbox is empty; saved copies stay: {}", names.join(", ")),
    });
    Ok(0)
}
