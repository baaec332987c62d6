//! How a chip's flash is divided, as probe-rs describes it.

use edgepkg_boards::Region;

/// A chip's flash: what can be erased and programmed, and in which pieces.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct FlashLayout {
    /// The chip's name.
    pub chip: String,
    /// Where flash is.
    pub flash: Vec<Region>,
    /// What is erased together, by address.
    pub sectors: Vec<Region>,
    /// Bytes that are programmed by one call of the chip's algorithm.
    pub page_bytes: u64,
    /// What an erased byte is.
    pub erased_byte: u8,
}

impl FlashLayout {
    /// The sectors that hold a byte of `region`, which lies in the flash.
    pub fn sectors_of(&self, region: Region) -> impl Iterator<Item = Region> + '_ {
        self.sectors.iter().copied().filter(move |sector| sector.overlaps(region))
    }

    /// Whether all of `region` is flash.
    pub fn holds(&self, region: Region) -> bool {
        let mut at = region.start;
        while at < region.end() {
            match self.flash.iter().find(|flash| flash.start <= at && at < flash.end()) {
                Some(flash) => at = flash.end(),
                None => return false,
            }
        }
        true
    }
}
