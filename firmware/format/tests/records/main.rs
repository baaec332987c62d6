//! Every kind of record, word by word: each field holds its own position in words, as `FORMAT.md` gives
//! it.

mod int16;
mod int8;
mod numbered;
mod packed;
mod reading;
mod sequences;
