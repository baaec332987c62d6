//! Counts the instructions of whole runs and of runs by steps, for each of the models.
#![no_std]
#![no_main]

use edgepkg_image_cortex_m::{CoreGauge, Port, image, stop};
use edgepkg_runtime::format::needs::Needs;
use edgepkg_runtime::format::linked::Only;
use edgepkg_runtime::server::Gauge as _;
use edgepkg_runtime::{Model, include_model};

static MODELS: [(&str, &[u8]); 3] = [
    ("kws", include_model!("../kws.epa")),
    ("ic", include_model!("../ic.epa")),
    ("vww", include_model!("../vww.epa")),
];
/// The operators of all three.
const OPERATORS: u64 = Needs::of(include_bytes!("../kws.epa")).operators.bits()
    | Needs::of(include_bytes!("../ic.epa")).operators.bits()
    | Needs::of(include_bytes!("../vww.epa")).operators.bits();

image!(main, stop);

fn main(arena: &'static mut [i8]) -> ! {
    let mut port = Port::enabled();
    let mut gauge = CoreGauge::calibrated();
    for (name, artifact) in MODELS {
        port.write_text(name);
        if measure(&mut port, &mut gauge, artifact, arena).is_none() {
            port.write_text(" failed");
        }
        port.write_text("\n");
    }
    port.write_text("end\n");
    stop()
}

/// Writes the count of a run, of a run by steps, of the longest step, and its number.
fn measure(port: &mut Port, gauge: &mut CoreGauge, artifact: &[u8], arena: &mut [i8]) -> Option<()> {
    let model = Model::<Only<OPERATORS>>::parse_linked(artifact).ok()?;
    let mut session = model.session(arena).ok()?;

    session.input(0).ok()?.as_i8_mut().fill(0);
    gauge.start();
    session.run().ok()?;
    let run = gauge.stop();

    session.input(0).ok()?.as_i8_mut().fill(0);
    gauge.start();
    while session.step().ok()?.is_some() {}
    let steps = gauge.stop();

    session.input(0).ok()?.as_i8_mut().fill(0);
    let (mut longest, mut longest_record) = (0, 0);
    loop {
        gauge.start();
        let record = session.step().ok()?;
        let count = gauge.stop();
        let Some(record) = record else { break };
        if count > longest {
            (longest, longest_record) = (count, record);
        }
    }
    for figure in [run, steps, longest, longest_record.into()] {
        port.write_text(" ");
        port.write_number(figure as i32);
    }
    Some(())
}
