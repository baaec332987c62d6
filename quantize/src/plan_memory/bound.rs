//! What no arena can be smaller than.

use super::Lifetime;
use super::liveness::Handover;
use crate::lower::Buffer;

/// The most bytes in use at one time, when what may share bytes does so as far as it can.
pub(super) fn least_arena_bytes(
    buffers: &[Buffer],
    lifetimes: &[Option<Lifetime>],
    handovers: &[Handover],
) -> u32 {
    let times = lifetimes.iter().flatten().map(|lifetime| lifetime.first);
    let bytes_at = |time: usize| {
        let is_alive = |buffer: usize| lifetimes[buffer].is_some_and(|lifetime| lifetime.contains(time));
        let alive: i64 =
            (0..buffers.len()).filter(|&buffer| is_alive(buffer)).map(|b| bytes(buffers, b)).sum();
        alive - greatest_saving(buffers, &handovers_at(lifetimes, handovers, time))
    };
    times.map(bytes_at).max().unwrap_or(0) as u32
}

fn bytes(buffers: &[Buffer], buffer: usize) -> i64 {
    i64::from(buffers[buffer].bytes)
}

/// The handovers of the record that runs at `time`, all of one output.
fn handovers_at(lifetimes: &[Option<Lifetime>], handovers: &[Handover], time: usize) -> Vec<Handover> {
    let is_now = |handover: &&Handover| lifetimes[handover.output].is_some_and(|life| life.first == time);
    handovers.iter().filter(is_now).copied().collect()
}

/// The most bytes of a record's output that can lie in its inputs: those of each of them alone, but no
/// more than the whole output.
fn greatest_saving(buffers: &[Buffer], handovers: &[Handover]) -> i64 {
    let Some(output) = handovers.first().map(|handover| bytes(buffers, handover.output)) else { return 0 };
    let shared = |handover: &Handover| {
        let (least, greatest) = handover.distances;
        let input = bytes(buffers, handover.input);
        // Where one lies inside the other, or as near to that as may be.
        let distance = 0.min(input - output).clamp(least, greatest);
        (input.min(distance + output) - distance.max(0)).max(0)
    };
    handovers.iter().map(shared).sum::<i64>().min(output)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The bound of a record with an output of `output` bytes and these inputs, which die there.
    fn bound(inputs: &[(u32, Option<(i64, i64)>)], output: u32) -> u32 {
        let bytes = inputs.iter().map(|&(bytes, _)| bytes).chain([output]);
        let buffers: Vec<Buffer> = bytes.map(|bytes| Buffer { offset: 0, bytes }).collect();
        let mut lifetimes = vec![Some(Lifetime { first: 0, last: 1 }); inputs.len()];
        lifetimes.push(Some(Lifetime { first: 1, last: 2 }));
        let handovers = inputs.iter().enumerate().filter_map(|(input, &(_, distances))| {
            Some(Handover { input, output: inputs.len(), distances: distances? })
        });
        least_arena_bytes(&buffers, &lifetimes, &handovers.collect::<Vec<_>>())
    }

    #[test]
    fn an_output_shares_as_much_as_its_distances_allow() {
        const ANY: (i64, i64) = (i64::MIN, i64::MAX);
        assert_eq!(bound(&[(100, None)], 80), 180);
        assert_eq!(bound(&[(100, Some(ANY))], 80), 100);
        assert_eq!(bound(&[(80, Some(ANY))], 100), 100);
        assert_eq!(bound(&[(100, Some((0, 0)))], 80), 100);
        assert_eq!(bound(&[(100, Some((i64::MIN, -7)))], 80), 107);
        assert_eq!(bound(&[(80, Some((i64::MIN, -7)))], 100), 100);
        assert_eq!(bound(&[(100, Some((30, i64::MAX)))], 80), 110);
        assert_eq!(bound(&[(100, Some((i64::MIN, -300)))], 80), 180);
        assert_eq!(bound(&[(100, Some(ANY)), (60, Some(ANY))], 120), 160);
        assert_eq!(bound(&[(100, Some((0, 0))), (60, None)], 100), 160);
    }
}
