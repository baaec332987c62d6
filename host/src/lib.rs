//! edgepkg: the host tool, as a library. `main.rs` is a thin command line over it.
//!
//! The modules stand in the order of the data's way.
#![forbid(unsafe_code)]

pub mod samples;
pub mod model;
pub mod import_worker;
pub mod model_file;
pub mod pack;
pub mod project;
pub mod store;
pub mod release;
pub mod registry;
pub mod lock;
pub mod resolve;
pub mod trust;
pub mod configuration;
pub mod catalog;
pub mod install;
pub mod installed;
pub mod publish;
pub mod fit;
pub mod embed;
pub mod emit_c;
pub mod boot_folder;
pub mod boot_metadata;
pub mod uf2;
pub mod ssh;
pub mod rebase;
pub mod runners;
pub mod cycle_model;
pub mod emulator;
pub mod attached;
pub mod device;
pub mod deploy;
pub mod verify;
pub mod bisect;
pub mod table;
pub mod progress;
pub mod error;
pub mod cli;
pub mod commands;
pub mod program;
