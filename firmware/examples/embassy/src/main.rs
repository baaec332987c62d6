//! Two models in tasks of their own. They share one arena, of the greater of their sizes, and let a third task run after
//! every operator.
#![no_std]
#![no_main]
#![forbid(unsafe_code)]

use core::sync::atomic::{AtomicU32, Ordering};

use cortex_m as _;
use cortex_m_semihosting::{debug, hprint, hprintln};
use edgepkg_runtime::format::linked::Linked;
use edgepkg_runtime::{Arena, RunError, Session, built_model, greatest};
use embassy_executor::Spawner;
use embassy_futures::yield_now;
use embassy_sync::blocking_mutex::raw::ThreadModeRawMutex;
use embassy_sync::mutex::Mutex;
use embassy_sync::signal::Signal;
use panic_semihosting as _;

built_model!(mod sine);
built_model!(mod keywords);

static RECORDING: &[u8; 4 * keywords::input::LEN] = include_bytes!("../../keywords/recordings.bin");

/// Bytes that the model needs which needs more of them.
const ARENA_BYTES: usize = greatest([sine::ARENA_BYTES, keywords::ARENA_BYTES]);

/// Whoever holds it runs a model in it.
static ARENA: Mutex<ThreadModeRawMutex, Arena<ARENA_BYTES>> = Mutex::new(Arena::new());

/// How often the third task ran.
static BEATS: AtomicU32 = AtomicU32::new(0);

static SINE_IS_DONE: Signal<ThreadModeRawMutex, ()> = Signal::new();
static KEYWORDS_ARE_DONE: Signal<ThreadModeRawMutex, ()> = Signal::new();

#[embassy_executor::main]
async fn main(spawner: Spawner) {
    spawner.spawn(heartbeat().expect("it is spawned once"));
    spawner.spawn(draw().expect("it is spawned once"));
    spawner.spawn(listen().expect("it is spawned once"));
    SINE_IS_DONE.wait().await;
    KEYWORDS_ARE_DONE.wait().await;
    hprintln!("beats {}", BEATS.load(Ordering::Relaxed));
    debug::exit(debug::EXIT_SUCCESS);
}

/// Runs whenever the others let it: what feeds a watchdog or polls a sensor would be here.
#[embassy_executor::task]
async fn heartbeat() {
    loop {
        BEATS.fetch_add(1, Ordering::Relaxed);
        yield_now().await;
    }
}

/// Runs the session's model, with the other tasks between its operators.
async fn run<L: Linked>(session: &mut Session<'_, L>) -> Result<(), RunError> {
    while session.step()?.is_some() {
        yield_now().await;
    }
    Ok(())
}

#[embassy_executor::task]
async fn draw() {
    for x in 0..8u8 {
        let input = sine::input::QUANTIZATION.quantize_i8(f32::from(x) / 2.0);
        // Held for one run: the other model may go between.
        let mut arena = ARENA.lock().await;
        let mut session = sine::Network::MODEL.session(&mut *arena).expect("the arena is large enough");
        session.input(sine::input::INDEX).expect("it has one").as_i8_mut()[0] = input;
        run(&mut session).await.expect("its input is set");
        let output = session.output(sine::output::INDEX).expect("it has one").as_i8()[0];
        hprintln!("sine {} {}", input, output);
    }
    SINE_IS_DONE.signal(());
}

#[embassy_executor::task]
async fn listen() {
    for recording in RECORDING.chunks_exact(keywords::input::LEN) {
        let mut arena = ARENA.lock().await;
        let mut session = keywords::Network::MODEL.session(&mut *arena).expect("the arena is large enough");
        let mut input = session.input(keywords::input::INDEX).expect("it has one");
        for (element, &feature) in input.as_i8_mut().iter_mut().zip(recording) {
            *element = feature as i8;
        }
        run(&mut session).await.expect("its input is set");
        let scores = session.output(keywords::output::INDEX).expect("it has one");
        hprint!("keywords");
        for score in scores.as_i8() {
            hprint!(" {}", score);
        }
        hprintln!("");
    }
    KEYWORDS_ARE_DONE.signal(());
}
