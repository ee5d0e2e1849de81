//! `iacsh sandbox load NAME`.

use std::path::Path;

use crate::cli::Options;
use crate::error::{Error, Result};
use crate::output::Printer;
use crate::sandbox::Sandbox;
use crate::session;

/// Makes the embedded cloud what was saved under a name. What is in it is replaced after asking.
pub fn load(root: &Path, options: &Options, name: &str, printer: &Printer) -> Result<u8> {
    let folder = session::sandbox_folder(root);
    let holds = Sandbox::summary(&folder)?.is_some_and(|summary| !summary.counts.is_empty());
    let known = Sandbox::saved(&folder)?.iter().any(|saved| saved.name == name);
    let question = format!("Replace the embedded cloud and its databases in {}?", folder.display());
    if known && holds && !printer.confirm(&question, options.yes)? {
        return Err(Error::declined("nothing was changed"));
    }
    Sandbox::load(&folder, name)?;
    printer.message(&format!("the sandbox is what was saved as {name}"));
    Ok(0)
}
