//! Plans of random buffers, checked pair by pair.

use super::search::Random;
use super::*;
use crate::lower::BUFFER_ALIGNMENT;

fn buffers(bytes: &[u32]) -> Vec<Buffer> {
    bytes.iter().map(|&bytes| Buffer { offset: 0, bytes }).collect()
}

/// Each buffer is written when the one before is read.
fn chain(count: usize) -> Vec<Option<Lifetime>> {
    (0..count).map(|first| Some(Lifetime { first, last: first + 1 })).collect()
}

fn handover(input: usize, distances: (i64, i64)) -> Handover {
    Handover { input, output: input + 1, distances }
}

/// Plans, and checks every pair of buffers that meet.
#[track_caller]
fn plan(buffers: &[Buffer], lifetimes: &[Option<Lifetime>], handovers: &[Handover]) -> MemoryPlan {
    let plan = plan_buffers(buffers, lifetimes.to_vec(), handovers);
    for (a, buffer) in buffers.iter().enumerate() {
        let a_start = plan.offsets[a];
        assert!(a_start.is_multiple_of(BUFFER_ALIGNMENT));
        assert!(a_start + buffer.bytes <= plan.arena_bytes);
        for (b, other) in buffers.iter().enumerate().filter(|&(b, _)| b != a) {
            let b_start = plan.offsets[b];
            let apart = a_start + buffer.bytes <= b_start || b_start + other.bytes <= a_start;
            let distance = i64::from(b_start) - i64::from(a_start);
            let (here, there) = (lifetimes[a].unwrap(), lifetimes[b].unwrap());
            let is_handed_over = handovers.iter().any(|handover| {
                let (least, greatest) = handover.distances;
                (handover.input, handover.output) == (a, b) && least <= distance && distance <= greatest
                    || (handover.input, handover.output) == (b, a)
                        && least <= -distance
                        && -distance <= greatest
            });
            assert!(apart || !here.meets(there) || is_handed_over, "{a} and {b} overlap");
        }
    }
    assert!(plan.lower_bound_bytes <= plan.arena_bytes);
    plan
}

#[test]
fn a_chain_needs_its_two_greatest_neighbours() {
    let plan = plan(&buffers(&[640, 128, 128, 8, 128, 640]), &chain(6), &[]);
    assert_eq!((plan.arena_bytes, plan.lower_bound_bytes), (768, 768));
    assert_eq!(plan.optimality, Optimality::Least);
}

#[test]
fn a_chain_in_place_needs_its_greatest_buffer() {
    let in_place: Vec<_> = (0..4).map(|input| handover(input, (0, 0))).collect();
    let plan = plan(&buffers(&[600, 600, 300, 300, 10]), &chain(5), &in_place);
    assert_eq!((plan.arena_bytes, plan.lower_bound_bytes), (600, 600));
    assert_eq!(plan.offsets, [0; 5]);
}

#[test]
fn operators_that_go_forward_move_down() {
    let forward: Vec<_> = (0..3).map(|input| handover(input, (i64::MIN, -30))).collect();
    let plan = plan(&buffers(&[800; 4]), &chain(4), &forward);
    assert_eq!(plan.offsets, [96, 64, 32, 0]);
    assert_eq!((plan.arena_bytes, plan.lower_bound_bytes), (896, 830));
    assert_eq!(plan.optimality, Optimality::Least, "every order was tried");
}

#[test]
fn directions_that_alternate_come_back() {
    let handovers = [handover(0, (i64::MIN, -30)), handover(1, (30, i64::MAX)), handover(2, (i64::MIN, -30))];
    let plan = plan(&buffers(&[800; 4]), &chain(4), &handovers);
    assert_eq!(plan.offsets, [32, 0, 32, 0]);
}

#[test]
fn an_output_can_grow_over_its_input() {
    let plan = plan(&buffers(&[400, 800]), &chain(2), &[handover(0, (0, i64::MAX))]);
    assert_eq!((plan.arena_bytes, plan.lower_bound_bytes), (800, 800));
}

#[test]
fn random_buffers_never_overlap_where_they_must_not() {
    let mut random = Random(7);
    for case in 0..200 {
        let count = 1 + random.below(if case % 10 == 0 { 25 } else { 9 });
        let bytes: Vec<u32> = (0..count).map(|_| 1 + random.below(5000) as u32).collect();
        let lifetimes: Vec<_> = (0..count)
            .map(|_| {
                let first = random.below(12);
                Some(Lifetime { first, last: first + random.below(5) })
            })
            .collect();
        let mut handovers: Vec<Handover> = Vec::new();
        for time in 1..12 {
            let pair_of_time = |input: usize, output: usize| {
                let dies =
                    lifetimes[input].is_some_and(|life: Lifetime| life.first < time && life.last == time);
                dies && lifetimes[output].is_some_and(|life| life.first == time)
            };
            let mut pairs = (0..count).flat_map(|input| (0..count).map(move |output| (input, output)));
            let (least, greatest) = (random.below(900) as i64 - 450, random.below(900) as i64 - 450);
            let distances = [(0, 0), (i64::MIN, greatest), (least, i64::MAX), (least, least + 40)];
            if let Some((input, output)) = pairs.find(|&(input, output)| pair_of_time(input, output)) {
                handovers.push(Handover { input, output, distances: distances[random.below(4)] });
            }
        }
        plan(&buffers(&bytes), &lifetimes, &handovers);
    }
}

#[test]
fn no_buffers_need_no_arena() {
    let plan = plan(&[], &[], &[]);
    assert_eq!((plan.arena_bytes, plan.lower_bound_bytes), (0, 0));
}
