//! What flashing through the virtual probe takes, beside probe-rs's own download of the same bytes: 200 KB onto an erased chip,
//! with what is read back, and a model that is there already. `BENCHMARKS.md` has the figures.

#[cfg(not(unix))]
fn main() {
    println!("skipped: the virtual probe needs Unix");
}

#[cfg(unix)]
fn main() {
    measured::report();
}

#[cfg(unix)]
mod measured {
    use std::time::{Duration, Instant};

    use edgepkg::deploy::{
        Connection, Contents, FlashKept, Others, Reach, Record, SlotContents, connect, virtual_chip,
    };
    use edgepkg_boards::{Board, Region};

    const PROGRAM_BYTES: usize = 200_000;
    const MODEL_BYTES: usize = 54_000;
    const REPETITIONS: usize = 7;

    pub fn report() {
        let mut board = Board::find("microbit").expect("it is shipped");
        let memory = board.memory.as_mut().expect("it has memory");
        // As much for a runner as fits, so that 200 KB of it can be written.
        memory.code.length = 200 << 10;
        memory.model_slot = Region { start: 200 << 10, length: 56 << 10 };
        memory.second_model_slot = None;
        let memory = memory.clone();
        let runner = [(0, noise(PROGRAM_BYTES))];
        let artifact = noise(MODEL_BYTES);
        let (slot, record, others) = (memory.model_slot, Record::Written, Others::None);
        let model = Contents {
            runner: &[],
            model: Some(SlotContents { artifact: &artifact, slot, counter: 1, record, others }),
        };
        let program = Contents { runner: &runner, model: None };
        let write = |connection: &mut Connection, contents: &Contents<'_>| {
            let plan = connection.plan(contents, &memory).expect("it fits");
            connection.write(&plan, &mut |_| ()).expect("nothing goes wrong")
        };
        let ours = median(|| {
            on_empty_chip(&board, |connection| {
                write(connection, &program);
            })
        });
        let theirs = median(|| {
            on_empty_chip(&board, |connection| {
                connection.download(0, &runner[0].1).expect("nothing goes wrong")
            })
        });
        show("200,000 bytes, programmed and verified", ours, theirs);
        let ours = median(|| {
            with_chip(&board, |connection| {
                write(connection, &model);
                timed(|| assert_eq!(write(connection, &model).written_bytes, 0))
            })
        });
        let theirs = median(|| {
            with_chip(&board, |connection| {
                write(connection, &model);
                timed(|| connection.download(slot.start, &artifact).expect("nothing goes wrong"))
            })
        });
        show("54,000 bytes of a model that is there", ours, theirs);
    }

    fn show(what: &str, ours: Duration, theirs: Duration) {
        let ratio = ours.as_secs_f64() / theirs.as_secs_f64();
        println!("{what}: {ours:.0?}, probe-rs's download {theirs:.0?}: {ratio:.2} times");
    }

    fn timed(work: impl FnOnce()) -> Duration {
        let started = Instant::now();
        work();
        started.elapsed()
    }

    fn with_chip(board: &Board, work: impl FnOnce(&mut Connection) -> Duration) -> Duration {
        let chip = virtual_chip(board, FlashKept::Nowhere).expect("QEMU is installed");
        work(&mut connect(board, Reach::Virtual(chip)).expect("the chip answers"))
    }

    fn on_empty_chip(board: &Board, work: impl FnOnce(&mut Connection)) -> Duration {
        with_chip(board, |connection| timed(|| work(connection)))
    }

    fn median(mut measure: impl FnMut() -> Duration) -> Duration {
        let mut times: Vec<Duration> = (0..REPETITIONS).map(|_| measure()).collect();
        times.sort();
        times[REPETITIONS / 2]
    }

    /// Bytes of which no page is erased flash (a linear congruential generator).
    fn noise(length: usize) -> Vec<u8> {
        let next = |state: &u32| Some(state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223));
        std::iter::successors(Some(1), next).map(|state| (state >> 24) as u8).take(length).collect()
    }
}
