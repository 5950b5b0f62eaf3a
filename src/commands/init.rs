//! `devhose init`: writes a commented configuration file.

use std::io::Write;

use anyhow::Context as _;

use crate::cli::Init;
use crate::config::TEMPLATE;
use crate::exit::{Ended, Exit, Failure};
use crate::output::Output;

pub(super) fn run(args: &Init, output: Output) -> Ended {
    if args.print {
        output.line(TEMPLATE.trim_end())?;
        return Ok(Exit::Ok);
    }
    let shown = args.file.display();
    let created = std::fs::File::create_new(&args.file);
    match created {
        Ok(mut file) => file.write_all(TEMPLATE.as_bytes()).with_context(|| format!("{shown} cannot be written"))?,
        Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => {
            return Err(Failure::new(Exit::Conflict, format!("{shown} is there already"))
                .remedy(format!("devhose init --print, and take from it what {shown} lacks")));
        }
        Err(error) => return Err(anyhow::Error::new(error).context(format!("{shown} cannot be written")).into()),
    }
    output.tell(&format!("wrote {shown}: give each source its secret there, then `devhose serve`"));
    Ok(Exit::Ok)
}
