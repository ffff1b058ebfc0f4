//! `rdpwhy explain`.

use std::process::ExitCode;

use rdpwhy_analyzer::codes;

use crate::error::Error;
use crate::output::print;

/// What a code officially means, where that is written, what it does not tell, and what to run next
#[derive(clap::Args)]
pub struct Args {
    /// 0x904 0x7, 2308, alert:80, neg:5, nt:c000006d, errinfo:7, ext:7 or event:36870
    #[arg(required = true, value_name = "CODE")]
    codes: Vec<String>,
    /// Form of the result
    #[arg(long, value_enum, default_value = "text")]
    format: Format,
}

#[derive(Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum Format {
    Text,
    Json,
}

/// Runs the command.
pub fn run(args: Args) -> Result<ExitCode, Error> {
    let explanation =
        codes::explain(&args.codes).map_err(|error| Error::Usage(error.to_string()))?;
    match args.format {
        Format::Text => print(&explanation.to_string())?,
        Format::Json => {
            let json =
                serde_json::to_string_pretty(&explanation).map_err(|e| Error::Result(e.into()))?;
            print(&(json + "\n"))?;
        }
    }
    Ok(ExitCode::SUCCESS)
}
