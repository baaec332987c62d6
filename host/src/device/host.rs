//! The board `host`: the runtime in this process.

use bytemuck::{cast_slice, cast_slice_mut};
use edgepkg_format::aligned::AlignedBytes;
use edgepkg_format::info::Ports;
use edgepkg_runtime::{Model, Observer, Step, server};

use super::{
    Description, Device, DeviceError, Measurement, OperatorCount, OperatorDigest, RunReport, check_inputs,
};

/// A model in this process.
pub struct HostDevice {
    artifact: AlignedBytes,
    arena: AlignedBytes,
    input_bytes: Vec<u32>,
}

impl HostDevice {
    /// Loads `artifact`, which is lowered for the portable instruction set.
    ///
    /// # Errors
    ///
    /// Where it is not an artifact that runs here.
    pub fn open(artifact: &[u8]) -> Result<Self, DeviceError> {
        let artifact = AlignedBytes::from(artifact);
        let model = Model::parse(&artifact)?;
        let arena = AlignedBytes::from(vec![0; model.arena_bytes()].as_slice());
        let input_bytes = port_bytes(model.info().inputs);
        let mut device = Self { artifact, arena, input_bytes };
        device.reset_state()?;
        Ok(device)
    }

    fn run_observed(
        &mut self,
        inputs: &[&[u8]],
        observer: &mut impl Observer,
    ) -> Result<Vec<Vec<u8>>, DeviceError> {
        check_inputs(&self.input_bytes, inputs)?;
        let model = Model::parse(&self.artifact)?;
        let mut session = model.resume_session(cast_slice_mut(&mut self.arena))?;
        for (index, input) in inputs.iter().enumerate() {
            session.input(index)?.copy_from_i8(cast_slice(input))?;
        }
        session.run_observed(observer)?;
        let outputs = (0..model.info().outputs.len()).map(|index| {
            let output = session.output(index)?;
            Ok(output.values_i8().map(|value| value as u8).collect())
        });
        outputs.collect()
    }
}

fn port_bytes(ports: Ports<'_>) -> Vec<u32> {
    // `Model::parse` has decoded every port and its size.
    ports.iter().flatten().filter_map(|port| port.bytes()).collect()
}

#[derive(Default)]
struct Digests(Vec<OperatorDigest>);

impl Observer for Digests {
    fn after(&mut self, step: &Step<'_>) {
        let Step { record, layer, kind, output } = *step;
        self.0.push(OperatorDigest { record, layer, kind, crc32: server::digest(output) });
    }
}

impl Device for HostDevice {
    fn description(&mut self) -> Result<Description, DeviceError> {
        let model = Model::parse(&self.artifact)?;
        Ok(Description {
            runner_version: env!("CARGO_PKG_VERSION").to_owned(),
            isa: model.artifact().isa(),
            arena_limit_bytes: u64::MAX,
            arena_bytes: model.artifact().arena_bytes(),
            artifact_digest: *model.artifact().digest(),
        })
    }

    fn reset_state(&mut self) -> Result<(), DeviceError> {
        let model = Model::parse(&self.artifact)?;
        model.session(cast_slice_mut(&mut self.arena))?;
        Ok(())
    }

    fn run(&mut self, inputs: &[&[u8]]) -> Result<RunReport, DeviceError> {
        Ok(RunReport { outputs: self.run_observed(inputs, &mut ())?, count: None })
    }

    fn operator_digests(&mut self, inputs: &[&[u8]]) -> Result<Vec<OperatorDigest>, DeviceError> {
        let mut digests = Digests::default();
        self.run_observed(inputs, &mut digests)?;
        Ok(digests.0)
    }

    fn operator_counts(&mut self, inputs: &[&[u8]]) -> Result<Vec<OperatorCount>, DeviceError> {
        self.run_observed(inputs, &mut ())?;
        Ok(Vec::new())
    }

    fn measure(&mut self, inputs: &[&[u8]]) -> Result<Measurement, DeviceError> {
        self.run_observed(inputs, &mut ())?;
        let arena_bytes = self.arena.len() as u32;
        Ok(Measurement { parse: None, session: None, run: None, stack_bytes: None, arena_bytes })
    }
}
