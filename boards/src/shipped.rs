//! The boards that ship with edgepkg.

use std::fs;
use std::path::Path;

use crate::{Board, BoardError};

const SHIPPED: &[(&str, &str)] = &[
    ("host", include_str!("../host.toml")),
    ("arduino-nano33-ble", include_str!("../arduino-nano33-ble.toml")),
    ("microbit", include_str!("../microbit.toml")),
    ("microbit-v2", include_str!("../microbit-v2.toml")),
    ("nrf52840-uf2", include_str!("../nrf52840-uf2.toml")),
    ("nrf52840dk", include_str!("../nrf52840dk.toml")),
    ("nucleo-f411re", include_str!("../nucleo-f411re.toml")),
    ("nucleo-f446re", include_str!("../nucleo-f446re.toml")),
    ("nucleo-h743zi", include_str!("../nucleo-h743zi.toml")),
    ("nucleo-l4r5zi", include_str!("../nucleo-l4r5zi.toml")),
    ("nucleo-u575zi", include_str!("../nucleo-u575zi.toml")),
    ("qemu-cortex-m3", include_str!("../qemu-cortex-m3.toml")),
    ("qemu-cortex-m4", include_str!("../qemu-cortex-m4.toml")),
    ("qemu-cortex-m4-probe", include_str!("../qemu-cortex-m4-probe.toml")),
    ("qemu-cortex-m7", include_str!("../qemu-cortex-m7.toml")),
    ("qemu-cortex-m33", include_str!("../qemu-cortex-m33.toml")),
    ("rpi", include_str!("../rpi.toml")),
    ("rpi-linux", include_str!("../rpi-linux.toml")),
    ("rpi-pico", include_str!("../rpi-pico.toml")),
    ("rpi-pico2", include_str!("../rpi-pico2.toml")),
    ("stm32f4-discovery", include_str!("../stm32f4-discovery.toml")),
];

/// Names less like one another than this are not offered.
const LEAST_LIKENESS: f64 = 0.6;

impl Board {
    /// The shipped board called `name`, or the one in the file it names when it ends in `.toml`.
    ///
    /// # Errors
    ///
    /// Where there is none, with the name most like it; where the file cannot be read or is no board.
    pub fn find(name: &str) -> Result<Self, BoardError> {
        if let Some((name, text)) = SHIPPED.iter().find(|(shipped, _)| *shipped == name) {
            return Board::from_toml(&format!("boards/{name}.toml"), text);
        }
        if Path::new(name).extension().is_some_and(|extension| extension == "toml") {
            let text = fs::read_to_string(name)
                .map_err(|source| BoardError::Read { path: name.to_owned(), source })?;
            return Board::from_toml(name, &text);
        }
        Err(BoardError::Unknown { name: name.to_owned(), nearest: nearest(name) })
    }

    /// The names of the shipped boards.
    pub fn names() -> impl Iterator<Item = &'static str> {
        SHIPPED.iter().map(|(name, _)| *name)
    }

    /// Every shipped board.
    pub fn shipped() -> impl Iterator<Item = Board> {
        Board::names().map(|name| Board::find(name).expect("a test reads every shipped board"))
    }
}

fn nearest(name: &str) -> Option<&'static str> {
    let likeness = |known: &str| strsim::jaro_winkler(&name.to_lowercase(), known);
    Board::names()
        .max_by(|a, b| likeness(a).total_cmp(&likeness(b)))
        .filter(|known| likeness(known) >= LEAST_LIKENESS)
}
