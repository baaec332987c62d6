//! The program: arguments in, results and errors out. Exit codes: 0 done, 1 the user can mend it, 2 a
//! fault of ours.

use std::io::{self, IsTerminal as _, Write as _};
use std::panic::{self, PanicHookInfo};
use std::process::ExitCode;
use std::sync::Mutex;

use clap::Parser as _;
use miette::ReportHandler as _;

use crate::cli::{Cli, Command};
use crate::commands::import_worker::WorkerArguments;
use crate::commands::{self, Outcome};
use crate::error::{Blame, Color, Error, Handler};
use crate::import_worker::SUBCOMMAND;

const USERS: u8 = 1;
const OURS: u8 = 2;

/// What the last panic said. It is told only when nobody caught it: import does, of its libraries'.
static PANIC: Mutex<String> = Mutex::new(String::new());

/// Does what this process's arguments ask for.
pub fn main() -> ExitCode {
    panic::set_hook(Box::new(remember_panic));
    panic::catch_unwind(run).unwrap_or_else(|_| {
        let panic = PANIC.lock().map_or_else(|_| String::new(), |panic| panic.clone());
        let version = env!("CARGO_PKG_VERSION");
        eprintln!(
            "error: edgepkg {version} has met a fault of its own: {panic}\n\nhint: please report this, with the \
             command and, if you can, its files"
        );
        ExitCode::from(OURS)
    })
}

fn run() -> ExitCode {
    let command = match parse() {
        Ok(command) => command,
        Err(error) => {
            let _ = error.print();
            return ExitCode::from(if error.use_stderr() { USERS } else { 0 });
        }
    };
    let mut out = io::BufWriter::new(io::stdout().lock());
    let done = commands::execute(&command, &mut out).and_then(|outcome| Ok(out.flush().map(|()| outcome)?));
    match done {
        Ok(Outcome::Good) => ExitCode::SUCCESS,
        Ok(Outcome::Different) => ExitCode::from(OURS),
        // Whoever reads standard output has read enough.
        Err(Error::Output(error)) if error.kind() == io::ErrorKind::BrokenPipe => ExitCode::SUCCESS,
        Err(error) => {
            let _ = out.flush();
            report(&error)
        }
    }
}

/// What the arguments ask for. A worker's are read by a parser of their own, since what a larger one leaves free in the heap
/// would be memory beside the worker's limit.
fn parse() -> Result<Command, clap::Error> {
    let mut arguments = std::env::args_os().skip(1).peekable();
    if arguments.peek().is_some_and(|first| first == SUBCOMMAND) {
        return WorkerCli::try_parse_from(arguments).map(|cli| Command::ImportWorker(cli.arguments));
    }
    Cli::try_parse().map(|cli| cli.command)
}

/// A worker's command line.
#[derive(clap::Parser)]
struct WorkerCli {
    #[command(flatten)]
    arguments: WorkerArguments,
}

fn report(error: &Error) -> ExitCode {
    let handler = Handler { color: color() };
    eprintln!("{}", Rendered { handler, error });
    ExitCode::from(match error.blame() {
        Blame::User => USERS,
        Blame::Us => OURS,
    })
}

struct Rendered<'a> {
    handler: Handler,
    error: &'a Error,
}

impl std::fmt::Display for Rendered<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.handler.debug(self.error, f)
    }
}

fn color() -> Color {
    let wanted = std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty());
    if wanted && io::stderr().is_terminal() { Color::Ansi } else { Color::None }
}

fn remember_panic(info: &PanicHookInfo<'_>) {
    let message = info.payload_as_str().unwrap_or("it panicked");
    let place =
        info.location().map_or(String::new(), |place| format!(" ({}:{})", place.file(), place.line()));
    if let Ok(mut panic) = PANIC.lock() {
        *panic = format!("{message}{place}");
    }
}
