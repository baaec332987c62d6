//! Addresses and sizes as board files write them: `4096`, `"0x2000_0000"`, `"48 KiB"`, `"4 MiB"`.

use serde::de::{Error, Unexpected, Visitor};
use serde::{Deserialize, Deserializer};

/// A number of bytes, or an address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Quantity(pub u64);

impl<'de> Deserialize<'de> for Quantity {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(QuantityVisitor)
    }
}

struct QuantityVisitor;

impl Visitor<'_> for QuantityVisitor {
    type Value = Quantity;

    fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("bytes as a number, in hexadecimal (`\"0x1000\"`), in `KiB` or in `MiB`")
    }

    fn visit_i64<E: Error>(self, value: i64) -> Result<Quantity, E> {
        u64::try_from(value).map(Quantity).map_err(|_| E::invalid_value(Unexpected::Signed(value), &self))
    }

    fn visit_u64<E: Error>(self, value: u64) -> Result<Quantity, E> {
        Ok(Quantity(value))
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<Quantity, E> {
        parse(text).map(Quantity).ok_or_else(|| E::invalid_value(Unexpected::Str(text), &self))
    }
}

fn parse(text: &str) -> Option<u64> {
    let digits = |text: &str| text.trim().replace('_', "");
    if let Some(hexadecimal) = text.strip_prefix("0x") {
        return u64::from_str_radix(&digits(hexadecimal), 16).ok();
    }
    let (number, unit) = match (text.strip_suffix("KiB"), text.strip_suffix("MiB")) {
        (Some(number), _) => (number, 1 << 10),
        (_, Some(number)) => (number, 1 << 20),
        _ => (text, 1),
    };
    digits(number).parse::<u64>().ok()?.checked_mul(unit)
}

#[cfg(test)]
mod tests {
    use super::parse;

    #[test]
    fn reads_every_form() {
        let check = |text, expect| assert_eq!(parse(text), expect, "{text}");
        check("4096", Some(4096));
        check("0x2000_0000", Some(0x2000_0000));
        check("48 KiB", Some(48 << 10));
        check("4MiB", Some(4 << 20));
        check("0xg", None);
        check("4 kB", None);
        check("-1", None);
        check("", None);
        check("99999999999999999999 MiB", None);
    }
}
