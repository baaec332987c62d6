//! A worker that gives a file to the library behind the importer as it is, so that tests see its limits hold
//! where nothing else does.
#![forbid(unsafe_code)]

use std::env;
use std::io::{self, Read as _};

use edgepkg::import_worker::limits::limit_this_process;
use tract_onnx::prelude::{Framework as _, InferenceModelExt};

fn main() -> io::Result<()> {
    let arguments: Vec<String> = env::args().collect();
    let number = |name: &str| {
        let place = arguments.iter().position(|argument| argument == name).expect("it is given");
        arguments[place + 1].parse().expect("it is a number")
    };
    limit_this_process(number("--memory-bytes"), number("--cpu-seconds"))?;
    let mut request = Vec::new();
    io::stdin().read_to_end(&mut request)?;
    let (length, request) = request.split_first_chunk().expect("the header's length");
    let file = &request[u32::from_le_bytes(*length) as usize..];
    let read = tract_onnx::onnx().model_for_read(&mut &file[..]);
    let typed = read.and_then(InferenceModelExt::into_optimized);
    eprintln!("it was read: {}", typed.is_ok());
    Ok(())
}
