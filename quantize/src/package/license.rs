//! Licences, as SPDX expressions.

use std::fmt;

use serde::{Deserialize, Serialize};
use thiserror::Error;

/// A licence, as an SPDX expression: `MIT OR Apache-2.0`, or `LicenseRef-NAME` for one that SPDX does not list.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct License(String);

/// A text that is no SPDX expression.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("`{text}` is not an SPDX licence expression: {reason}")]
pub struct LicenseError {
    text: String,
    reason: String,
}

impl License {
    /// Its text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether someone who accepts the licences in `allowed`, by their SPDX identifiers, may use what has this one.
    pub fn is_within(&self, allowed: &[String]) -> bool {
        let expression = spdx::Expression::parse(&self.0).expect("checked when it was made");
        expression.evaluate(|requirement| allowed.contains(&requirement.to_string()))
    }
}

impl TryFrom<String> for License {
    type Error = LicenseError;

    fn try_from(text: String) -> Result<Self, LicenseError> {
        match spdx::Expression::parse(&text) {
            Ok(_) => Ok(Self(text)),
            Err(error) => Err(LicenseError { reason: error.reason.to_string(), text }),
        }
    }
}

impl std::str::FromStr for License {
    type Err = LicenseError;

    fn from_str(text: &str) -> Result<Self, LicenseError> {
        text.to_owned().try_into()
    }
}

impl From<License> for String {
    fn from(license: License) -> Self {
        license.0
    }
}

impl fmt::Display for License {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn expressions() {
        for text in ["MIT", "MIT OR Apache-2.0", "(MIT AND CC-BY-4.0) OR LicenseRef-acme"] {
            assert!(text.parse::<License>().is_ok(), "{text}");
        }
        for text in ["", "Apache", "MIT OR", "MIT/Apache-2.0"] {
            assert!(text.parse::<License>().is_err(), "{text}");
        }
    }

    #[test]
    fn a_choice_needs_one_and_a_sum_needs_all() {
        let allowed = ["MIT".to_owned(), "LicenseRef-acme".to_owned()];
        let is_within = |text: &str| text.parse::<License>().unwrap().is_within(&allowed);
        assert!(is_within("MIT OR GPL-3.0-only"));
        assert!(!is_within("MIT AND GPL-3.0-only"));
        assert!(is_within("LicenseRef-acme"));
    }
}
