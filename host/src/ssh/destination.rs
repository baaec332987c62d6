//! `USER@HOST[:FOLDER]`.

use std::str::FromStr;

/// A computer, and a folder of its own there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Destination {
    /// As `ssh` takes it: a name of its configuration, or `USER@HOST`.
    pub host: String,
    /// Where runner and model go; what does not begin with `/` is in the user's home.
    pub folder: String,
}

/// Where runner and model go when nothing else is said.
const FOLDER: &str = ".edgepkg";

/// What is no destination.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DestinationError {
    /// It would be taken for an option, or for more than a name.
    #[error("a host is a name of your ssh's, or `USER@HOST`, in letters, digits and `.-_@`")]
    Host,
    /// A folder that a shell would take for more than one word.
    #[error("a folder on the host has letters, digits and `./_-`, and does not begin with `-`")]
    Folder,
}

impl FromStr for Destination {
    type Err = DestinationError;

    fn from_str(text: &str) -> Result<Self, DestinationError> {
        let (host, folder) = text.split_once(':').unwrap_or((text, FOLDER));
        // Both become words of a command on the other side, where nothing of them may mean more than itself.
        let is_word = |word: &str, more: &str| {
            let known = |letter: char| letter.is_ascii_alphanumeric() || more.contains(letter);
            !word.is_empty() && !word.starts_with('-') && word.chars().all(known)
        };
        if !is_word(host, ".-_@") {
            return Err(DestinationError::Host);
        }
        if !is_word(folder, "./_-") {
            return Err(DestinationError::Folder);
        }
        Ok(Self { host: host.to_owned(), folder: folder.to_owned() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_hosts_and_folders() {
        let check = |text: &str, host: &str, folder: &str| {
            let expected = Destination { host: host.to_owned(), folder: folder.to_owned() };
            assert_eq!(text.parse(), Ok(expected));
        };
        check("pi", "pi", ".edgepkg");
        check("pi@raspberrypi.local", "pi@raspberrypi.local", ".edgepkg");
        check("pi@10.0.0.2:models/kws", "pi@10.0.0.2", "models/kws");
    }

    #[test]
    fn nothing_becomes_an_option_or_a_command() {
        for text in ["", "-oProxyCommand=x", "pi;ls", "pi pi", "$(ls)", "@"] {
            let _ = text.parse::<Destination>();
        }
        assert_eq!("-oProxyCommand=x".parse::<Destination>(), Err(DestinationError::Host));
        assert_eq!("pi;ls".parse::<Destination>(), Err(DestinationError::Host));
        assert_eq!("pi:".parse::<Destination>(), Err(DestinationError::Folder));
        assert_eq!("pi:$(ls)".parse::<Destination>(), Err(DestinationError::Folder));
        assert_eq!("pi:a b".parse::<Destination>(), Err(DestinationError::Folder));
    }
}
