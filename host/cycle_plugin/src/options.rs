//! What the emulator is told to count.

use std::fmt;
use std::path::PathBuf;

/// The only core that is modelled.
const CORTEX_M4: &str = "cortex-m4";

/// Where windows begin and end, and where they are written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Options {
    pub start: u64,
    pub stop: u64,
    pub windows: PathBuf,
}

/// Why the arguments make no sense.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum OptionsError {
    NotAnOption { argument: String },
    NotAnAddress { option: String, value: String },
    UnknownModel { model: String },
    Missing { option: &'static str },
}

impl fmt::Display for OptionsError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            OptionsError::NotAnOption { argument } => {
                write!(f, "`{argument}` is no option; there are model, start, stop, windows")
            }
            OptionsError::NotAnAddress { option, value } => write!(f, "{option}: `{value}` is no address"),
            OptionsError::UnknownModel { model } => {
                write!(f, "there is no model of `{model}`, only of `{CORTEX_M4}`")
            }
            OptionsError::Missing { option } => write!(f, "`{option}` is missing"),
        }
    }
}

impl Options {
    /// Reads arguments of the form `name=value`.
    ///
    /// # Errors
    ///
    /// When one is none of these, makes no sense or is missing.
    pub fn parse<'a>(arguments: impl IntoIterator<Item = &'a str>) -> Result<Self, OptionsError> {
        let (mut model, mut start, mut stop, mut windows) = (None, None, None, None);
        for argument in arguments {
            match argument.split_once('=') {
                Some(("model", CORTEX_M4)) => model = Some(()),
                Some(("model", other)) => return Err(OptionsError::UnknownModel { model: other.to_owned() }),
                Some((option @ "start", value)) => start = Some(code_address(option, value)?),
                Some((option @ "stop", value)) => stop = Some(code_address(option, value)?),
                Some(("windows", path)) => windows = Some(PathBuf::from(path)),
                _ => return Err(OptionsError::NotAnOption { argument: argument.to_owned() }),
            }
        }
        model.ok_or(OptionsError::Missing { option: "model" })?;
        Ok(Options {
            start: start.ok_or(OptionsError::Missing { option: "start" })?,
            stop: stop.ok_or(OptionsError::Missing { option: "stop" })?,
            windows: windows.ok_or(OptionsError::Missing { option: "windows" })?,
        })
    }
}

/// The address of an instruction; the lowest bit of a Thumb function's only says what it is.
fn code_address(option: &str, value: &str) -> Result<u64, OptionsError> {
    let address = value.strip_prefix("0x").and_then(|digits| u64::from_str_radix(digits, 16).ok());
    let address = address
        .ok_or_else(|| OptionsError::NotAnAddress { option: option.to_owned(), value: value.to_owned() })?;
    Ok(address & !1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_addresses_and_a_path() {
        let options = Options::parse(["model=cortex-m4", "start=0x101", "stop=0x200", "windows=a=b"]);
        assert_eq!(options, Ok(Options { start: 0x100, stop: 0x200, windows: "a=b".into() }));
    }

    #[test]
    fn says_what_is_wrong() {
        let check = |arguments: &[&str], expected: &str| {
            let error = Options::parse(arguments.iter().copied()).unwrap_err();
            assert_eq!(error.to_string(), expected);
        };
        check(&["mode=1"], "`mode=1` is no option; there are model, start, stop, windows");
        check(&["model=cortex-m7"], "there is no model of `cortex-m7`, only of `cortex-m4`");
        check(&["start=12"], "start: `12` is no address");
        check(&["start=0x1", "stop=0x2", "windows=w"], "`model` is missing");
        check(&["model=cortex-m4", "start=0x1", "windows=w"], "`stop` is missing");
    }
}
