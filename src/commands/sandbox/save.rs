//! `iacsh sandbox save NAME`.

use std::path::Path;

use super::list;
use crate::cli::Options;
use crate::error::{Error, Result};
use crate::output::Printer;
use crate::sandbox::Sandbox;
use crate::session;

/// Puts a copy of the embedded cloud aside. One of the same name is replaced after asking.
pub fn save(root: &Path, options: &Options, name: &str, printer: &Printer) -> Result<u8> {
    let folder = session::sandbox_folder(root);
    let known = Sandbox::saved(&folder)?;
    if known.iter().any(|saved| saved.name == name)
        && !printer.confirm(&format!("Replace what was saved as {name}?"), options.yes)?
    {
        return Err(Error::declined("nothing was saved"));
    }
    let saved = Sandbox::save(&folder, name)?;
    printer.message(&format!("saved as {name} ({})", list::size(saved.size)));
    Ok(0)
}
